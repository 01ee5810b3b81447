import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_what_the_readme_shows_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, README.name, "exec"), names)  # noqa: S102  # our own text
    assert (tmp_path / "alignment.png").stat().st_size > 10_000
