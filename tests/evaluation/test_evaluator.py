import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.processes import Pool
from vtlearn.batch import EncodedBatch, Own, Unreadable
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.localization import NarrationAlignment
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.retrieval import Retrieval

N = 13
VIDEOS = [f"v{i:02}" for i in range(N)]


class Stub(Protocol):
    """Score how many windows came, and keep what the test asks for."""

    version, primary, windows = 1, "windows", "whole"

    def __init__(self, name: str = "stub", **attributes: Any) -> None:
        self.name = name
        self.expected = VIDEOS
        for attribute, value in attributes.items():
            setattr(self, attribute, value)

    def update(self, item: EncodedItem) -> int:
        return len(item.window_spans)

    def compute(self, kept: Mapping[str, int]) -> Result:
        return self.summarize({"windows": np.array(list(kept.values()), dtype=float)}, kept)


class Fitted(Stub):
    """Compute on one process, and say on which."""

    central = True

    def compute(self, kept: Mapping[str, int]) -> Result:
        result = super().compute(kept)
        result.metrics["rank"] = float(process().rank)
        return result


class Failing(Stub):
    """Fail where it is computed, with an error that pickles or not."""

    central = True
    pickles = True

    def compute(self, kept: Mapping[str, int]) -> Result:
        error = EvaluationError(f"{len(kept)} came on process {process().rank}")
        if not self.pickles:
            error.with_traceback = lambda _: error  # type: ignore[method-assign]
        raise error


def item(
    index: int, windows: Tensor | None = None, start: int = 0, *, texts: bool = True
) -> EncodedItem:
    """Whole: 3 windows and 2 texts of width 5, by the item's number."""
    generator = torch.Generator().manual_seed(index)
    drawn = torch.randn(3, 5, generator=generator)
    named = drawn[:2] + torch.randn(2, 5, generator=generator)
    windows = drawn if windows is None else windows
    starts = torch.arange(start, start + len(windows), dtype=torch.float64)
    return EncodedItem(
        VIDEOS[index],
        windows=windows,
        window_spans=torch.stack([starts, starts + 2], 1),
        texts=named if texts else named[:0],
        text_ids=[f"{VIDEOS[index]}/{i}" for i in range(2)] if texts else [],
    )


def protocols() -> list[Protocol]:
    relevance = {f"{video}/{i}": [video] for video in VIDEOS for i in range(2)}
    truth = {video: {f"{video}/0": (0.0, 1.5), f"{video}/1": (1.5, 3.5)} for video in VIDEOS}
    return [
        Retrieval("pairs", 1, VIDEOS, relevance, windows="whole"),
        NarrationAlignment("steps", 1, truth, windows="whole"),
    ]


def evaluator(*scored_by: Protocol, **changes: Any) -> Evaluator:
    arguments: dict[str, Any] = {"embed": torch.tanh, "similarity": "cosine"}
    one = Evaluator([EvaluationTask(scored_by, [], 4)], **(arguments | changes))
    one.begin()
    return one


def unreadable(index: int, path: str = "") -> Unreadable:
    return Unreadable(VIDEOS[index], path or f"{VIDEOS[index]}.mp4", "open", "no video stream")


def test_one_pass_serves_several_protocols_as_each_by_itself() -> None:
    together = evaluator(*protocols())
    for one in range(0, N, 4):
        together.update(0, [item(index) for index in range(one, min(one + 4, N))])
    alone = [evaluator(protocol) for protocol in protocols()]
    for each in alone:
        for index in reversed(range(N)):
            each.update(0, [item(index)])
    assert together.compute() == [each.compute()[0] for each in alone]
    assert [result.similarity for result in together.compute()] == ["cosine", "cosine"]


def test_tasks_are_kept_apart() -> None:
    one, other = Stub("one"), Stub("other", needs=frozenset({"features"}))
    both = Evaluator(
        [EvaluationTask([one], [], 1), EvaluationTask([other], [], 1)], embed=torch.tanh
    )
    both.begin()
    both.update(0, [item(0)])
    both.update(1, [item(0), item(1)])
    assert [result.coverage.evaluated for result in both.compute()] == [1, 2]
    assert both.needs(0) == {"windows"}
    assert both.needs(1) == {"features"}


