import pytest

from tests.evaluation.test_captioning import REFERENCES, of_another_food, protocol, score
from vtlearn.errors import EvaluationError
from vtlearn.evaluation.caption_scoring import score_captions, writes_nothing
from vtlearn.evaluation.retrieval import Retrieval


def test_captions_have_the_figures_of_a_model_that_wrote_them() -> None:
    captions = of_another_food()
    assert score_captions([protocol()], captions) == [score(captions)]


def test_unknown_ids_are_refused_with_where_they_belong() -> None:
    captions = of_another_food() | {"v1": "a cat", "v2": "a dog"}
    places = {"--stage train": ["v1"], "--stage validate": ["v2", "v1"]}
    message = r"^2 of 20 ids are unknown to few-caption@1 \(first: v1, v2\)"
    home = "; they are those of --stage validate$"
    with pytest.raises(EvaluationError, match=message + home):
        score_captions([protocol()], captions, elsewhere=lambda: places)
    with pytest.raises(EvaluationError, match=message + "; remove them$"):
        score_captions([protocol()], captions)
    with pytest.raises(EvaluationError, match=r"corpus\? Expected are ids such as 'carrot:0'$"):
        score_captions([protocol()], {"v1": "a cat"})


def test_missing_captions_are_refused_unless_they_may_be_missing() -> None:
    captions = of_another_food()
    del captions["egg:0"], captions["egg:2"]
    with pytest.raises(
        EvaluationError,
        match=r"2 of 18 items of few-caption@1 have no caption \(first: egg:0, egg:2\)\. Give "
        "them, or pass --max-missing 2",
    ):
        score_captions([protocol()], captions, max_missing=1)
    (result,) = score_captions([protocol()], captions, max_missing=2)
    assert result.coverage.missing == ["egg:0", "egg:2"]


def test_captions_alone_are_scored_by_protocols_of_captions() -> None:
    assert writes_nothing(protocol()) is None
    reason = writes_nothing(Retrieval("few", 1, list(REFERENCES), {"t": ["egg:0"]}, windows="one"))
    assert reason is not None
    assert reason.startswith("few@1 scores no captions: give --vectors in place of --captions, or")
