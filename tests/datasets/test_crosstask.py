import logging
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vtlearn.datasets.crosstask import (
    CrossTask,
    CrossTaskFiles,
    CrossTaskVideo,
    StepSpan,
    Task,
    annotation_files,
    draw_training,
    read_crosstask,
    read_segments,
    require_videos,
    segments_file,
    step_clips,
)
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.media.video.reader import VideoReader

UNDERSCORE, DASH, PLAIN, UNSEEN = "_uAZw6L_R5g", "-bC_d-E_f_G", "rzxVluau83Q", "AAAAAAAAAAA"
CARDS = (
    "23521\nMake Jello Shots\nhttp://www.wikihow.com/Make-Jello-Shots\n"
    "3\npour water,add powder,stir\n\n"
    "113766\nGrill Steak\nhttp://www.wikihow.com/Grill-Steak\n2\nseason steak,flip steak\n\n"
)
#: Tasks in the list's order, which is not the cards'; 99 is a related one.
VIDEOS = [
    ("113766", UNDERSCORE),
    ("99", "related_vid"),
    ("23521", DASH),
    ("113766", PLAIN),
    ("23521", UNSEEN),
]
#: Steps that repeat, miss, and come out of order.
ANNOTATIONS = {
    f"113766_{UNDERSCORE}": "1,33.54,39.94\n2,42.2,46.03\n",
    f"23521_{DASH}": "3,60.5,70\n1,5,9.25\n3,80,82\n",
    f"113766_{PLAIN}": "2,1.0,2.5\n",
    f"23521_{UNSEEN}": "",
}


def list_videos(videos: Sequence[tuple[str, str]]) -> str:
    rows = [f"{task},{video},https://www.youtube.com/watch?v={video}\n" for task, video in videos]
    return "".join(rows)


