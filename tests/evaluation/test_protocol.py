import inspect
import pickle
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result, hash_ids


class ZeroShot(Protocol):
    """Classify clips by prompts; ids end in their class. A protocol in the fewest lines."""

    name, version, primary, windows = "zero-shot", 1, "accuracy", "whole"
    texts = {"chop": "a person chops", "stir": "a person stirs"}  # noqa: RUF012 - never changed
    expected = ("v1/chop", "v2/stir", "v3/chop")

    def update(self, item: EncodedItem) -> float:
        prompts = torch.stack(list(self.text_embeddings.values()))
        best = self.compare(item.clip(self.pooling)[None], prompts).argmax()
        return 100.0 * (list(self.texts)[best] == item.id.split("/")[1])

    def compute(self, kept: Mapping[str, float]) -> Result:
        return self.summarize({"accuracy": np.array(list(kept.values()))}, kept)


CHOP, STIR = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0])
PROMPTS = {"chop": CHOP, "stir": STIR}


def item(item_id: str, vector: Tensor) -> EncodedItem:
    return EncodedItem(item_id, windows=vector[None])


def begun(**changes: object) -> ZeroShot:
    protocol = ZeroShot()
    for name, value in changes.items():
        setattr(protocol, name, value)
    protocol.begin("cosine", PROMPTS)
    return protocol


def scored() -> ZeroShot:
    protocol = begun()
    protocol.add(item("v3/chop", STIR))
    protocol.add(item("v1/chop", CHOP))
    protocol.add(item("v2/stir", STIR))
    return protocol


def test_a_new_protocol_takes_ten_lines() -> None:
    lines = [line for line in inspect.getsource(ZeroShot).splitlines() if line.strip()]
    assert len(lines) - 1 == 10  # less the docstring
    result = scored().result()
    assert result.metrics == {"accuracy": pytest.approx(200 / 3)}
    assert (result.protocol, result.version, result.mode) == ("zero-shot", 1, "exact")
    assert result.coverage == (3, 3, [])


def test_what_was_kept_is_sorted_by_id() -> None:
    class Order(ZeroShot):
        def compute(self, kept: Mapping[str, float]) -> Result:
            return self.make_result({"accuracy": 0.0}, {"accuracy": (0.0, 0.0)}, list(kept)[:1])

    protocol = Order()
    protocol.begin("dot", PROMPTS)
    for one in ("v2/stir", "v1/chop"):
        protocol.add(item(one, CHOP))
    assert protocol.result().coverage.missing == ["v2/stir", "v3/chop"]


def test_similarity_is_the_protocols_own_or_else_the_heads() -> None:
    longer = torch.tensor([[3.0, 4.0]])
    for own, head, value in (
        (None, "dot", 6.0),
        (None, "cosine", 0.6),
        ("dot", "cosine", 6.0),
        ("cosine", "dot", 0.6),
    ):
        protocol = begun(similarity=own)
        protocol.begin(head, PROMPTS)  # type: ignore[arg-type]
        assert protocol.compare(longer, CHOP[None]).item() == pytest.approx(value)
        assert protocol.similarity == own  # what it says stays
        assert protocol.make_result({}, {}, []).similarity == (own or head)


def test_vectors_of_different_widths_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"zero-shot cannot compare .* width 2 .* width 3;"):
        begun().compare(CHOP[None], torch.ones(1, 3))


def test_a_protocol_that_compares_nothing_says_so() -> None:
    protocol = begun(similarity="none")
    result = protocol.make_result({}, {}, [])
    assert (result.similarity, "pooling" in result.settings) == ("none", False)
    assert begun().make_result({}, {}, []).settings["pooling"] == "head"
    assert protocol.left_out() == ()
    with pytest.raises(ArgumentError, match="zero-shot has similarity='none'"):
        protocol.compare(CHOP[None], STIR[None])


def test_its_own_texts_are_raw_and_as_its_pooling_has_them() -> None:
    protocol = ZeroShot()
    for pooling, chop in (("head", [3.0, 1.0]), ("raw", [2.0, 0.0]), ("unit", [1.0, 0.0])):
        protocol.pooling = pooling  # type: ignore[assignment]
        protocol.begin("dot", PROMPTS, lambda vectors: vectors + 1)
        assert protocol.text_vectors["chop"].tolist() == [2, 0]
        assert protocol.text_embeddings["chop"].tolist() == chop


def test_a_text_without_a_vector_is_refused() -> None:
    with pytest.raises(ArgumentError, match="needs the vectors of its texts; 'stir' has none"):
        ZeroShot().begin("dot", {"chop": CHOP})


def test_unexpected_and_repeated_ids_are_refused() -> None:
    protocol = scored()
    with pytest.raises(EvaluationError, match="video id 'x' is not one of the 3 that zero-shot"):
        protocol.add(item("x", CHOP))
    with pytest.raises(EvaluationError, match=r"'v2/stir' came twice.*use_distributed_sampler"):
        protocol.add(item("v2/stir", CHOP))
    assert protocol.result() == scored().result()


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(EvaluationError, match="zero-shot has nothing to score: 0 of 3 videos"):
        begun().result()


def test_a_protocol_begins_first_and_forgets_when_it_begins_again() -> None:
    with pytest.raises(ArgumentError, match="has not begun"):
        ZeroShot().add(item("v1/chop", CHOP))
    protocol = scored()
    protocol.begin("cosine", PROMPTS)
    assert protocol.state() == {}


def test_two_of_a_kind_share_nothing() -> None:
    one, other = scored(), begun()
    other.add(item("v1/chop", CHOP))
    assert len(one.state()) == 3
    assert len(other.state()) == 1


def test_merging_takes_an_id_once_in_any_order() -> None:
    whole = scored()
    states = [pickle.loads(pickle.dumps(whole.state())), {"v1/chop": 0.0}]  # noqa: S301 - our own
    one, other = (begun().merge(order) for order in (states, states[::-1]))
    assert one.state() == other.state()
    assert one.result() == other.result()
    assert len(one.state()) == 3
    merged = begun().merge([{}, whole.state(), whole.state()])
    assert merged.result() == whole.result()
    assert merged.state() is not whole.state()


def test_of_two_tensors_the_same_is_kept_in_either_order() -> None:
    states = [{"v1/chop": torch.tensor([1.0, x])} for x in (2.0, 2.0000002)]
    kept = [begun().merge(order).state()["v1/chop"] for order in (states, states[::-1])]
    assert torch.equal(*kept)


def test_metrics_are_means_unless_they_say_otherwise() -> None:
    values = {"mean": np.array([1.0, 2.0, 9.0]), "median": np.array([1.0, 2.0, 9.0])}
    result = begun().summarize(values, ["v1/chop"], {"median": np.median})
    assert result.metrics == {"mean": 4.0, "median": 2.0}
    for metric, (low, high) in result.intervals.items():
        assert 1 <= low <= result.metrics[metric] <= high <= 9
    assert result.coverage.evaluated == 1
    assert result.ids_sha256 == hash_ids(["v1/chop"])
