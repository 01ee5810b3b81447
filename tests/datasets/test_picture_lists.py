"""Captions of pictures in every shape that they circulate in."""

import json
import logging
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from vtlearn.datasets.picture_lists import PictureCaption, read_picture_list
from vtlearn.errors import ArgumentError

URLS = ["http://a.org/1.jpg", "https://b.org/2.png"]
# Two urls of one crc32, 0xe8c3da7a.
TWINS = ["http://example.org/ZMUrMXR4", "http://example.org/MH4xxFdc"]


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(path: Path, pictures: Path | None = None) -> list[tuple[str, str, str]]:
    return [row[:3] for row in read_picture_list(path, pictures or path.parent)]


def name(url: str) -> str:
    return str(crc32(url.encode()))


COCO: dict[str, Any] = {
    "info": {},
    "licenses": [],
    "images": [
        {"id": 219654, "file_name": "COCO_train2014_000000219654.jpg", "height": 376},
        {"id": 7, "file_name": "000000000007.jpg"},
        {"id": "video7010", "file_name": "a/b.png"},
    ],
    "annotations": [
        {"caption": "A bench with a metal armrest. ", "id": 550588, "image_id": 219654},
        {"caption": "a dog", "id": 1, "image_id": "video7010"},
        {"caption": "A wood bench.", "id": 2, "image_id": 219654},
    ],
}


def test_cocos_captions(tmp_path: Path) -> None:
    assert read(write(tmp_path / "captions_train2014.json", COCO)) == [
        ("219654", "COCO_train2014_000000219654.jpg", "A bench with a metal armrest."),
        ("video7010", "a/b.png", "a dog"),
        ("219654", "COCO_train2014_000000219654.jpg", "A wood bench."),
    ]


def test_karpathys_splits_as_lavis_has_them(tmp_path: Path) -> None:
    entries = [
        {"image": "val2014/1.jpg", "caption": "a dog ", "image_id": "coco_1"},
        {"image": "val2014/1.jpg", "caption": "the dog", "image_id": "coco_1"},
        {"image": "val2014/2.jpg", "caption": ["a cat", "two cats"]},
    ]
    assert read(write(tmp_path / "coco_karpathy_train.json", entries)) == [
        ("val2014/1.jpg", "val2014/1.jpg", "a dog"),
        ("val2014/1.jpg", "val2014/1.jpg", "the dog"),
        ("val2014/2.jpg", "val2014/2.jpg", "a cat"),
        ("val2014/2.jpg", "val2014/2.jpg", "two cats"),
    ]


def test_of_karpathys_own_file_only_what_is_trained_on_is_read(tmp_path: Path) -> None:
    images = [
        {
            "filename": f"{k}.jpg",
            "filepath": "val2014",
            "split": split,
            "sentences": [{"raw": split}],
        }
        for k, split in enumerate(["train", "val", "restval", "test"])
    ]
    found = read(write(tmp_path / "dataset_coco.json", {"images": images, "dataset": "coco"}))
    assert found == [
        ("val2014/0.jpg", "val2014/0.jpg", "train"),
        ("val2014/2.jpg", "val2014/2.jpg", "restval"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        f'a "quoted" 5" pipe\t{URLS[0]}\ntwo apples \t{URLS[1]}\n',  # CC3M
        f'{URLS[0]}\ta "quoted" 5" pipe\n{URLS[1]}\ttwo apples\n',  # CC12M
        f'url\tcaption\n{URLS[0]}\ta "quoted" 5" pipe\n\n{URLS[1]}\ttwo apples',
        f'\ufeffcaption\turl\r\na "quoted" 5" pipe\t{URLS[0]}\r\ntwo apples\t{URLS[1]}\r\n',
        f'thumbnailUrl,caption\n{URLS[0]},"a ""quoted"" 5"" pipe"\n{URLS[1]},two apples\n',
    ],
    ids=["cc3m", "cc12m", "header", "windows", "frozen"],
)
def test_tables_of_urls(text: str, tmp_path: Path) -> None:
    path = tmp_path / ("train.csv" if text.startswith("thumb") else "train.tsv")
    path.write_text(text, encoding="utf-8", newline="")
    assert read(path) == [
        (name(URLS[0]), name(URLS[0]), 'a "quoted" 5" pipe'),
        (name(URLS[1]), name(URLS[1]), "two apples"),
    ]


