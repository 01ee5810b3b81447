from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.sequences import SequenceProtocol

SEQUENCES = {"v": ["v0", "v1"], "vv": ["vv0"], "w": ["b", "a", "c"]}


class Lengths(SequenceProtocol):
    """Counts the items of each complete video."""

    primary = "length"

    def update(self, item: EncodedItem) -> str:
        return item.id.upper()

    def compute(self, kept: Mapping[str, str]) -> Result:
        videos = self.by_video(kept)
        lengths = np.array([float(len(items)) for items in videos.values()])
        return self.summarize({"length": lengths}, self.items_of(videos))


def protocol(sequences: Mapping[str, Sequence[str]] = SEQUENCES, **changes: Any) -> Lengths:
    lengths = Lengths("lengths", 1, sequences, windows="one", **changes)
    lengths.begin()
    return lengths


def test_what_was_kept_is_put_together_in_the_order_of_each_video() -> None:
    kept = {item: item.upper() for item in sorted(protocol().expected)}
    assert protocol().by_video(kept) == {"v": ["V0", "V1"], "vv": ["VV0"], "w": ["B", "A", "C"]}
    assert protocol().expected == ["v0", "v1", "vv0", "b", "a", "c"]


def test_a_video_that_lacks_an_item_is_not_scored_and_its_others_not_counted() -> None:
    lengths = protocol()
    for item in ("a", "vv0", "c", "v1", "v0"):
        lengths.add(EncodedItem(item))
    result = lengths.result()
    assert result.metrics == {"length": 1.5}
    assert result.coverage == (3, 6, ["a", "b", "c"])


def test_ids_within_ids_are_others() -> None:
    kept = {"vv0": "VV0", "v0": "V0"}
    assert protocol().by_video(kept) == {"vv": ["VV0"]}
    assert protocol().items_of(["vv"]) == ["vv0"]


def test_without_a_complete_video_there_is_nothing_to_score() -> None:
    lengths = protocol()
    lengths.add(EncodedItem("v1"))
    with pytest.raises(EvaluationError, match="1 of 6 items came, and none of 3 videos"):
        lengths.result()


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ({"v": ["a"], "w": ["b", "a"]}, "'a' is listed for the videos 'v' and 'w'"),
        ({"v": ["a", "b", "a"]}, "'a' is listed for the videos 'v' and 'v'"),
        ({"v": []}, "'v' must have one or more items"),
        ({"v": "a"}, "as a list of ids; it has 'a'"),
    ],
)
def test_sequences_that_contradict_themselves_are_refused(
    sequences: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol(sequences)


def test_choices_that_there_are_not_are_refused() -> None:
    with pytest.raises(ArgumentError, match="neither 'cosine' nor 'dot'"):
        protocol(similarity="l2")
    with pytest.raises(ArgumentError, match="pooling='mean' is none of"):
        protocol(pooling="mean")


def test_vectors_that_no_head_has_embedded_are_compared_as_they_come() -> None:
    assert protocol(pooling="raw").similarity == "dot"
    assert protocol(pooling="raw", similarity="cosine").similarity == "cosine"
    assert protocol().similarity is None
