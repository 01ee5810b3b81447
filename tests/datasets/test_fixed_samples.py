from collections.abc import Iterator

import numpy as np
import torch

from vtlearn.batch import Sample
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.fixed_samples import fixed_samples
from vtlearn.datasets.reading import Reading
from vtlearn.errors import LostClipsError, TranscriptError, UnreadableVideoError

DAMAGED = {
    2: UnreadableVideoError("2.mp4", "cut off"),
    5: LostClipsError("5", [0.0]),
    7: TranscriptError("7.srt", "empty"),
}


class Numbers(Corpus):
    """Clips of one frame that hold a random number; three of them cannot be read."""

    def __init__(self, seed: int) -> None:
        super().__init__([str(i) for i in range(10)], Reading(seed=seed))

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        if index in DAMAGED:
            raise DAMAGED[index]
        return Sample.of(str(index), torch.tensor([[rng.random()]]), [0.0], 1.0)

    def texts(self) -> Iterator[str]:
        raise NotImplementedError

    def source(self, index: int) -> str:
        raise NotImplementedError


def read(seed: int) -> list[tuple[str, float]]:
    return [(sample.id, sample.clips.item()) for sample in fixed_samples(Numbers(seed))]


def test_a_seed_gives_one_order_and_one_moment_each() -> None:
    assert read(0) == read(0)
    assert [one for one, _ in read(0)] != [one for one, _ in read(1)]
    assert not {moment for _, moment in read(0)} & {moment for _, moment in read(1)}
    assert len({moment for _, moment in read(0)}) == 7


def test_what_cannot_be_read_is_skipped_and_not_noted() -> None:
    corpus = Numbers(0)
    assert {sample.id for sample in fixed_samples(corpus)} == set("0134689")
    assert not any(one in corpus.unreadable for one in corpus.ids)