def test_a_caption_may_begin_as_a_url_does(tmp_path: Path) -> None:
    text = f"two apples\t{URLS[0]}\nhttp://c.org is written on a wall\t{URLS[1]}\n"
    assert read(write(tmp_path / "cc3m.tsv", text))[1][1:] == (
        name(URLS[1]),
        "http://c.org is written on a wall",
    )


@pytest.mark.parametrize("first", ["http is a protocol", "http://c.org is on a wall", URLS[1]])
def test_a_first_caption_may_begin_as_a_url_does(first: str, tmp_path: Path) -> None:
    text = f"{first}\t{URLS[0]}\ntwo apples\t{URLS[1]}\n"
    assert read(write(tmp_path / "cc3m.tsv", text)) == [
        (name(URLS[0]), name(URLS[0]), first),
        (name(URLS[1]), name(URLS[1]), "two apples"),
    ]


def test_urls_may_be_in_upper_case_or_have_a_space(tmp_path: Path) -> None:
    urls = [URLS[0].upper(), "Https://b.org/my cat.png"]
    text = "".join(f"{url}\ta cat\n" for url in urls)
    assert read(write(tmp_path / "cc12m.tsv", text)) == [
        (name(url), name(url), "a cat") for url in urls
    ]
    rows = read(write(tmp_path / "cc3m.tsv", f"caption\turl\na cat\t{urls[1]}\n"))
    assert rows == [(name(urls[1]), name(urls[1]), "a cat")]


@pytest.mark.parametrize(
    "header", ["filepath, title", "FilePath,Title", '"filepath";"TITLE"', "FILEPATH\t title"]
)
def test_columns_of_open_clip_in_any_case(header: str, tmp_path: Path) -> None:
    separator = next(one for one in ",;\t" if one in header)
    path = write(tmp_path / "train.csv", f"{header}\na.jpg{separator} two apples\n")
    assert read(path) == [("a.jpg", "a.jpg", "two apples")]


@pytest.mark.parametrize("header", ["URL, Caption", "ThumbnailURL,caption", "CAPTION,Url"])
def test_columns_of_urls_in_any_case(header: str, tmp_path: Path) -> None:
    cells = ["two apples", URLS[0]] if header.startswith("CAP") else [URLS[0], "two apples"]
    path = write(tmp_path / "train.csv", f"{header}\n{','.join(cells)}\n")
    assert read(path) == [(name(URLS[0]), name(URLS[0]), "two apples")]


def test_pictures_that_share_a_name_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert name(TWINS[0]) == name(TWINS[1])
    rows = [f"{url}\tcaption {k}" for k, url in enumerate([TWINS[0], URLS[0], *TWINS, URLS[0]])]
    path = write(tmp_path / "cc12m.tsv", "\n".join(rows))
    with caplog.at_level(logging.WARNING):
        found = list(read_picture_list(path, tmp_path))
    assert [row.caption for row in found] == ["", "caption 1", "", "", "caption 4"]
    why = f"another url shares the crc32 of {TWINS[0]}"
    assert found[0] == PictureCaption(name(TWINS[0]), name(TWINS[0]), "", why)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"3 captions in {path} are left out: their urls share")