def write_segments(path: Path) -> None:
    path.write_text(
        "end,start,task_id,text,video_id\n"
        f"46.03,42.2,113766,flip steak,{UNDERSCORE}\n"
        f"70,60.5,23521,stir,{DASH}\n"
        f"39.94,33.54,113766,season steak,{UNDERSCORE}\n"
        f"9.25,5,23521,pour water,{DASH}\n"
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus as its authors published it; its videos are empty files."""
    (tmp_path / "tasks_primary.txt").write_text(CARDS)
    (tmp_path / "videos.csv").write_text(list_videos(VIDEOS))
    (tmp_path / "videos_val.csv").write_text(list_videos(VIDEOS[3:4]))
    (tmp_path / "annotations").mkdir()
    for name, rows in ANNOTATIONS.items():
        (tmp_path / "annotations" / f"{name}.csv").write_text(rows)
    for task, video in VIDEOS:
        path = tmp_path / "videos" / task / f"{video}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_tasks_have_their_steps_in_order(root: Path) -> None:
    assert read_crosstask(root).tasks == {
        "23521": Task("23521", "Make Jello Shots", ("pour water", "add powder", "stir")),
        "113766": Task("113766", "Grill Steak", ("season steak", "flip steak")),
    }


@pytest.mark.parametrize(
    "cards",
    [
        CARDS.rstrip("\n"),
        CARDS.rstrip("\n") + "\n",
        CARDS + "\n\n",
        CARDS.replace("\n", "\r\n"),
        "\ufeff" + CARDS,
        CARDS.replace(",", ", ").replace("\n\n", "\n  \n"),
    ],
)
def test_the_blank_line_after_the_last_card_may_be_left_out(root: Path, cards: str) -> None:
    tasks = read_crosstask(root).tasks
    (root / "tasks_primary.txt").write_bytes(cards.encode())
    assert read_crosstask(root).tasks == tasks


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n3\n", "\n4\n", r"23521 \(Make Jello Shots\) is said to have 4 steps in line 4, and 3"),
        ("\n2\n", "\ntwo\n", "said to have two steps in line 10, and 2"),
        ("\n2\nseason steak,flip steak\n\n", "\n", "blank line from line 7 on"),
        ("stir\n\n", "stir\n", "blank line from line 1 on"),
        ("23521\n", "\n23521\n", "from line 1 on"),
        ("\n3\n", "\n", "from line 1 on"),
        ("water,add powder", "water,,", "line 5: task 23521 has a step without a name"),
        ("113766\n", "23521\n", "two cards of the task 23521"),
    ],
)
def test_a_wrong_card_is_named(root: Path, old: str, new: str, message: str) -> None:
    path = root / "tasks_primary.txt"
    assert old in CARDS
    path.write_text(CARDS.replace(old, new))
    with pytest.raises(ArgumentError, match=message) as caught:
        read_crosstask(root)
    assert str(path) in str(caught.value)


def test_files_that_list_nothing(root: Path) -> None:
    (root / "videos.csv").write_text(list_videos([("99", "related_vid")]))
    with pytest.raises(ArgumentError, match=r"videos.csv lists no video of the tasks of"):
        read_crosstask(root)
    (root / "tasks_primary.txt").write_text("\n")
    with pytest.raises(ArgumentError, match=r"tasks_primary.txt has no task"):
        read_crosstask(root)


def test_videos_of_related_tasks_are_passed_over(root: Path) -> None:
    files = read_crosstask(root)
    assert [(video.task, video.id) for video in files.videos] == [VIDEOS[0], *VIDEOS[2:]]
    assert files.validation == {PLAIN}
    assert files.listed == root / "videos.csv"
    assert [video.path for video in files.videos] == [
        root / "videos" / video.task / f"{video.id}.mp4" for video in files.videos
    ]


def test_steps_repeat_are_absent_and_come_out_of_order(root: Path) -> None:
    spans = {video.id: video.spans for video in read_crosstask(root).videos}
    assert spans == {
        UNDERSCORE: (StepSpan(0, 33.54, 39.94), StepSpan(1, 42.2, 46.03)),
        DASH: (StepSpan(2, 60.5, 70.0), StepSpan(0, 5.0, 9.25), StepSpan(2, 80.0, 82.0)),
        PLAIN: (StepSpan(1, 1.0, 2.5),),
        UNSEEN: (),
    }
    assert all(video.annotated for video in read_crosstask(root).videos)


def test_missing_files_are_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "annotations" / f"23521_{DASH}.csv").unlink()
    (root / "videos" / "113766" / f"{UNDERSCORE}.mp4").unlink()
    with caplog.at_level(logging.WARNING):
        files = read_crosstask(root)
    videos = {video.id: video for video in files.videos}
    assert len(videos) == 4
    assert not videos[DASH].annotated
    assert not videos[UNDERSCORE].path.exists()
    assert f"1 of 4 videos have no annotation in {root / 'annotations'}" in caplog.text
    assert f"first: {DASH}" in caplog.text
    expected = CrossTask.expectations(root)
    assert expected.listed == [UNDERSCORE, DASH, PLAIN, UNSEEN]
    assert expected.captions == [UNDERSCORE, PLAIN, UNSEEN]


def test_annotations_of_no_listed_video(root: Path) -> None:
    for path in (root / "annotations").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(ArgumentError, match=r"has no annotation of the 4 videos of .*videos\.csv"):
        read_crosstask(root)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,1,2", "the task 113766 has the steps 1 to 2, and none 0"),
        ("3,1,2", "the task 113766 has the steps 1 to 2, and none 3"),
        ("1.5,1,2", "and none 1.5"),
        ("one,1,2", "expected a number for step, got 'one'"),
        ("1,2.5,2", "a step from 2.5 s to 2 s; it must not end before it starts"),
        ("1,-1,2", "a step from -1 s to 2 s"),
        ("1,1,inf", "expected a number for end, got 'inf'"),
        ("1,1", "has 2 cells in line 2, and should have 3: step, start, end"),
        ("1,1,2,3", "has 4 cells in line 2, and should have 3"),
        ("1,,2", "has no start in line 2"),
    ],
)
def test_a_wrong_annotation_is_named(root: Path, row: str, message: str) -> None:
    path = root / "annotations" / f"113766_{UNDERSCORE}.csv"
    path.write_text(f"1,33.54,39.94\n{row}\n")
    with pytest.raises(ArgumentError, match=message) as caught:
        read_crosstask(root)
    assert str(path) in str(caught.value)
    assert "line 2" in str(caught.value)


def test_validation_videos_that_are_not_listed(root: Path) -> None:
    rows = [VIDEOS[3], ("23521", "stranger_01"), ("113766", "stranger_02"), ("7", "of_no_task")]
    (root / "videos_val.csv").write_text(list_videos(rows))
    with pytest.raises(ArgumentError) as caught:
        read_crosstask(root)
    assert str(caught.value) == (
        f"3 of 4 videos of {root / 'videos_val.csv'} are not in {root / 'videos.csv'} (first: "
        "stranger_01 of task 23521); they belong to different corpora: download both again"
    )


def test_a_video_of_two_tasks_is_a_video_of_each(root: Path) -> None:
    before = {video.id: video for video in read_crosstask(root).videos}
    twice = [*VIDEOS, ("23521", UNDERSCORE), VIDEOS[0]]  # the last is the same row again
    (root / "videos.csv").write_text(list_videos(twice))
    (root / "annotations" / f"23521_{UNDERSCORE}.csv").write_text("3,1.0,2.0\n")
    files = read_crosstask(root)
    ids = [video.id for video in files.videos]
    assert ids == [f"113766_{UNDERSCORE}", DASH, PLAIN, UNSEEN, f"23521_{UNDERSCORE}"]
    first, last = files.videos[0], files.videos[-1]
    assert first.spans == before[UNDERSCORE].spans
    assert (last.task, last.video, last.spans) == ("23521", UNDERSCORE, (StepSpan(2, 1.0, 2.0),))
    assert first.path == last.path
    assert {clip.video for clip in step_clips(files, [last])} == {UNDERSCORE}
    expected = CrossTask.expectations(root)
    assert expected.listed == [UNDERSCORE, DASH, PLAIN, UNSEEN]


def test_the_release_may_be_a_folder_of_its_own(root: Path, tmp_path: Path) -> None:
    files = read_crosstask(root)
    release = tmp_path / "crosstask_release"
    release.mkdir()
    for name in ("tasks_primary.txt", "videos.csv", "videos_val.csv", "annotations"):
        (root / name).rename(release / name)
    write_segments(release / "crosstask.csv")
    moved = read_crosstask(root)
    assert moved == replace(files, listed=release / "videos.csv")
    assert annotation_files(root) == [
        *(release / name for name in ("tasks_primary.txt", "videos.csv", "videos_val.csv")),
        *sorted((release / "annotations").iterdir()),
    ]
    assert segments_file(root) == release / "crosstask.csv"
    assert read_crosstask(release, videos=root / "videos") == moved


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_crosstask(tmp_path / "crosstask")
    for part in (
        "tasks_primary.txt: the primary tasks",
        "videos.csv: all videos: task,video,url",
        "videos_val.csv",
        "<task>_<video>.csv",
        "https://github.com/DmZhukov/CrossTask",
        "vtlearn data kitchen --layout crosstask",
    ):
        assert part in str(caught.value)
    with pytest.raises(CorpusNotFoundError, match=r"crosstask\.csv: segments"):
        read_segments(tmp_path)


def test_missing_videos_are_counted(root: Path) -> None:
    files = read_crosstask(root)
    (root / "videos" / "23521" / f"{DASH}.mp4").unlink()
    files = read_crosstask(root)
    paths = {video.video: video.path for video in files.videos}
    with pytest.raises(ArgumentError) as caught:
        require_videos(root, files.listed, paths, 0)
    assert str(caught.value) == (
        f"1 of 4 videos listed in {root / 'videos.csv'} are missing under {root}: {DASH}. Download "
        f"them (`vtlearn data check {root} --data CrossTask` lists all), or pass "
        "--data.init_args.max_unreadable=1 (in training, "
        "--data.init_args.max_unreadable_fraction=0.25) to continue without them"
    )
    require_videos(root, files.listed, paths, 1)
    require_videos(root, files.listed, {PLAIN: paths[PLAIN]}, 0)
    shutil.rmtree(root / "videos")
    with pytest.raises(CorpusNotFoundError, match="there are none"):
        require_videos(root, files.listed, paths, 4)


def test_steps_are_clips(root: Path) -> None:
    files = read_crosstask(root)
    clips = step_clips(files, [files.videos[1], files.videos[3], files.videos[2]])
    path = root / "videos" / "23521" / f"{DASH}.mp4"
    assert [(one.id, one.video, one.path, one.start, one.end, one.texts) for one in clips[:3]] == [
        (f"{DASH}_0", DASH, path, 60.5, 70.0, ("stir",)),
        (f"{DASH}_1", DASH, path, 5.0, 9.25, ("pour water",)),
        (f"{DASH}_2", DASH, path, 80.0, 82.0, ("stir",)),
    ]
    assert [one.id for one in clips[3:]] == [f"{PLAIN}_0"]
    assert all(one.text_ids == (one.id,) for one in clips)


@pytest.mark.parametrize("folder", ["", "crosstask_release", "data"])
def test_segments_are_listed_by_task(root: Path, folder: str) -> None:
    (root / folder).mkdir(exist_ok=True)
    write_segments(root / folder / "crosstask.csv")
    segments = read_segments(root)
    assert {
        task: [(one.id, one.start, one.end, one.texts) for one in clips]
        for task, clips in segments.items()
    } == {
        "113766": [
            (f"{UNDERSCORE}_0", 42.2, 46.03, ("flip steak",)),
            (f"{UNDERSCORE}_1", 33.54, 39.94, ("season steak",)),
        ],
        "23521": [
            (f"{DASH}_0", 60.5, 70.0, ("stir",)),
            (f"{DASH}_1", 5.0, 9.25, ("pour water",)),
        ],
    }
    assert segments["23521"][0].path == root / "videos" / "23521" / f"{DASH}.mp4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column end or start or task_id"),
        ("end,start,task_id,text,video_id\n", "lists no segments"),
        ("end,start,task_id,text,video_id\n1,2,23521,stir,x\n", "line 2: a step from 2 s to 1 s"),
        ("end,start,task_id,text,video_id\n2,1,23521,,x\n", "no text in line 2"),
    ],
)
def test_a_wrong_list_of_segments_is_named(root: Path, content: str, message: str) -> None:
    (root / "crosstask.csv").write_text(content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_segments(root)
    assert str(root / "crosstask.csv") in str(caught.value)


def many(counts: Sequence[int], validation: int = 2) -> CrossTaskFiles:
    """Tasks of so many videos in one list, in which they interleave."""
    rng = random.Random(7)
    ids = [(f"task{k}", f"v{k}_{n:03d}") for k, count in enumerate(counts) for n in range(count)]
    rng.shuffle(ids)
    tasks = {task: Task(task, task, ("a", "b")) for task, _ in sorted(ids)}
    videos = [CrossTaskVideo(video, task, Path(video), (), video) for task, video in ids]
    chosen = [
        video for own in tasks for video in [one for task, one in ids if task == own][:validation]
    ]
    return CrossTaskFiles(tasks, videos, frozenset(chosen), Path("videos.csv"))


def published_draw(files: CrossTaskFiles, seed: int, per_task: int) -> set[str]:
    """The rule of the published code, in plain loops, with numpy's global generator."""
    videos: dict[str, list[str]] = {}
    for video in files.videos:
        if video.task not in videos:
            videos[video.task] = []
        videos[video.task].append(video.id)
    training: set[str] = set()
    state = np.random.get_state()  # noqa: NPY002 - the published code draws from it
    np.random.seed(seed)  # noqa: NPY002 - likewise
    for own in videos.values():
        rest = [one for one in own if one not in files.validation]
        if len(rest) > per_task:
            drawn = np.random.choice(rest, per_task, replace=False)  # noqa: NPY002 - likewise
            for one in drawn:
                training.add(str(one))
    np.random.set_state(state)  # noqa: NPY002 - likewise
    return training


@pytest.mark.parametrize("seed", [0, 1, 19])
@pytest.mark.parametrize("per_task", [1, 5, 30])
def test_the_draw_is_the_published_one(seed: int, per_task: int) -> None:
    files = many([40, 33, 32, 31, 60])
    drawn = draw_training(files, seed, per_task)
    assert drawn == published_draw(files, seed, per_task)
    assert not drawn & files.validation


def test_a_task_with_too_few_videos_gives_none() -> None:
    files = many([12, 7, 8])  # 2 of each are for validation
    drawn = draw_training(files, 0, 5)
    assert {video.partition("_")[0] for video in drawn} == {"v0", "v2"}
    assert len(drawn) == 10
    assert draw_training(files, 0, 12) == frozenset()


def test_another_seed_gives_another_draw() -> None:
    files = many([40, 40])
    draws = {draw_training(files, seed, 5) for seed in range(5)}
    assert len(draws) == 5
    assert draw_training(files, 3, 5) in draws


def test_a_missing_file_changes_no_draw(crosstask_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(crosstask_root, tmp_path / "crosstask"))
    drawn = draw_training(read_crosstask(root), 0, 2)
    assert len(drawn) == 4
    next(path for path in sorted(root.rglob("*.mp4")) if path.stem in drawn).unlink()
    others = [p for p in sorted((root / "annotations").iterdir()) if p.stem[-11:] not in drawn]
    others[0].unlink()
    assert draw_training(read_crosstask(root), 0, 2) == drawn


@pytest.mark.parametrize(("seed", "per_task"), [(-1, 30), (0, 0)])
def test_a_draw_that_makes_no_sense(seed: int, per_task: int) -> None:
    with pytest.raises(ArgumentError, match=rf"split_seed={seed} .*train_per_task={per_task} "):
        draw_training(many([3]), seed, per_task)


def test_it_reads_what_kitchen_writes_in_this_layout(crosstask_root: Path) -> None:
    files = read_crosstask(crosstask_root)
    assert (len(files.tasks), len(files.videos), len(files.validation)) == (2, 10, 2)
    clips = step_clips(files, files.videos)
    assert {clip.video for clip in clips} == {video.id for video in files.videos}
    for clip in clips:
        seconds = VideoReader().probe(clip.path).duration
        assert clip.end is not None
        assert 0 <= clip.start < clip.end <= seconds + 0.01
    asked = [video for video in files.videos if video.id in files.validation]
    segments = read_segments(crosstask_root)
    assert {
        (clip.path, clip.start, clip.end, clip.texts) for own in segments.values() for clip in own
    } == {(clip.path, clip.start, clip.end, clip.texts) for clip in step_clips(files, asked)}
    for task, own in segments.items():
        assert {text for clip in own for text in clip.texts} <= set(files.tasks[task].steps)
