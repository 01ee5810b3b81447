"""Pictures of one Kitchen in three layouts, whole and broken."""

import json
import logging
import pickle
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from tests.datasets.test_picture_lists import TWINS, URLS, name
from tests.datasets.test_shards import NO_TEXT
from vtlearn.__main__ import main
from vtlearn.datasets import ClipSampling, ImageCaptions, Pixels, Reading, SampleKey
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.checking import check_corpus
from vtlearn.datasets.image_captions import read_image_captions
from vtlearn.errors import ArgumentError, CorpusNotFoundError, TooManyUnreadableError
from vtlearn.media.clips import Source
from vtlearn.media.video.reader import VideoReader

#: What says which captions there are in each layout, and where the pictures are.
LAYOUTS = {
    "coco": ("annotations/captions_train2017.json", "train2017"),
    "cc": ("Train_GCC-training.tsv", "training"),
    "img2dataset": ("", ""),
}


@pytest.fixture
def roots(coco_root: Path, cc_root: Path, img2dataset_root: Path) -> dict[str, Path]:
    return {"coco": coco_root, "cc": cc_root, "img2dataset": img2dataset_root}


def listed(root: Path, layout: str, max_missing: float | None = 0) -> list[CaptionedClip]:
    captions, pictures = LAYOUTS[layout]
    found = read_image_captions(root / captions, pictures=root / pictures, max_missing=max_missing)
    return list(found)


def corpus(clips: list[CaptionedClip], folder: Path, **options: Any) -> ImageCaptions:
    reading = Reading(
        sampling=ClipSampling(num_frames=1),
        pixels=Pixels(size=16, flip=0.0),
        unreadable_log=folder / "unreadable.jsonl",
        **options,
    )
    return ImageCaptions(clips, reading)


def pixels(source: Source) -> bytes:
    clips = VideoReader().clips(source, [0.0], num_frames=1, fps=1, size=32)
    return bytes(clips.frames.numpy().tobytes())


def test_one_kitchen_in_three_layouts_has_the_same_pairs(roots: dict[str, Path]) -> None:
    pairs = {
        layout: sorted(
            (pixels(clip.path), text) for clip in listed(root, layout) for text in clip.texts
        )
        for layout, root in roots.items()
    }
    assert len(pairs["coco"]) == len(set(pairs["coco"])) > 10
    assert pairs["coco"] == pairs["cc"] == pairs["img2dataset"]
    counts = {layout: len(listed(root, layout)) for layout, root in roots.items()}
    assert counts["coco"] == counts["cc"] == counts["img2dataset"] / 2


def test_they_are_the_same_where_img2dataset_has_downloaded_the_table(
    roots: dict[str, Path],
) -> None:
    table = roots["cc"] / LAYOUTS["cc"][0]
    clips = read_image_captions(table, pictures=roots["img2dataset"])
    pairs = sorted((pixels(clip.path), text) for clip in clips for text in clip.texts)
    assert pairs == sorted(
        (pixels(clip.path), text) for clip in listed(roots["cc"], "cc") for text in clip.texts
    )


def test_captions_of_a_picture_are_brought_together(tmp_path: Path) -> None:
    rows = ["b.jpg\tone", "a.jpg\ttwo", "b.jpg\tthree", "c.jpg\tfour", "a.jpg\tfive"]
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["filepath\ttitle", *rows]))
    clips = read_image_captions(path, pictures=tmp_path, max_missing=None)
    assert [(clip.id, clip.texts, clip.text_ids) for clip in clips] == [
        ("b.jpg", ("one", "three"), ("b.jpg#0", "b.jpg#1")),
        ("a.jpg", ("two", "five"), ("a.jpg#0", "a.jpg#1")),
        ("c.jpg", ("four",), ("c.jpg#0",)),
    ]
    assert list(clips[1:]) == [clips[1], clips[2]]
    assert [clips[-1], len(clips)] == [clips[2], 3]
    with pytest.raises(IndexError):
        clips[3]
    assert list(pickle.loads(pickle.dumps(clips))) == list(clips)  # noqa: S301


