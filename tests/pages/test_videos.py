import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from vtlearn.pages import videos
from vtlearn.pages.videos import is_embedded, video_address


def test_a_large_video_is_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"12345")
    assert is_embedded(video)
    monkeypatch.setattr(videos, "MAX_EMBED_BYTES", 4)
    assert not is_embedded(video)
    with pytest.raises(FileNotFoundError):
        is_embedded(tmp_path / "b.mp4")


@pytest.mark.parametrize("name", ["a b.mp4", "http:a.mp4", "50%25 #1?.mp4", "caf\udce9.mp4"])
def test_addresses_find_the_file_whatever_its_name(tmp_path: Path, name: str) -> None:
    video = tmp_path / "videos" / name
    address = video_address(video, tmp_path / "pages")
    assert address.isascii()
    assert address.startswith("../videos/")
    assert not set(address) & set(" :#?")
    found = os.fsdecode(unquote_to_bytes(address))
    assert Path(os.path.normpath(tmp_path / "pages" / found)) == video
    assert video_address(video).startswith("file:///")
