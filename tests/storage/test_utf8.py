from pathlib import Path

import pytest

from vtlearn.storage.utf8 import decode_blocks, read_lines
from vtlearn.unicode import replace_surrogates

MARK = b"\xef\xbb\xbf"
GOOD = "id,text\n1,crème brûlée 🍅\r\n2,a\n".encode()


def valid(text: str) -> str:
    return replace_surrogates(text)


@pytest.mark.parametrize("mark", [b"", MARK])
def test_what_is_utf8_is_read_as_it_is(
    mark: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(mark + GOOD)
    assert "".join(read_lines(path)) == GOOD.decode()
    assert list(read_lines(path, "\n")) == ["id,text\n", "1,crème brûlée 🍅\r\n", "2,a\n"]
    for size in (1, 2, 3, 100):
        content = mark + GOOD
        blocks = [content[at : at + size] for at in range(0, len(content), size)]
        assert "".join(decode_blocks(blocks, path)) == GOOD.decode()
    assert not caplog.messages


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"\xe9t\xe9", "\ufffdt\ufffd"),
        (b"so \xed\xa0\xbd", "so \ufffd"),  # half an emoji
        (b"cut \xf0\x9f\x8d", "cut \ufffd\ufffd\ufffd"),
        (b"\xed\xa0\xbc\xed\xbd\x85 \xe9", "🍅 \ufffd"),  # one, each half encoded by itself
    ],
)
def test_a_bad_byte_is_one_place(
    bad: bytes, text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(GOOD + b"3," + bad + b"\n4,b\n")
    assert valid("".join(read_lines(path))) == f"{GOOD.decode()}3,{text}\n4,b\n"
    (message,) = caplog.messages
    assert message.startswith(f"{path}: ")
    assert "not UTF-8 (first: line 4, '3," in message
    assert valid("".join(decode_blocks([path.read_bytes()], path))) == valid(path_text(path))
    assert len(caplog.messages) == 1  # of a file that is read again


def path_text(path: Path) -> str:
    return "".join(read_lines(path))


def test_bytes_stay_those_of_names_of_files(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"caf\xe9.mp4\n")
    assert list(read_lines(path)) == ["caf\udce9.mp4\n"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-be"])
def test_another_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes(f"{mark}1,crème brûlée à la carte\n".encode(encoding))
    with pytest.raises(UnicodeError):
        list(read_lines(path))
    with pytest.raises(UnicodeError):
        list(decode_blocks([path.read_bytes()], path))


@pytest.mark.parametrize(("every", "is_read"), [(2000, True), (500, False)])
def test_the_share_counts_in_large_files(every: int, is_read: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((b"a" * every + b" caf\xe9\n") * 50)
    if is_read:
        assert len(list(read_lines(path))) == 50
        return
    with pytest.raises(UnicodeError):
        list(read_lines(path))


def test_a_file_that_is_not_there_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_lines(tmp_path / "a.csv"))