def test_blank_captions_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("filepath\ttitle\na.jpg\t\na.jpg\ttwo\nb.jpg\t \n")
    with caplog.at_level(logging.WARNING):
        (clip,) = read_image_captions(path, pictures=tmp_path, max_missing=None)
    assert clip.texts == ("two",)
    assert caplog.messages == [f"2 captions in {path} are blank and left out"]
    path.write_text("filepath\ttitle\nb.jpg\t \n")
    with pytest.raises(ArgumentError, match="lists no pictures with captions"):
        read_image_captions(path, pictures=tmp_path, max_missing=None)


def test_a_sample_is_a_clip_of_one_frame_and_one_caption_of_several(
    coco_root: Path, tmp_path: Path
) -> None:
    clips = listed(coco_root, "coco")
    data = corpus(clips, tmp_path)
    drawn = {data[SampleKey(epoch, 3)].texts[0] for epoch in range(20)}
    assert drawn == set(clips[3].texts)
    sample = data[3]
    assert sample.clips.shape == (1, 1, 3, 16, 16)
    assert sample.clip_spans.tolist() == [[0.0, pytest.approx(0.1)]]
    assert (sample.id, sample.frame_length.tolist()) == (clips[3].id, [1])
    assert sorted(data.texts()) == sorted(text for clip in clips for text in clip.texts)


def test_with_more_frames_it_is_the_same_picture_again(coco_root: Path, tmp_path: Path) -> None:
    sampling = ClipSampling(num_frames=3)
    reading = Reading(sampling=sampling, pixels=Pixels(size=16), unreadable_log=tmp_path / "u")
    clips = ImageCaptions(listed(coco_root, "coco"), reading)[0].clips
    assert clips.shape == (1, 3, 3, 16, 16)
    assert clips[:, :1].expand_as(clips).equal(clips)


def break_pictures(root: Path, layout: str) -> dict[str, str]:
    """Break five pictures, each in another way; return the stage at which reading fails, by id."""
    clips = listed(root, layout)
    cut, empty, text, head, gone = (clip.path for clip in clips[:5])
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 3 // 4])
    empty.write_bytes(b"")
    text.write_text("<html><body>404 Not Found</body></html>\n")
    head.write_bytes(head.read_bytes()[:30])
    gone.unlink()
    stages = ("decode", "open", "open", "open", "open")
    return dict(zip((clip.id for clip in clips), stages, strict=False))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_broken_pictures_of_each_kind_are_counted(
    layout: str, roots: dict[str, Path], tmp_path: Path
) -> None:
    root = copytree(roots[layout], tmp_path / layout)
    broken = break_pictures(root, layout)
    clips = listed(root, layout, max_missing=1)
    data = corpus(clips, tmp_path, max_unreadable_fraction=0.99)
    samples = [data[number] for number in range(len(clips))]
    assert not {sample.id for sample in samples} & broken.keys()  # others take their places
    found = data.unreadable.read()
    assert {one: record.stage for one, record in found.items()} == broken
    reasons = {record.reason for record in found.values()}
    assert len(reasons) >= 4
    assert any("truncated" in reason for reason in reasons)
    assert "No such file or directory" in reasons