@pytest.mark.parametrize("header", ["filepath\ttitle", "title\tid\tfilepath"])
def test_the_csv_of_open_clip(header: str, tmp_path: Path) -> None:
    cells = {"filepath": "a/b.jpg", "title": "two apples", "id": "7"}
    row = "\t".join(cells[column] for column in header.split("\t"))
    path = write(tmp_path / "train.csv", f"{header}\n{row}\n")
    assert read(path) == [("a/b.jpg", "a/b.jpg", "two apples")]
    assert read(write(path, path.read_text().replace("a/b", "/data/a/b")))[0][1] == "/data/a/b.jpg"
    commas = write(tmp_path / "commas.csv", path.read_text().replace("\t", ","))
    assert read(commas) == read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": []}, "has neither images with annotations or sentences"),
        ("[", "cannot be read as JSON"),
        (
            {**COCO, "images": [{"id": 7}]},
            r"images\[0\]: expected a string for file_name, got None",
        ),
        ({**COCO, "images": [{"id": True}]}, r"images\[0\]: expected a number or a string for id"),
        ({**COCO, "images": COCO["images"][:1]}, r"annotations\[1\]: expected the id of an image"),
        ([{"image": "a.jpg"}], "entry 0: expected a string for caption, got None"),
        ([{"image": "../a.jpg", "caption": "a"}], "expected a name below the folder of pictures"),
        ([{"image": "/etc/a.jpg", "caption": "a"}], r"got '/etc/a\.jpg'; correct it"),
        (
            {"images": [{"filename": "a", "sentences": None}]},
            r"images\[0\]: expected a string for raw, got None",
        ),
    ],
)
def test_json_of_another_kind_is_refused(content: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", content)
    with pytest.raises(ArgumentError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\nc\td\n", "line 2: expected a url and a caption, separated by a tab, .*'c    d'"),
        (
            "image,caption\na.jpg,b\n",
            "line 1: expected a url and a caption, separated by a tab, or a first line with the "
            "columns filepath and title, url and caption, or thumb.* got 'image,caption'",
        ),
        ("image\ttitle\na.jpg\tb\n", "line 2: .* with the columns filepath and title, url and"),
        (f"{URLS[0]}\t{URLS[1]}\n" * 2, f"line 1: .*; got '{URLS[0]}    {URLS[1]}'"),
        (f"a\t{URLS[0]}\nb\n", "line 2: expected a url and a caption, separated by a tab, got 'b'"),
        (f"a\t{URLS[0]}\tb\n", "line 1: expected a url and a caption"),
        ("a,b,c\n", "line 1: expected a url and a caption"),
        (f"a\t{URLS[0]}\n{URLS[1]}\tb\n", "line 2: expected a url and a caption"),
        ("filepath\ttitle\n../a.jpg\tb\n", r"line 2: expected a name below .*got '\.\./a\.jpg'"),
        ("filepath\ttitle\na.jpg\n", "has 1 cells in line 2 and 2 in its header"),
    ],
)
def test_tables_of_another_kind_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        read(write(tmp_path / "a.tsv", text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("caption\thttp://a.org/\n", encoding="utf-16")
    rows = "".join(f"à côté, déjà\thttp://a.org/{number}\n" for number in range(9))
    (tmp_path / "b.tsv").write_text(rows, encoding="latin-1")
    for path, why in (("a.tsv", NOT_UTF8), ("b.tsv", NOT_UTF8), ("absent.tsv", "No such file")):
        with pytest.raises(ArgumentError, match=f"cannot be read as a table of captions: {why}"):
            read(tmp_path / path)


NOT_UTF8 = "it is not UTF-8; save it as UTF-8"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cc.tsv", b"so caf\xe9\thttp://a.org/1.jpg\na dog\thttps://b.org/2.png\n"),
        ("cc.csv", b"url,caption\nhttp://a.org/1.jpg,so caf\xe9\nhttps://b.org/2.png,a dog\n"),
    ],
)
def test_a_byte_that_is_not_utf8_costs_no_list(
    name: str, text: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_bytes(text)
    assert [caption for *_, caption in read(tmp_path / name)] == ["so caf\ufffd", "a dog"]
    (message,) = caplog.messages  # though the list is read several times
    assert "1 place is not UTF-8 (first: line " in message


def test_paths_of_pictures_hold_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"filepath\ttitle\ncaf\xe9.jpg\ttwo apples\n")
    assert read(path) == [("caf%E9.jpg", "caf\udce9.jpg", "two apples")]
