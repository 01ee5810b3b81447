import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.captioning import LetterCaptioner
from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.__main__ import main
from vtlearn.batch import EncodedBatch
from vtlearn.datamodules import MSRVTT, CrossTask, Kitchen, WebVid, YouCook2
from vtlearn.datamodules.benchmark import BenchmarkData
from vtlearn.datamodules.captioning import caption_examples
from vtlearn.datasets.captioned import CaptionedCorpus
from vtlearn.datasets.kitchen import narrated_videos
from vtlearn.datasets.reading import ClipSampling
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.datasets.sampling.windows import WholeSegment
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.caption_lists import read_caption_list, write_caption_list
from vtlearn.evaluation.captioning import Captioning
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.heads import InfoNCE
from vtlearn.kitchen.references import references_of
from vtlearn.learner import VideoTextLearner

Made = Callable[..., Any]


class Guesser(LetterCaptioner):
    """Guesses the food by the letter that it thinks of."""

    @property
    def search(self) -> dict[str, float]:
        return {"beams": 7}

    def generate(self, batch: EncodedBatch) -> list[str]:
        foods = ("carrot", "onion", "cheese", "fish", "apple")
        letters = map(self.letters.index, super().generate(batch))
        return [f"a person fries the {foods[letter % 5]}, slowly" for letter in letters]


def writer() -> VideoTextLearner:
    torch.manual_seed(0)
    return VideoTextLearner(tiny_learner().video_encoder, None, Guesser())


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path, small: dict[str, Any]) -> Made:
    """A tiny datamodule of a class, on its small corpus."""

    def make(kind: type[Kitchen | BenchmarkData], **options: Any) -> Any:
        root: Path = request.getfixturevalue(f"{kind.__name__.lower()}_root")
        if kind is Kitchen:
            options |= small
        log = tmp_path / "unreadable.jsonl"
        arguments = {**LOADING, "task": "captioning", "batch_size": 2, **options}
        return kind(root, unreadable_log=log, **arguments)

    return make


def the_only(tasks: list[EvaluationTask]) -> tuple[EvaluationTask, Captioning]:
    (task,) = tasks
    (protocol,) = task.protocols
    assert isinstance(protocol, Captioning)
    assert [item.id for item in task.items.items] == protocol.expected
    assert all(isinstance(item.starts, WholeSegment) for item in task.items.items)
    return task, protocol


def test_msrvtt_is_scored_on_the_authors_test_clips(made: Made) -> None:
    data: MSRVTT = made(MSRVTT)
    assert data.train_split == "full-train"
    _, protocol = the_only(data.tasks("test"))
    assert (protocol.name, protocol.version, protocol.primary) == ("msrvtt-caption", 1, "CIDEr")
    clips = data.clips("full-test")
    assert protocol.references == {clip.id: list(clip.texts) for clip in clips}
    assert {len(clip.texts) for clip in clips} == {20}
    assert protocol.settings == {"references": 20 * len(clips), "split": "full-test"}
    assert protocol.annotations is not None
    _, validation = the_only(data.tasks("validate"))
    assert validation.name == "msrvtt-caption"
    assert not set(validation.expected) & set(protocol.expected)
    for split in ("1kA-9k", "1kA-7k", "1kB"):
        with pytest.raises(ArgumentError, match=f"split={split} trains on clips .*split=full"):
            made(MSRVTT, split=split)
    assert made(MSRVTT, task="retrieval").train_split == "1kA-9k"


def test_youcook2_is_scored_on_its_validation_segments(made: Made) -> None:
    data: YouCook2 = made(YouCook2)
    task, protocol = the_only(data.tasks("test"))
    assert (protocol.name, protocol.version) == ("youcook2-caption", 1)
    assert protocol.references == {c.id: list(c.texts) for c in data.clips("validation")}
    spans = {clip.id: (clip.start, clip.end) for clip in data.clips("validation")}
    assert {item.id: tuple(item.starts) for item in task.items.items} == spans