def test_more_broken_pictures_than_may_be_stop_a_training(coco_root: Path, tmp_path: Path) -> None:
    root = copytree(coco_root, tmp_path / "coco")
    break_pictures(root, "coco")
    clips = listed(root, "coco", max_missing=1)
    data = corpus(clips, tmp_path, max_unreadable_fraction=1.5 / len(clips))
    with pytest.raises(TooManyUnreadableError, match=f"2 of {len(clips)} videos cannot be read"):
        [data[number] for number in range(len(clips))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_that_are_not_there_count_as_videos_do(
    layout: str, roots: dict[str, Path], tmp_path: Path
) -> None:
    root = copytree(roots[layout], tmp_path / layout)
    clips = listed(root, layout)
    for clip in clips[:2]:
        clip.path.unlink()
    count = len(clips)
    with pytest.raises(
        ArgumentError,
        match=rf"2 of {count} pictures listed in .* are missing under .*{clips[0].id}.*"
        rf"data check {root} --data ImageCaptions.*max_unreadable_fraction=",
    ):
        listed(root, layout)
    assert listed(root, layout, max_missing=2) == clips
    assert listed(root, layout, max_missing=2 / count) == clips
    for clip in clips[2:]:
        clip.path.unlink()
    with pytest.raises(CorpusNotFoundError, match=r"the pictures listed in .*there are none"):
        listed(root, layout, max_missing=count)


def test_all_of_the_pictures_is_a_share_too(coco_root: Path, tmp_path: Path) -> None:
    root = copytree(coco_root, tmp_path / "coco")
    clips = listed(root, "coco")
    for clip in clips[:-1]:
        clip.path.unlink()
    with pytest.raises(
        ArgumentError, match=r"pass --data\.init_args\.max_unreadable_fraction=0\.88 "
    ):
        listed(root, "coco", max_missing=0.01)
    assert listed(root, "coco", max_missing=1.0) == clips


def test_a_list_and_its_pictures_may_be_relative_and_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").touch()
    absent = tmp_path / "absent.jpg"
    table = tmp_path / "list.csv"
    table.write_text(f"filepath\ttitle\na.jpg\tan apple\n{absent}\ta pear\nalso.jpg\ta fig\n")
    with pytest.raises(ArgumentError, match=r"2 of 3 pictures listed in .* are missing under /"):
        read_image_captions(table, pictures=Path())
    assert len(read_image_captions(table, pictures=Path(), max_missing=2)) == 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_check_compares_with_what_is_listed(
    layout: str, roots: dict[str, Path], tmp_path: Path
) -> None:
    root = copytree(roots[layout], tmp_path / layout)
    whole = check_corpus(ImageCaptions.expectations(root), workers=1, time_budget=None)
    count = len(listed(root, layout))
    assert (whole.corpus, whole.expected, whole.coverage) == ("ImageCaptions", count, 100)
    broken = break_pictures(root, layout)
    report = check_corpus(
        ImageCaptions.expectations(root), workers=1, time_budget=None, decode=True
    )
    assert [record.id for record in report.unreadable] == list(broken)[:4]
    assert report.missing == list(broken)[4:]
    assert len(report.usable) == count - 5
    assert not report.lost


def test_what_has_no_caption_that_can_be_used_stays_in_the_denominator(
    img2dataset_root: Path, tmp_path: Path
) -> None:
    root = copytree(img2dataset_root, tmp_path / "own")
    texts = sorted(root.glob("[0-9]*/*.txt"))
    texts[0].write_bytes(NO_TEXT)
    texts[1].write_text(" ")
    report = check_corpus(ImageCaptions.expectations(root), workers=1, time_budget=None)
    assert (report.expected, len(report.usable)) == (len(texts), len(texts) - 2)
    assert list(report.damaged_captions) == [texts[0].stem]
    assert "cannot be read as a caption" in report.damaged_captions[texts[0].stem]
    assert report.videos_without_captions == [texts[1].stem]


def test_urls_of_one_crc32_stay_in_the_denominator(tmp_path: Path) -> None:
    rows = "".join(f"{url}\ta caption\n" for url in (*TWINS, URLS[0]))
    (tmp_path / "cc12m.tsv").write_text(rows)
    expected = ImageCaptions.expectations(tmp_path)
    assert expected.listed == [name(TWINS[0]), name(URLS[0])]
    assert expected.captions == [name(URLS[0])]
    assert list(expected.damaged or {}) == [name(TWINS[0])]


def test_a_picture_with_one_caption_that_can_be_used_is_fine(tmp_path: Path) -> None:
    listed = tmp_path / "mine.json"
    listed.write_text('[{"image": "a.jpg", "caption": ["", "a dog"]}]')
    expected = ImageCaptions.expectations(tmp_path, listed=listed)
    assert (expected.listed, expected.captions, expected.damaged) == (["a.jpg"], ["a.jpg"], {})


def test_a_check_of_a_list_by_its_name_or_path(
    coco_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copytree(coco_root, tmp_path / "own")
    captions, pictures = LAYOUTS["coco"]
    (root / captions).rename(root / "mine.json")
    (root / pictures).rename(root / "mine")
    monkeypatch.chdir(tmp_path)
    inside = ImageCaptions.expectations(root, listed=Path("mine.json"), videos=Path("mine"))
    path = ImageCaptions.expectations(root, listed=Path("own/mine.json"), videos=Path("own/mine"))
    assert inside.files is not None
    assert len(inside.files) == len(list((root / "mine").iterdir()))
    assert {one: place.resolve() for one, place in inside.files.items()} == {
        one: place.resolve() for one, place in (path.files or {}).items()
    }
    assert check_corpus(inside, workers=1, time_budget=None).coverage == 100


def test_a_check_of_missing_pictures_can_be_run_as_it_is_written(
    coco_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copytree(coco_root, tmp_path / "own")
    captions, pictures = LAYOUTS["coco"]
    (root / captions).rename(root / "mine.json")
    next((root / pictures).iterdir()).unlink()
    with pytest.raises(ArgumentError, match="1 of") as refused:
        read_image_captions(root / "mine.json", pictures=root / pictures)
    command = str(refused.value).partition("`vtlearn ")[2].partition("`")[0].split()
    assert main([*command, "--workers", "1"]) == 0
    assert "  missing                       1\n" in capsys.readouterr().out


def test_a_list_without_captions_says_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"give it as data\.init_args\.annotations"):
        read_image_captions(tmp_path, pictures=tmp_path)
    (tmp_path / "a.csv").touch()
    with pytest.raises(ArgumentError, match=r"a\.csv lists no pictures .*give another list"):
        read_image_captions(tmp_path / "a.csv", pictures=tmp_path)


def test_what_img2dataset_writes_by_default_is_told_from_no_pictures(tmp_path: Path) -> None:
    for made in ("00000.tar", "00000.parquet", "00000_stats.json"):
        (tmp_path / made).touch()
    table = tmp_path / "cc12m.csv"
    table.write_text("url,caption\nhttp://a.org/1.jpg,two apples\n")
    message = r"00000\.tar, .* default: train on them with --data Shards, or download"
    for listed_in in (tmp_path, table):
        with pytest.raises(ArgumentError, match=message):
            read_image_captions(listed_in, pictures=tmp_path)
    with pytest.raises(ArgumentError, match=message):
        ImageCaptions.expectations(tmp_path)


def test_a_check_takes_all_lists_together(
    coco_root: Path, cc_root: Path, img2dataset_root: Path, tmp_path: Path
) -> None:
    root = copytree(coco_root, tmp_path / "all")
    for other in (cc_root, img2dataset_root):
        copytree(other, root, dirs_exist_ok=True)
    listed_ids = ImageCaptions.expectations(root).listed
    assert listed_ids is not None
    assert len(listed_ids) == 4 * len(listed(coco_root, "coco"))


def test_what_is_not_there_is_described(coco_root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CorpusNotFoundError, match=r"annotations/captions_train2017\.json: captions"
    ):
        ImageCaptions.expectations(tmp_path)
    with pytest.raises(CorpusNotFoundError, match=r"a\.json: captions of pictures  \(not there\)"):
        read_image_captions(tmp_path / "a.json", pictures=tmp_path)
    captions = coco_root / LAYOUTS["coco"][0]
    with pytest.raises(CorpusNotFoundError, match=r"nowhere: pictures  \(not there\)"):
        read_image_captions(captions, pictures=tmp_path / "nowhere")
    assert json.loads(captions.read_text())["info"]
    assert read_image_captions(captions, pictures=tmp_path / "nowhere", max_missing=None)
