import pickle
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

from vtlearn import errors
from vtlearn.errors import (
    CorpusNotFoundError,
    LostClipsError,
    MissingPackageError,
    NonFiniteError,
    OutsideCaptionsError,
    TooManyUnreadableError,
    UnreadableVideoError,
    VTLearnError,
)

EXAMPLES = [
    MissingPackageError("numba", "fast", "The CPU kernel"),
    UnreadableVideoError("a.mp4", "no video stream", "decode"),
    LostClipsError("a", [1.0, 2.5]),
    TooManyUnreadableError(4, 300, 0.01, "unreadable.jsonl", 3),
    CorpusNotFoundError("Kitchen", ["videos: mp4 files"], "https://example.org"),
    *(
        getattr(errors, name)("what, where, the way out")
        for name in (
            "ArgumentError",
            "CheckpointError",
            "EvaluationError",
            "FeatureError",
            "MetadataError",
            "NoCaptionsError",
            "ShardError",
            "TranscriptError",
            "VTLearnError",
        )
    ),
    OutsideCaptionsError("a", 3, 0.0, 9.5),
    NonFiniteError("the loss is not finite", 3, "runs/nonfinite.json", 2),
]


class Failing(Dataset[int]):
    def __init__(self, error: VTLearnError) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        raise self.error


def test_every_class_is_tried() -> None:
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__) - {"format_error"}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_pickling_keeps_the_sentence(error: VTLearnError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again)) == (type(error), str(error))


def test_a_loaders_worker_raises_the_same_sentence() -> None:
    for error in (EXAMPLES[1], EXAMPLES[4]):
        loader = DataLoader(Failing(error), num_workers=1)
        with pytest.raises(type(error)) as caught:
            next(iter(loader))
        assert str(caught.value) == str(error)


def test_a_corpus_of_ones_own_is_published_nowhere() -> None:
    assert str(CorpusNotFoundError("A list", ["a.csv"])).endswith("Expected:\n  a.csv")
    assert "publish it at https" in str(EXAMPLES[4])


def test_sentences_name_the_way_out() -> None:
    assert "pip install 'vtlearn[fast]'" in str(EXAMPLES[0])
    assert "more than the 3 that max_unreadable_fraction=0.01 allows" in str(EXAMPLES[3])
    nothing = TooManyUnreadableError(3, 3, 1.0, "unreadable.jsonl", 3)
    assert str(nothing).startswith("none of the 3 videos can be read")
    assert str(Path("videos: mp4 files")) in str(EXAMPLES[4])