def test_kitchen_is_scored_on_the_steps_of_a_split(made: Made, kitchen_root: Path) -> None:
    data: Kitchen = made(Kitchen)
    for stage, split in (("test", "test"), ("validate", "val")):
        task, protocol = the_only(data.tasks(stage))  # type: ignore[arg-type]
        assert (protocol.name, protocol.version) == ("kitchen-caption", 1)
        steps = {
            f"{video.id}:{k}": (step, video.path)
            for video in narrated_videos(kitchen_root, split)
            for k, step in enumerate(video.truth.steps)
        }
        assert protocol.references == {one: references_of(step) for one, (step, _) in steps.items()}
        for item in task.items.items:
            step, path = steps[item.id]
            assert (item.source, tuple(item.starts)) == (path, (step.start, step.end))


def test_kitchen_trains_on_the_steps_of_its_first_videos(made: Made, kitchen_root: Path) -> None:
    whole, some = made(Kitchen).train_dataset(), made(Kitchen, caption_videos=3).train_dataset()
    videos = narrated_videos(kitchen_root, "train")
    for corpus, count in ((whole, 8), (some, 3)):
        assert isinstance(corpus, CaptionedCorpus)
        assert len(corpus) == sum(len(video.truth.steps) for video in videos[:count])
    assert list(some.texts())[:10] == references_of(videos[0].truth.steps[0])
    for options, message in (
        ({"caption_videos": 0}, "caption_videos must be positive"),
        (
            {"caption_videos": 3, "task": "retrieval"},
            "task=captioning, or data.init_args.caption_videos=null",
        ),
        ({"whole_videos": True}, "whole_videos scores retrieval"),
    ):
        with pytest.raises(ArgumentError, match=message):
            made(Kitchen, **options)


@pytest.mark.parametrize("kind", [MSRVTT, YouCook2, Kitchen])
def test_training_takes_whole_clips(kind: type[Any], made: Made) -> None:
    data = made(kind)
    assert data.reading.sampling.whole
    assert data.reading.sampling.num_frames == 2
    assert data.clip_settings()["whole"] is True
    assert not made(kind, task="retrieval").reading.sampling.whole
    overlap = OverlapSampling(num_clips=5, words=(3, 9), seconds=(1, 3))
    floored = ClipSampling(num_frames=2, floor_seconds=True)
    for options, name in (
        ({"overlap": overlap}, "overlap"),
        ({"sampling": floored}, r"sampling\.floor_seconds"),
    ):
        with pytest.raises(ArgumentError, match=f"whole time of each clip, .*leave {name} out"):
            made(kind, **options)
    with pytest.raises(ArgumentError, match="expected task retrieval or captioning, got 'caption'"):
        made(kind, task="caption")


