import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_python(page: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)  # noqa: S102  # our own text


def test_what_the_readme_shows_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_python(ROOT / "README.md")
    assert (tmp_path / "alignment.png").stat().st_size > 10_000


def test_what_contributing_shows_runs() -> None:
    run_python(ROOT / "CONTRIBUTING.md")


def test_what_the_page_of_captions_shows_runs() -> None:
    run_python(ROOT / "docs" / "captions.md")
