from typing import Any

import pytest
import torch

from tests.captioning import LetterCaptioner
from tests.heads.batches import encoded
from tests.models import tiny_learner
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import S2DTW, Head, HeadOutput, InfoNCE, Joint, TempCLR
from vtlearn.heads.base import total_loss
from vtlearn.hyperparameters import to_config


def test_the_loss_is_the_weighted_sum() -> None:
    batch = encoded([4, 4, 4, 4])
    parts: dict[str, Head] = {"pairs": InfoNCE(), "order": S2DTW()}
    output: HeadOutput = Joint(parts, {"order": 0.25})(batch)
    alone: list[HeadOutput] = [head(batch) for head in parts.values()]
    torch.testing.assert_close(output.loss, alone[0].loss + 0.25 * alone[1].loss)
    assert set(output.logs) == {
        f"{name}/{log}" for name in parts for log in ("temperature", "batch_accuracy")
    }
    counts = [len(term.values) for term in output.terms.values()]
    assert counts == [16, 4]
    torch.testing.assert_close(total_loss(output.terms, counts), output.loss)


def test_needs_are_united() -> None:
    class Tokens(InfoNCE):
        needs = frozenset({"video_tokens", "text_pooled", "video_pooled"})

    head = Joint({"a": Tokens(), "b": InfoNCE()})
    assert head.needs == {"video_tokens", "text_pooled", "video_pooled"}


def test_the_first_of_each_kind_compares_and_writes() -> None:
    first, second, writer = S2DTW(), InfoNCE(), LetterCaptioner()
    head = Joint({"writer": writer, "a": first, "b": second})
    assert head.aligner is first
    assert head.captioner is writer
    assert Joint({"b": second}).captioner is None
    assert Joint({"w": LetterCaptioner()}).aligner is None


def test_a_learner_compares_by_it() -> None:
    joint = tiny_learner(Joint({"pairs": InfoNCE(), "order": S2DTW()}))
    joint.text_encoder.build(["chop", "fry"])  # type: ignore[union-attr]
    alone = tiny_learner(InfoNCE())
    alone.text_encoder.build(["chop", "fry"])  # type: ignore[union-attr]
    alone.load_state_dict(
        {k: v for k, v in joint.state_dict().items() if not k.startswith("head.")}
    )
    assert torch.equal(joint.encode_text(["chop"]), alone.encode_text(["chop"]))


def test_an_empty_term_is_explained_by_its_head() -> None:
    head = Joint({"order": TempCLR(chain="all")})
    assert head.explain_empty("order/order_loss") == TempCLR(chain="all").explain_empty(
        "order_loss"
    )


def test_a_checkpoint_says_how_to_build_it() -> None:
    config = to_config(Joint({"a": InfoNCE(temperature=0.1)}, {"a": 2.0}))
    assert config["class_path"] == "vtlearn.heads.Joint"
    assert config["init_args"]["heads"]["a"]["init_args"] == {"temperature": 0.1}
    assert config["init_args"]["weights"] == {"a": 2.0}


def test_its_heads_are_connected_with_it() -> None:
    writer = LetterCaptioner()
    learner = tiny_learner()
    Joint({"w": writer}).connect(TinyVideo(dim=8, width=4), learner.text_encoder)
    with pytest.raises(ArgumentError, match="was connected"):
        writer.connect(TinyVideo(dim=16, width=4), None)


def test_the_head_that_lacks_something_is_named() -> None:
    head = Joint({"pairs": InfoNCE(), "writer": LetterCaptioner()})
    video, text = TinyVideo(dim=8, width=4), tiny_learner().text_encoder
    video.token_width = None
    with pytest.raises(ArgumentError, match="LetterCaptioner needs video tokens, and TinyVideo"):
        head.connect(video, text)
    video.token_width = 32
    with pytest.raises(ArgumentError, match="InfoNCE needs a text encoder"):
        head.connect(video, None)
    head.connect(video, text)  # a refusal has connected none of them


@pytest.mark.parametrize(
    ("heads", "weights", "match"),
    [
        ({}, None, "Joint has no head"),
        ({"a": InfoNCE()}, {"b": 1.0}, "weights: Joint has no head b, its heads are a$"),
        ({"a": InfoNCE()}, {"a": -1.0}, r"^weights\.a must be 0 or more, but is -1.0$"),
        ({"a.b": InfoNCE()}, None, r"names a\.b: .*letters"),
        ({"": InfoNCE(), "keys": InfoNCE(), "a/b": InfoNCE()}, None, "names , keys, a/b"),
        ({"training": InfoNCE()}, None, "names training"),
        (
            {"a": InfoNCE(), "b": InfoNCE(normalize=False)},
            None,
            "a has normalize=true and b normalize=false",
        ),
    ],
)
def test_refusals(heads: dict[str, Any], weights: dict[str, float] | None, match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        Joint(heads, weights)
