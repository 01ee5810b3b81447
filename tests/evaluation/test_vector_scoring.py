from collections.abc import Sequence

import pytest
import torch

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.evaluation.given_vectors import GivenVectors
from vtlearn.evaluation.items_to_embed import ItemToEmbed, VectorIds, VectorTask
from vtlearn.evaluation.localization import NarrationAlignment
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.evaluation.vector_scoring import score_vectors, unserved

IDS = [f"v{number}" for number in range(5)]
RELEVANCE = {f"t{number}": [f"v{number}"] for number in range(5)}


def clips(**options: str) -> VectorTask:
    protocol = Retrieval("clips", 1, IDS, RELEVANCE, windows="whole", **options)  # type: ignore[arg-type]
    items = [ItemToEmbed(one, [(0.0, 1.0)], {f"t{one[1:]}": ""}) for one in IDS]
    return VectorTask([protocol], items)


def given(videos: Sequence[str] = IDS, texts: Sequence[str] = tuple(RELEVANCE)) -> GivenVectors:
    rows = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    video = torch.stack([rows[int(one[1:]) % 5] for one in videos])
    text = torch.stack([rows[int(one[1:]) % 5] for one in texts])
    return GivenVectors.of(videos, video, texts, text)


def test_vectors_are_compared_as_asked() -> None:
    video = torch.tensor([[1.0, 0.0], [0.0, 9.0], [0.0, 0.1], [0.1, 0.1], [0.0, -1.0]])
    text = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, -1.0]])
    vectors = GivenVectors.of(IDS, video, list(RELEVANCE), text)
    by_dot, by_cosine = (
        score_vectors([clips()], vectors, similarity=similarity)[0]
        for similarity in ("dot", "cosine")
    )
    assert (by_dot.similarity, by_dot.metrics["t2v_R@1"]) == ("dot", 60.0)
    assert (by_cosine.similarity, by_cosine.metrics["t2v_R@1"]) == ("cosine", 80.0)
    (fixed,) = score_vectors([clips(similarity="cosine")], vectors, similarity="dot")
    assert fixed.metrics == by_cosine.metrics


def test_windows_have_the_times_of_their_item() -> None:
    truth = {"w": {"a": (2.0, 4.0), "b": (0.0, 2.0)}}
    protocol = NarrationAlignment("steps", 1, truth, windows="2 s")
    item = ItemToEmbed("w", [(0.0, 2.0), (2.0, 4.0)], {"a": "", "b": ""})
    vectors = GivenVectors.of(["w@1", "w@0"], torch.eye(2), ["b", "a"], torch.eye(2))
    (result,) = score_vectors([VectorTask([protocol], [item])], vectors)
    assert result.metrics == {"hit": 0.0, "chance": 50.0}
    vectors = GivenVectors.of(["w@1", "w@0"], torch.eye(2), ["a", "b"], torch.eye(2))
    (result,) = score_vectors([VectorTask([protocol], [item])], vectors)
    assert result.metrics["hit"] == 100.0


def paragraphs() -> VectorTask:
    sequences = {"x": ["v0", "v1"], "y": ["v2", "v3", "v4"]}
    texts = {"x": {"t0": "a", "t1": "b"}, "y": {"t2": "c", "t3": "d", "t4": "e"}}
    protocol = FullVideo("videos", 1, sequences, texts, windows="whole")
    return VectorTask([protocol], [ItemToEmbed(one, [(0.0, 1.0)]) for one in IDS])


def test_a_video_of_several_windows_is_not_one_vector() -> None:
    protocol = NarrationAlignment("steps", 1, {"w": {"a": (2.0, 4.0)}}, windows="2 s")
    item = ItemToEmbed("w", [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)], {"a": ""})
    vectors = GivenVectors.of(["w"], torch.ones(1, 2), ["a"], torch.ones(1, 2))
    with pytest.raises(EvaluationError) as raised:
        score_vectors([VectorTask([protocol], [item])], vectors)
    assert str(raised.value) == (
        "1 of 1 video ids are unknown to steps@1 (first: w); w has a vector for each of its "
        "windows, w@0 to w@2"
    )


def test_texts_of_a_protocols_own_have_vectors_too() -> None:
    (result,) = score_vectors([paragraphs()], given(), similarity="cosine")
    assert result.metrics["dtw_R@1"] == 100.0
    words = r"1 of the 5 texts that videos@1 has of its own have no vector \(first: t4\)"
    with pytest.raises(EvaluationError, match=words):
        score_vectors([paragraphs()], given(texts=list(RELEVANCE)[:4]), max_missing=9)