def test_needs_are_those_of_all_of_a_tasks_protocols() -> None:
    stubs = [Stub(needs=frozenset(needs)) for needs in ({"match"}, {"frames", "features"})]
    both = evaluator(*stubs, match=torch.mv)
    assert both.needs(0) == {"windows", "match", "frames", "features"}  # logits are of windows


def test_parts_of_a_long_video_are_one_item() -> None:
    windows = torch.randn(7, 5, generator=torch.Generator().manual_seed(5))
    whole, parts = evaluator(*protocols()), evaluator(*protocols())
    whole.update(0, [item(0, windows), item(1)])
    bounds = [0, 3, 6, 7]
    for number, (start, stop) in enumerate(pairwise(bounds)):
        part = item(0, windows[start:stop], start, texts=number == 0)
        between = [item(1)] if number == 1 else []  # another item may come meanwhile
        parts.update(0, [part, *between], [(number, 3), *[(0, 1)] * len(between)])
    assert whole.compute() == parts.compute()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([(1, 3)], "Part 1 of 3 of 'v00' came after 0 of 3"),
        ([(0, 3), (2, 3)], "Part 2 of 3 of 'v00' came after 1 of 3"),
        ([(0, 3), (0, 3)], "Part 0 of 3 of 'v00' came after 1 of 3"),
        ([(0, 3), (1, 2)], "Part 1 of 2 of 'v00' came after 1 of 3"),
    ],
)
def test_parts_out_of_order_are_refused(parts: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluator(Stub()).update(0, [item(0)] * len(parts), parts)


def test_a_missing_part_is_refused_unless_the_pass_was_cut_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cut = evaluator(Stub("one"))
    cut.update(0, [item(1), item(0)], [(0, 1), (0, 3)])
    with pytest.raises(EvaluationError, match=r"1 videos .*: 'v00' came with 1 of its 3 parts"):
        cut.compute()
    with caplog.at_level(logging.WARNING):
        [result] = cut.compute(partial=True)
    assert result.coverage.evaluated == 1
    assert "not scored: 'v00' came with 1 of its 3 parts" in caplog.text


def test_a_protocol_without_an_item_has_no_result_where_the_pass_was_cut_short() -> None:
    cut = evaluator(Stub("one"), Fitted("two"))
    with pytest.raises(EvaluationError, match="one has nothing to score"):
        cut.compute()
    assert cut.compute(partial=True) == []


def test_unreadable_videos_are_counted_by_path_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = evaluator(Stub(), max_unreadable=2)
    one.update(0, [item(0)], unreadable=[unreadable(1), unreadable(2, "v01.mp4")])
    one.update(0, [], [], [unreadable(3)])
    with caplog.at_level(logging.WARNING):
        assert one.compute()[0].coverage.evaluated == 1
        one.compute()
    assert [record.getMessage() for record in caplog.records] == [
        "not scored: v01.mp4 cannot be read: no video stream",
        "not scored: v03.mp4 cannot be read: no video stream",
    ]
    message = r"3 videos cannot be read, and max_unreadable=2:\n  v01(.*\n){3}Fix.*data\.init_args"
    with pytest.raises(EvaluationError, match=message):
        one.update(0, [], [], [unreadable(4)])


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_long_video_with_an_unreadable_part_is_not_scored(broken: int) -> None:
    one = evaluator(Stub(), max_unreadable=1)
    one.update(0, [item(1)])
    for number in range(3):
        if number == broken:
            one.update(0, [], [], [unreadable(0)])
        else:
            one.update(0, [item(0)], [(number, 3)])
    assert one.compute()[0].coverage.missing[0] == "v00"


def test_beginning_again_forgets_everything() -> None:
    one = evaluator(Stub(), max_unreadable=1)
    one.update(0, [item(0), item(1)], [(0, 1), (0, 2)], [unreadable(2)])
    one.begin()
    one.update(0, [item(2)], unreadable=[unreadable(3)])
    assert one.compute()[0].coverage.evaluated == 1


def test_nothing_is_differentiated() -> None:
    class Keeping(Stub):
        def update(self, item: EncodedItem) -> int:
            assert not item.clip("head").requires_grad
            return 0

    weight = torch.nn.Parameter(torch.ones(5))
    one = evaluator(Keeping(), embed=lambda vectors: vectors * weight)
    one.update(0, [item(0)])
    assert one.compute()[0].coverage.evaluated == 1


def test_own_texts_are_encoded_in_chunks_before_the_first_item() -> None:
    asked: list[int] = []

    def encode(texts: list[str], max_words: int | None) -> Tensor:
        assert max_words is None
        asked.append(len(texts))
        return torch.tensor([[float(text), 1.0] for text in texts])

    texts = {f"t{i}": str(i) for i in range(600)}
    with_texts, without = Stub("one", texts=texts), Stub("two")
    evaluator(with_texts, without, encode_texts=encode)
    assert asked == [256, 256, 88]
    assert list(with_texts.text_vectors) == list(texts)
    assert with_texts.text_vectors["t599"].tolist() == [599, 1]
    assert with_texts.text_embeddings["t599"].tolist() == pytest.approx([1, np.tanh(1)])
    assert without.text_vectors == {}


def test_each_task_says_how_many_words_are_read() -> None:
    asked: list[int | None] = []

    def encode(texts: list[str], max_words: int | None) -> Tensor:
        asked.append(max_words)
        return torch.ones(len(texts), 2)

    protocols = [Stub(name, texts={"t": "a long text"}) for name in ("one", "two")]
    tasks = [
        EvaluationTask([protocol], [], 1, max_words)
        for protocol, max_words in zip(protocols, (30, None), strict=True)
    ]
    Evaluator(tasks, embed=lambda vectors: vectors, encode_texts=encode).begin()
    assert asked == [30, None]


def written(batch: EncodedBatch) -> list[str]:
    return [f"{i}" for i in range(int(batch.video.length.sum()))]


def test_captions_are_written_for_a_whole_batch() -> None:
    class Captioning(Stub):
        needs = frozenset({"caption"})

        def update(self, item: EncodedItem) -> str:  # type: ignore[override]
            return item.caption if item.id == "v01" else ",".join(item.captions)

        def compute(self, kept: Mapping[str, Any]) -> Result:
            assert kept == {"v00": "0,1", "v01": "2"}
            return self.make_result({}, {}, kept)

    spans = torch.zeros(2, 2, 2, dtype=torch.float64)
    batch = EncodedBatch.of(
        torch.zeros(2, 2, 0),
        torch.zeros(2, 0, 0),
        video_length=torch.tensor([2, 1]),
        clip_spans=spans,
        own=Own(VIDEOS[:2], None, None, None, None, [[], []], [[], []]),
    )
    one = evaluator(Captioning(), embed=None, generate=written)
    one.update_batch(0, batch, [(0, 1), (0, 1)])
    assert one.compute()[0].coverage.evaluated == 2
    short = evaluator(Captioning(), embed=None, generate=lambda batch: written(batch)[:2])
    with pytest.raises(EvaluationError, match="3 clips were given 2 captions"):
        short.update_batch(0, batch, [(0, 1), (0, 1)])


def test_a_batch_and_its_items_are_the_same_thing() -> None:
    items = [item(index) for index in range(N)]
    lengths = [1 + index % 3 for index in range(N)]
    spans = torch.stack([one.window_spans for one in items])
    batch = EncodedBatch.of(
        torch.stack([one.windows for one in items]),
        torch.stack([one.texts for one in items]),
        video_length=torch.tensor(lengths),
        clip_spans=spans,
        own=Own(VIDEOS, None, None, None, None, [[]] * N, [one.text_ids for one in items]),
    )
    one, other = evaluator(*protocols()), evaluator(*protocols())
    one.update_batch(0, batch, [(0, 1)] * N)
    other.update(
        0, [item(index, items[index].windows[:length]) for index, length in enumerate(lengths)]
    )
    assert one.compute() == other.compute()


@pytest.mark.parametrize(
    ("attributes", "functions", "message"),
    [
        ({}, {"embed": None}, r"needs embedded vectors, and Tiny does not embed.*model\.head"),
        ({"needs": frozenset({"frames"})}, {"embed": None}, "needs embedded vectors, and Tiny"),
        (
            {"needs": frozenset({"match"})},
            {},
            r"needs match, and Tiny gives no .*model\.head",
        ),
        (
            {"needs": frozenset({"caption"})},
            {},
            r"needs caption, and Tiny does not write: choose a model\.head .*task=retrieval$",
        ),
        ({"texts": {"a": "chop"}}, {}, r"needs texts, .*no text encoder beside Tiny: set model\."),
        (
            {"needs": frozenset({"frames"})},
            {"frame_vectors": False},
            r"needs frames, and the video encoder has no.*model\.video_encoder",
        ),
        (
            {"needs": frozenset({"features"})},
            {"tokens": False},
            r"needs features, and the video encoder gives no.*model\.video_encoder",
        ),
        ({"needs": frozenset({"pixels"})}, {}, r"needs \['pixels'\]; it may need \['caption'"),
    ],
)
def test_what_the_model_cannot_give_is_refused_before_data_are_read(
    attributes: dict[str, Any], functions: dict[str, Any], message: str
) -> None:
    task = EvaluationTask([Stub("stub", **attributes)], None, 1)
    arguments: dict[str, Any] = {"embed": torch.tanh, "head": "Tiny"} | functions
    with pytest.raises(ArgumentError, match=rf"^Stub \(stub@1\) {message}"):
        Evaluator([task], **arguments)


@pytest.mark.parametrize(
    "attributes",
    [{"pooling": "raw"}, {"pooling": "unit"}, {"needs": frozenset({"features"})}],
)
def test_raw_vectors_need_no_embedding(attributes: dict[str, Any]) -> None:
    one = evaluator(Stub("stub", **attributes), embed=None)
    one.update(0, [item(0)])
    assert one.compute()[0].metrics == {"windows": 3}


def scored(indices: Sequence[int]) -> list[Result]:
    one = evaluator(*protocols(), Fitted("fitted"))
    for index in indices:
        if index == 4:  # in two parts
            windows = item(4).windows
            one.update(0, [item(4, windows[:2])], [(0, 2)])
            one.update(0, [item(4, windows[2:], 2, texts=False)], [(1, 2)])
        else:
            one.update(0, [item(index)])
    return one.compute()


def dealt(world: int) -> list[Result]:
    return scored(range(process().rank, N, world))


@pytest.mark.ddp
def test_two_processes_give_the_results_of_one(two_processes: Pool) -> None:
    alone = scored(range(N))
    assert [result.protocol for result in alone] == ["pairs", "steps", "fitted"]
    assert alone[2].metrics == {"windows": 3, "rank": 0}
    for results in two_processes.run(dealt, 2):
        assert results == alone


@pytest.mark.ddp
def test_a_process_may_have_no_item(two_processes: Pool) -> None:
    for results in two_processes.run(dealt, N):
        assert [result.coverage.evaluated for result in results] == [2, 2, 2]


def failure(act: Callable[[], Any]) -> str:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is, it should be seen
        return f"{type(error).__name__}: {error}"
    return "none"


def fail_centrally(pickles: bool) -> tuple[str, list[Result]]:
    one = evaluator(Failing(pickles=pickles))
    one.update(0, [item(process().rank)])
    return failure(one.compute), dealt(2)


@pytest.mark.ddp
@pytest.mark.parametrize("pickles", [True, False])
def test_a_failure_on_one_process_is_raised_on_all_and_leaves_none_waiting(
    two_processes: Pool, pickles: bool
) -> None:
    alone = scored(range(N))
    for told, results in two_processes.run(fail_centrally, pickles):
        assert told.endswith("EvaluationError: 2 came on process 0")
        assert results == alone


def miss(what: str) -> str:
    one = evaluator(Stub(), max_unreadable=1)
    rank = process().rank
    records = [unreadable(rank)] if what == "video" else []
    last = (0, 2) if what == "part" and rank == 1 else (0, 1)
    one.update(0, [item(2 + rank)], [last], records)
    return failure(one.compute)


@pytest.mark.ddp
@pytest.mark.parametrize(
    ("what", "message"),
    [("video", "2 videos cannot be read"), ("part", "'v03' came with 1 of its 2 parts")],
)
def test_what_is_missing_on_one_process_is_raised_on_all(
    two_processes: Pool, what: str, message: str
) -> None:
    for told in two_processes.run(miss, what):
        assert message in told