def test_what_has_no_references_or_compares_vectors(made: Made) -> None:
    for kind in (CrossTask, WebVid):
        with pytest.raises(ArgumentError, match=f"{kind.__name__} has no captions that others"):
            made(kind)
    for options in ({"pooling": "raw"}, {"mode": "reference"}):
        with pytest.raises(ArgumentError, match="task=captioning compares none: leave them out"):
            made(YouCook2, **options)


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
def test_a_head_that_writes_is_trained_and_tested(made: Made, tmp_path: Path) -> None:
    data, learner = made(MSRVTT), writer()
    quiet_trainer(tmp_path, limit_train_batches=2).fit(learner, datamodule=data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    (result,) = learner.results
    assert result.coverage.complete
    assert result.similarity == "none"
    clips = result.settings["clips"]
    assert clips == {"num_frames": 2, "size": 16, "whole": True, "crop": "center", "pad": "edge"}
    assert result.settings["beams"] == 7
    (record,) = json.loads((tmp_path / "results.json").read_text())
    assert (record["primary"], record["similarity"]) == ("CIDEr", "none")
    assert record["metrics"]["BLEU-1"] > 0
    captions = read_caption_list(tmp_path / "captions.json")
    assert captions == result.captions
    assert record["captions"]["path"] == str(tmp_path / "captions.json")
    assert list(captions) == sorted(data.tasks("test")[0].protocols[0].expected)


def test_the_task_and_the_head_have_to_fit(made: Made, tmp_path: Path) -> None:
    with pytest.raises(
        ArgumentError,
        match=r"Captioning \(kitchen-caption@1\) needs caption, and InfoNCE does not write: "
        r".* or set data\.init_args\.task=retrieval",
    ):
        quiet_trainer(tmp_path).test(tiny_learner(InfoNCE()), datamodule=made(Kitchen))
    with pytest.raises(
        ArgumentError,
        match=r"Retrieval \(kitchen-retrieval@1\) .*Guesser .* set data\.init_args\.task=captionin",
    ):
        quiet_trainer(tmp_path).test(writer(), datamodule=made(Kitchen, task="retrieval"))


def test_examples_are_the_same_each_time_and_those_that_can_be_read(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made(Kitchen)
    (task,) = data.tasks("validate")
    shown = [sample.id for sample, _ in caption_examples(data, 5)]
    assert len(set(shown)) == 5
    assert shown == [sample.id for sample, _ in caption_examples(made(Kitchen), 5)]
    assert shown != [sample.id for sample, _ in caption_examples(made(Kitchen, seed=1), 5)]
    items = {item.id: item for item in task.items.items}
    broken = items[shown[0]]
    task.items.items[list(items).index(broken.id)] = broken._replace(source=tmp_path / "absent.mp4")
    monkeypatch.setattr(data, "tasks", lambda stage: [task] if stage == "validate" else [])
    assert {sample.id for sample, _ in caption_examples(data, 99)} == items.keys() - {broken.id}
    assert caption_examples(made(Kitchen, task="retrieval"), 5) == []


@pytest.fixture
def kitchen_yaml(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.chdir(tmp_path)
    arguments = {"root": str(kitchen_root), "task": "captioning", **small}
    data = {"class_path": "Kitchen", "init_args": arguments}
    Path("kitchen.yaml").write_text(yaml.safe_dump(data))
    return "kitchen.yaml"


def test_a_list_of_captions_has_the_figures_of_the_model(
    kitchen_yaml: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet_trainer(tmp_path).test(writer(), datamodule=made(Kitchen), verbose=False)
    (tested,) = json.loads(Path("results.json").read_text())
    argv = ["score", "--data", kitchen_yaml, "--captions", "captions.json"]
    assert main([*argv, "--output", "out.json"]) == 0
    (record,) = json.loads(Path("out.json").read_text())
    for key in ("protocol", "metrics", "intervals", "chance", "coverage", "ids_sha256"):
        assert record[key] == tested[key]
    assert (record["captions"]["path"], record["dtype"]) == ("captions.json", None)
    capsys.readouterr()
    captions = read_caption_list("captions.json")
    stranger = captions | {"x": "a cat"}
    some = dict(list(captions.items())[1:])
    write_caption_list("stranger.json", stranger)
    write_caption_list("some.json", some)
    for name, stage, message in (
        ("stranger.json", "test", "ids are unknown to kitchen-caption@1 (first: x); remove them"),
        ("captions.json", "validate", "they are those of --stage test"),
        ("some.json", "test", "have no caption"),
    ):
        assert main(["score", "--data", kitchen_yaml, "--captions", name, "--stage", stage]) == 2
        output = capsys.readouterr()
        assert message in output.err
        assert output.err.splitlines()[-1].startswith("vtlearn: error: ")
    assert main([*argv[:-1], "some.json", "--max-missing", "1"]) == 0
    assert "NOT COMPARABLE" in capsys.readouterr().out