def test_a_matrix_has_the_figures_of_its_vectors() -> None:
    vectors = given()
    product = (vectors.text.double() @ vectors.video.double().T).float()
    matrix = GivenVectors.of_similarity(product, vectors.video_ids, vectors.text_ids)
    for task in (clips(), paragraphs()):
        assert score_vectors([task], matrix) == score_vectors([task], vectors)
    with pytest.raises(ArgumentError, match="a matrix of similarities was given"):
        score_vectors([clips()], matrix, similarity="cosine")


def test_unknown_ids_are_counted_and_placed() -> None:
    strange = given([*IDS, "v5", "v6", "v7", "v8"])
    sentence = r"4 of 9 video ids are unknown to clips@1 \(first: v5, v6, v7\)"
    with pytest.raises(EvaluationError, match=f"{sentence}$"):
        score_vectors([clips()], strange)
    places = {
        "--stage a": VectorIds(["v5", "v6"], []),
        "--stage b": VectorIds(["v5", "v6", "v7", "v8"], []),
    }
    with pytest.raises(EvaluationError, match=f"{sentence}; they are those of --stage b$"):
        score_vectors([clips()], strange, elsewhere=lambda: places)
    with pytest.raises(EvaluationError, match="1 of 6 text ids are unknown to clips@1"):
        score_vectors([clips()], given(texts=[*RELEVANCE, "t9"]))
    with pytest.raises(EvaluationError, match=rf"corpus\? Expected are ids such as '{IDS[0]}'$"):
        score_vectors([clips()], given(["v8", "v9"]))
    known = VectorIds(["v5", "v6", "v7", "v8"], [])
    assert score_vectors([clips()], strange, known=known) == score_vectors([clips()], given())


def test_missing_ids_are_counted_in_one_allowance() -> None:
    some = given(IDS[:3], list(RELEVANCE)[1:])
    with pytest.raises(EvaluationError) as raised:
        score_vectors([clips()], some, max_missing=2)
    assert str(raised.value) == (
        "2 of 5 video ids of clips@1 have no vector (first: v3, v4) and 1 of 5 text ids of clips@1 "
        "have no vector (first: t0). Give them, or pass --max-missing 3 for figures that are "
        "comparable with no others"
    )
    (result,) = score_vectors([clips()], some, max_missing=3)
    assert result.coverage.missing == ["v0", "v3", "v4"]


def test_an_item_that_lacks_a_window_is_not_scored() -> None:
    truth = {"w": {"a": (0.0, 2.0)}, "x": {"b": (0.0, 2.0)}}
    protocol = NarrationAlignment("steps", 1, truth, windows="2 s")
    spans = [(0.0, 2.0), (2.0, 4.0)]
    items = [ItemToEmbed("w", spans, {"a": ""}), ItemToEmbed("x", spans, {"b": ""})]
    vectors = GivenVectors.of(["w@0", "w@1", "x@1"], torch.ones(3, 2), ["a", "b"], torch.ones(2, 2))
    (result,) = score_vectors([VectorTask([protocol], items)], vectors, max_missing=1)
    assert result.coverage.missing == ["x"]
    assert result.metrics["hit"] == 50.0


def test_what_vectors_cannot_serve() -> None:
    (protocol,), vectors = clips().protocols, given()
    matrix = GivenVectors.of_similarity(torch.ones(5, 5), IDS, list(RELEVANCE))
    assert unserved(protocol, vectors) is unserved(protocol, matrix) is None
    protocol.needs = frozenset({"windows", "match", "caption"})
    sentence = "clips@1 needs caption and match of a model, not vectors alone"
    assert unserved(protocol, vectors) == sentence
    protocol.needs = frozenset({"caption"})
    sentence = "clips@1 scores captions: give --captions in place of --vectors, or --set task=retr"
    assert str(unserved(protocol, vectors)).startswith(sentence)
    for options in ({"similarity": "cosine"}, {"pooling": "unit"}):
        (protocol,) = clips(**options).protocols
        assert unserved(protocol, vectors) is None
        assert unserved(protocol, matrix) == (
            "clips@1 compares by cosine: give vectors in place of similarity"
        )
