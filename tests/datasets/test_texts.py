import io
from pathlib import Path

import pytest

from tests.datasets.test_shards import NO_TEXT
from vtlearn.datasets.texts import read_text, whole_lines
from vtlearn.errors import ArgumentError

TEXT = "un café crème, à côté\r\nde l'hôtel\rdéjà"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_encoding_is_read_and_logged(
    encoding: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT.encode(encoding))
    assert read_text(path, "a list") == io.StringIO(TEXT, newline=None).read()
    assert list(whole_lines(path)) == TEXT.splitlines(keepends=True)
    assert ["a.txt is not UTF-8" in message for message in caplog.messages] == (
        [True, True] if encoding == "cp1252" else []
    )


@pytest.mark.parametrize("name", ["bad.txt", "absent.txt"])
def test_a_file_that_cannot_be_read_is_named_with_what_it_should_be(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.txt").write_bytes(NO_TEXT)
    why = "it is not UTF-8; save it as UTF-8" if name == "bad.txt" else "No such file"
    with pytest.raises(ArgumentError, match=rf"{name} cannot be read as a list of ids: {why}"):
        read_text(tmp_path / name, "a list of ids")
