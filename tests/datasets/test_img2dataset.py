"""What img2dataset leaves behind, whole and damaged."""

import logging
from pathlib import Path

import pytest

from tests.datasets.test_picture_lists import URLS, name, read, write
from tests.datasets.test_shards import NO_TEXT
from vtlearn.datasets.img2dataset import require_no_tars, shard_folders
from vtlearn.datasets.picture_lists import PictureCaption, read_picture_list
from vtlearn.errors import ArgumentError


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """What img2dataset left of three urls, one without its picture, one without a caption."""
    root = tmp_path / "files"
    for key, picture, caption in (
        ("000000000", "jpg", "two apples"),
        ("000000001", None, "a dog"),
        ("000010000", "webp", None),
    ):
        sample = root / key[:5] / key
        write(sample.with_suffix(".json"), {"url": f"http://a.org/{key}", "caption": caption})
        if caption is not None:
            sample.with_suffix(".txt").write_text(f"{caption}\n")
        if picture is not None:
            sample.with_suffix(f".{picture}").touch()
    write(root / "00000_stats.json", {})
    write(root / "other" / "000000003.txt", "no shard")
    return root


def test_what_img2dataset_writes_to_files(downloaded: Path) -> None:
    assert [one.name for one in shard_folders(downloaded)] == ["00000", "00001"]
    assert list(read_picture_list(downloaded, downloaded)) == [
        PictureCaption("000000000", "00000/000000000.jpg", "two apples"),
        PictureCaption("000000001", "00000/000000001.jpg", "a dog"),  # which is not there
        PictureCaption("000010000", "00001/000010000.webp", ""),
    ]
    (downloaded / "00000" / "000000000.txt").unlink()  # then the .json says it
    assert next(iter(read_picture_list(downloaded, downloaded))).caption == "two apples"


def test_pictures_of_urls_may_be_as_img2dataset_wrote_them(downloaded: Path) -> None:
    urls = ["http://a.org/000010000", "http://a.org/000000000", URLS[0]]
    path = write(downloaded.parent / "cc3m.tsv", "".join(f"caption\t{url}\n" for url in urls))
    assert read(path, downloaded) == [
        ("000010000", "00001/000010000.webp", "caption"),
        ("000000000", "00000/000000000.jpg", "caption"),
        (name(URLS[0]), name(URLS[0]), "caption"),  # which was not downloaded
    ]


def test_a_cut_off_json_costs_its_picture_alone(
    downloaded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (downloaded / "00000" / "000000000.json").write_text('{"url": "http://a.o')
    urls = ["http://a.org/000000000", "http://a.org/000010000"]
    path = write(downloaded.parent / "cc3m.tsv", "".join(f"caption\t{url}\n" for url in urls))
    with caplog.at_level(logging.WARNING):
        rows = read(path, downloaded)
    assert [place for _, place, _ in rows] == [name(urls[0]), "00001/000010000.webp"]
    (message,) = caplog.messages
    assert message.startswith(f"1 pictures in {downloaded} are left out, since what is kept of ")
    assert "(first: " in message
    assert "000000000.json cannot be read as JSON: " in message


def test_captions_of_a_download_that_cannot_be_read_cost_their_pictures_alone(
    downloaded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (downloaded / "00000" / "000000000.txt").write_bytes(NO_TEXT)
    (downloaded / "00001" / "000010000.json").write_text('{"caption": "')
    with caplog.at_level(logging.WARNING):
        rows = list(read_picture_list(downloaded, downloaded))
    assert [row.id for row in rows if not row.reason] == ["000000001"]
    assert [(row.id, row.caption) for row in rows if row.reason] == [
        ("000000000", ""),
        ("000010000", ""),
    ]
    assert "000010000.json cannot be read as JSON: " in rows[2].reason
    (message,) = caplog.messages
    assert message.startswith(f"2 pictures in {downloaded} are left out")
    assert "000000000.txt cannot be read as a caption: " in message


def test_captions_of_a_download_need_not_be_utf8(downloaded: Path) -> None:
    (downloaded / "00000" / "000000000.txt").write_bytes("deux crèmes brûlées".encode("cp1252"))
    assert read(downloaded)[0] == ("000000000", "00000/000000000.jpg", "deux crèmes brûlées")


def test_tar_shards_are_named_with_what_reads_them(tmp_path: Path) -> None:
    write(tmp_path / "00000_stats.json", {})
    require_no_tars(tmp_path)
    (tmp_path / "00001.tar").touch()
    (tmp_path / "00000.tar").touch()
    with pytest.raises(
        ArgumentError, match=r"00000\.tar, .* with --data Shards, or download .*files"
    ):
        require_no_tars(tmp_path)
