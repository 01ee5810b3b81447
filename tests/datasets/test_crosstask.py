import logging
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vtlearn.datasets.crosstask import (
    CrossTask,
    StepSpan,
    annotation_files,
    draw_training,
    read_crosstask,
    read_segments,
    require_videos,
    step_clips,
)
from vtlearn.errors import ArgumentError, CorpusNotFoundError

CARDS = (
    "23521\nMake Jello Shots\nhttp://x\n3\npour water,pour juice, stir mixture\n\n"
    "113766\nMake Pancakes\nhttp://y\n2\nadd egg,flip\n\n"
)
# the second task is named first; related tasks have no annotation
VIDEOS = {
    "113766": ["_uAZw6L_R5g", "-b_c", "p3", "p4"],
    "23521": ["a1", "a2", "a3"],
    "99": ["related"],
}
VALIDATION = [("113766", "p3"), ("23521", "a3")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tasks_primary.txt").write_text(CARDS)
    (tmp_path / "tasks_related.txt").write_text("99\nRelated\nhttp://z\n1\nwait\n\n")
    rows = [(task, video) for task, videos in VIDEOS.items() for video in videos]
    (tmp_path / "videos.csv").write_text("".join(f"{t},{v},http://{v}\n" for t, v in rows))
    (tmp_path / "videos_val.csv").write_text(
        "".join(f"{t},{v},http://{v}\n" for t, v in VALIDATION)
    )
    (tmp_path / "annotations").mkdir()
    for task, video in rows:
        if task == "99":
            continue
        place = tmp_path / "videos" / task
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{video}.mp4").touch()
        # out of order, the first step twice, the last absent
        (tmp_path / "annotations" / f"{task}_{video}.csv").write_text(
            "2,3.5,5.25\n1,0.5,1.0\n1,9.0,10.0\n"
        )
    return tmp_path


def test_cards_videos_and_steps(root: Path) -> None:
    files = read_crosstask(root)
    assert list(files.tasks) == ["23521", "113766"]
    assert files.tasks["23521"].title == "Make Jello Shots"
    assert files.tasks["23521"].steps == ("pour water", "pour juice", "stir mixture")
    assert [video.id for video in files.videos] == [*VIDEOS["113766"], *VIDEOS["23521"]]
    assert files.validation == {"p3", "a3"}
    first = files.videos[0]
    assert (first.id, first.task, first.path.name) == (
        "_uAZw6L_R5g",
        "113766",
        "_uAZw6L_R5g.mp4",
    )
    assert first.spans == (StepSpan(1, 3.5, 5.25), StepSpan(0, 0.5, 1.0), StepSpan(0, 9.0, 10.0))


def test_the_last_blank_line_may_be_left_out_and_files_lie_deeper(
    root: Path, tmp_path: Path
) -> None:
    expected = read_crosstask(root)
    (root / "tasks_primary.txt").write_text(CARDS.rstrip())
    deeper = tmp_path / "other" / "crosstask_release"
    shutil.copytree(root, deeper, ignore=shutil.ignore_patterns("other"))
    files = read_crosstask(deeper.parent)
    assert files.tasks == expected.tasks
    assert [video.spans for video in files.videos] == [video.spans for video in expected.videos]
    assert all(video.path.is_file() for video in files.videos)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("http://x\n3\n", "http://x\n4\n", r"said to have 4 steps in line 4, and 3 are listed"),
        ("add egg,flip\n\n", "", "from line 7 on, got"),
        ("juice, stir mixture\n\n", "juice, stir mixture\n", "from line 1 on, got"),
        ("Make Jello Shots\n", "\n", "from line 1 on, got"),
    ],
)
def test_a_damaged_card_is_named(root: Path, old: str, new: str, message: str) -> None:
    (root / "tasks_primary.txt").write_text(CARDS.replace(old, new))
    with pytest.raises(ArgumentError, match=message):
        read_crosstask(root)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3,1.0,2.0", r"113766_p4\.csv, line 2: the task 113766 has the steps 1 to 2, and none 3"),
        ("0,1.0,2.0", "the steps 1 to 2, and none 0"),
        ("1.5,1.0,2.0", "the steps 1 to 2, and none 1.5"),
        ("x,1.0,2.0", "line 2: expected a number for step, got 'x'"),
        ("1,3.0,2.0", "line 2: a step from 3 s to 2 s; it must not end before it starts"),
        ("1,3.0", "has 2 cells in line 2"),
        ("1,3.0,nan", "expected a number for end, got 'nan'"),
    ],
)
def test_a_damaged_annotation_is_named(root: Path, row: str, message: str) -> None:
    (root / "annotations" / "113766_p4.csv").write_text(f"1,0.0,1.0\n{row}\n")
    with pytest.raises(ArgumentError, match=message):
        read_crosstask(root)


def test_lists_of_different_corpora_are_refused(root: Path) -> None:
    (root / "videos_val.csv").write_text("113766,p3,u\n23521,stranger,u\n23521,other,u\n")
    with pytest.raises(ArgumentError, match=r"2 of 3 videos of .*first: stranger"):
        read_crosstask(root)
    (root / "videos_val.csv").write_text("113766,p3,u\n")
    with (root / "videos.csv").open("a") as file:
        file.write("113766,p3,u\n")
    with pytest.raises(ArgumentError, match="lists the video p3 twice"):
        read_crosstask(root)


