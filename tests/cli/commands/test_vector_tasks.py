import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.media.features.stores import fill_store
from tests.models import LOADING
from vtlearn.cli.commands.vector_tasks import load_data, pairs_task, vector_tasks
from vtlearn.datamodules import MSRVTT, UCF101, CrossTask, Episodes, Kitchen
from vtlearn.datamodules.benchmark import BenchmarkData
from vtlearn.datasets import ClipSampling
from vtlearn.errors import ArgumentError
from vtlearn.kitchen import read_truth


def test_the_data_are_a_file_a_part_of_one_a_shipped_one_or_a_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.yaml").write_text("class_path: MSRVTT\ninit_args: {root: here}\n")
    Path("whole.yml").write_text("model: {}\ndata: {class_path: MSRVTT, init_args: {root: here}}\n")
    Path("short.yaml").write_text("data: Kitchen\n")
    for file in ("data.yaml", "whole.yml"):
        data = load_data(file)
        assert isinstance(data, MSRVTT)
        assert data.root == Path("here")
    shipped = load_data("configs/data/kitchen/msrvtt.yaml")
    assert isinstance(shipped, MSRVTT)
    assert shipped.reading.sampling == ClipSampling(fps=4.0)
    assert isinstance(load_data("short.yaml"), Kitchen)
    assert isinstance(load_data("Kitchen"), Kitchen)


def test_settings_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("class_path: MSRVTT\ninit_args: {root: here, windows: 3}\n")
    data = load_data(str(path), ["root=there", "sampling.num_frames=8", "split=full"])
    assert isinstance(data, MSRVTT)
    assert (data.root, data.windows, data.train_split) == (Path("there"), 3, "full-train")
    assert data.reading.sampling.num_frames == 8
    with pytest.raises(ArgumentError, match="--set: expected NAME=VALUE, got 'root'"):
        load_data(str(path), ["root"])


@pytest.mark.parametrize("name", ["msrvtt", "kitchen/msrvtt", "youcook2", "msvd", "vatex"])
def test_of_a_shipped_file_the_task_is_enough_to_score_captions(name: str) -> None:
    data = load_data(f"configs/data/{name}.yaml", ["task=captioning"])
    assert isinstance(data, BenchmarkData)
    assert data.writes
    assert data.reading.sampling.whole


def test_msrvtts_split_follows_the_task() -> None:
    for settings, split in (([], "1kA-9k"), (["task=captioning"], "full-train")):
        data = load_data("configs/data/msrvtt.yaml", settings)
        assert isinstance(data, MSRVTT)
        assert data.train_split == split


def test_a_clip_is_one_vector_whatever_its_windows(msrvtt_root: Path, tmp_path: Path) -> None:
    data = MSRVTT(msrvtt_root, windows=3, unreadable_log=tmp_path / "u.jsonl")
    data.list_only()
    (task,) = vector_tasks(data, "test")
    assert len(task.items) == 16
    for item in task.items:
        assert item.vector_ids == [item.id]
        ((start, end),) = item.spans
        assert start == 0.0
        assert math.isnan(end)
        assert (Path(item.path).stem, len(item.texts)) == (item.id, 1)
    assert vector_tasks(data, "validate") == []


def test_a_video_of_an_action_is_one_vector(ucf101_root: Path) -> None:
    data = UCF101(ucf101_root, protocols=["zeroshot"])
    data.list_only()
    (task,) = vector_tasks(data, "test")
    assert [protocol.name for protocol in task.protocols] == ["ucf101-zeroshot"]
    assert len(task.items) == 24
    for item in task.items:
        ((start, end),) = item.spans
        assert (item.vector_ids, item.texts, start) == ([item.id], {}, 0.0)
        assert math.isnan(end)


def test_a_video_has_a_vector_for_each_window(kitchen_root: Path, small: dict[str, Any]) -> None:
    data = Kitchen(kitchen_root, **LOADING, **small)
    clips, videos = vector_tasks(data, "validate")
    assert all(len(item.spans) == 1 for item in clips.items)
    for item in videos.items:
        assert item.vector_ids == [f"{item.id}@{k}" for k in range(len(item.spans))]
        assert item.spans == [(float(k), k + 0.5) for k in range(len(item.spans))]
        assert len(item.spans) > 1


def test_windows_spread_over_a_whole_video_have_a_vector_each(tmp_path: Path) -> None:
    rows = [f"{n}.mp4,{'ab'[n % 2]},test" for n in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["video_path,label,split", *rows]))
    data = Episodes(tmp_path, ways=2, test_shots=[1], windows=3)
    data.list_only()
    (task,) = vector_tasks(data, "test")
    assert [item.id for item in task.items] == ["0", "1", "2", "3"]
    for item in task.items:
        assert item.vector_ids == [f"{item.id}@{k}" for k in range(3)]
        assert all(math.isnan(second) for span in item.spans for second in span)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,video\na,v\n", "pairs.csv has no column item; its columns are"),
        ("text,item\n", "pairs.csv has no pairs"),
        ("text,item\na,v\nb,v\na,v\n", "pairs.csv has the pair a,v again in line 4; remove one"),
        ("text,item\na,\n", "pairs.csv has no item in line 2"),
    ],
)
def test_pairs_that_make_no_sense(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=words):
        pairs_task(path)


def test_pairs_are_many_to_many(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("item,text,more\nv,a,1\nw,a,2\nw,b,3\n")
    task = pairs_task(path)
    assert {item.id: list(item.texts) for item in task.items} == {"v": ["a"], "w": ["a", "b"]}
    annotations = task.protocols[0].annotations
    assert annotations is not None
    assert annotations.published is None


def test_windows_of_videos_that_are_not_there_are_not_guessed(
    crosstask_root: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(crosstask_root, tmp_path / "copy"))
    data = CrossTask(root, **LOADING, train_per_task=2, unreadable_log=tmp_path / "u.jsonl")
    data.list_only()
    (recall, names) = vector_tasks(data, "test")
    assert all(len(item.spans) > 1 for item in recall.items)
    assert all(len(item.spans) == 1 and not item.texts for item in names.items)
    for path in [Path(item.path) for item in recall.items][:3]:
        path.unlink()
    with pytest.raises(ArgumentError, match=r"3 of 4 videos are not there \(first: .*\.mp4\)"):
        vector_tasks(data, "test")


def test_windows_of_features_last_as_long_as_their_vectors(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    truth = read_truth(kitchen_root)
    fill_store(tmp_path, {video: one.duration for video, one in truth.items()})
    sampling = ClipSampling(num_frames=8)
    data = Kitchen(kitchen_root, sampling=sampling, features=tmp_path, whole_videos=True, **small)
    data.list_only()
    tasks = vector_tasks(data, "test")
    windows = {item.id: item.spans for item in tasks[-1].items}
    for video, spans in windows.items():
        vectors = math.ceil(truth[video.removesuffix(":windows")].duration)
        starts = range(0, vectors - 1, 2)
        assert spans == [(start, min(start + 3, vectors)) for start in starts]
    assert not set(windows) & {item.id for task in tasks[:-1] for item in task.items}