def test_what_is_not_there_is_listed(root: Path) -> None:
    (root / "videos_val.csv").unlink()
    with pytest.raises(CorpusNotFoundError) as caught:
        read_crosstask(root)
    message = str(caught.value)
    assert "videos_val.csv: the validation videos, likewise  (not there)" in message
    assert "github.com/DmZhukov/CrossTask" in message


def test_a_video_without_annotation_is_left_out_aloud(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "annotations" / "113766_p4.csv").unlink()
    with caplog.at_level(logging.WARNING):
        files = read_crosstask(root)
    assert "1 of 7 videos have no annotation" in caplog.text
    assert [video.id for video in files.videos if not video.annotated] == ["p4"]


def published_draw(root: Path, seed: int, count: int) -> set[str]:
    """The rule, line by line, from the files alone."""
    primary = {"23521", "113766"}
    validation = {line.split(",")[1] for line in (root / "videos_val.csv").open()}
    tasks: dict[str, list[str]] = {}
    for line in (root / "videos.csv").open():
        task, video, _ = line.split(",")
        if task in primary and video not in validation:
            tasks.setdefault(task, []).append(video)
    np.random.seed(seed)  # noqa: NPY002 - as the released code draws
    chosen = set()
    for videos in tasks.values():
        if len(videos) > count:
            chosen |= set(np.random.choice(videos, count, replace=False))  # noqa: NPY002
    return chosen


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_draw_is_the_published_one(root: Path, count: int) -> None:
    files = read_crosstask(root)
    draws = {seed: draw_training(files, seed, count) for seed in range(12)}
    assert draws == {seed: published_draw(root, seed, count) for seed in draws}
    # a task with as few videos gives none
    sizes = {1: 2, 2: 2, 3: 0}
    assert {len(draw) for draw in draws.values()} == {sizes[count]}
    assert len(set(draws.values())) > 1 or count == 3


def test_a_missing_file_changes_no_draw(root: Path) -> None:
    before = draw_training(read_crosstask(root), 0, 1)
    (root / "videos" / "113766" / "-b_c.mp4").unlink()
    (root / "annotations" / "113766__uAZw6L_R5g.csv").unlink()
    assert draw_training(read_crosstask(root), 0, 1) == before


@pytest.mark.parametrize(("seed", "count"), [(-1, 3), (0, 0)])
def test_draws_need_sensible_numbers(root: Path, seed: int, count: int) -> None:
    with pytest.raises(ArgumentError, match="split_seed of 0 or more, and train_per_task of 1"):
        draw_training(read_crosstask(root), seed, count)


def test_steps_are_clips(root: Path) -> None:
    files = read_crosstask(root)
    clips = step_clips(files, files.videos[:1])
    assert [(clip.id, clip.start, clip.end, clip.texts) for clip in clips] == [
        ("_uAZw6L_R5g_0", 3.5, 5.25, ("flip",)),
        ("_uAZw6L_R5g_1", 0.5, 1.0, ("add egg",)),
        ("_uAZw6L_R5g_2", 9.0, 10.0, ("add egg",)),
    ]


def test_missing_videos_are_counted(root: Path) -> None:
    (root / "videos" / "113766" / "p4.mp4").unlink()
    files = read_crosstask(root)
    require_videos(root, files, files.videos, 1)
    with pytest.raises(ArgumentError, match=r"1 of 7 videos .*: p4\. .*--data CrossTask"):
        require_videos(root, files, files.videos, 0)


def test_segments_are_grouped_by_task(root: Path) -> None:
    (root / "crosstask.csv").write_text(
        "end,start,task_id,text,video_id\n"
        "69.27,64.13,23521,stir mixture,a1\n"
        "56.12,53.72,113766,add egg,_uAZw6L_R5g\n"
        "59.5,57.0,23521,pour water,a1\n"
    )
    segments = read_segments(root)
    assert {task: [clip.id for clip in own] for task, own in segments.items()} == {
        "23521": ["a1_0", "a1_1"],
        "113766": ["_uAZw6L_R5g_0"],
    }
    clip = segments["23521"][0]
    assert (clip.start, clip.end, clip.texts) == (64.13, 69.27, ("stir mixture",))
    assert clip.path.is_file()


def test_it_reads_what_kitchen_writes_in_this_layout(crosstask_root: Path) -> None:
    files = read_crosstask(crosstask_root)
    assert Counter(video.task for video in files.videos) == dict.fromkeys(files.tasks, 5)
    assert all(video.path.is_file() and video.spans for video in files.videos)
    segments = read_segments(crosstask_root)
    validation = {video.id for video in files.videos if video.id in files.validation}
    assert {clip.video for own in segments.values() for clip in own} == validation
    for task, own in segments.items():
        assert {clip.texts[0] for clip in own} <= set(files.tasks[task].steps)
    assert len(annotation_files(crosstask_root)) == 3 + 10
    expected = CrossTask.expectations(crosstask_root)
    assert expected.listed == [video.id for video in files.videos]
