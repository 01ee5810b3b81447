"""What a model can give to protocols, and what is said of a protocol that needs more."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.encoded_item import NEEDS
from vtlearn.evaluation.protocol import Protocol

__all__: list[str] = []

_UNSCORED = "; to train without being scored, set trainer.limit_val_batches=0"
_CAPTIONING = "set data.init_args.task=captioning, where the data have captions to compare with"


class Served(NamedTuple):
    """What a model can give.

    Attributes:
        head: What its head is called.
        embeds: Whether the head embeds.
        matches: Whether it gives logits.
        writes: Whether it writes.
        texts: Whether texts can be encoded.
        item_texts: Whether items come with the vectors of their texts.
        tokens: Whether the video encoder gives tokens.
        frame_vectors: Whether they are one vector per frame.
        training: Whether it is trained, and need not be scored.
    """

    head: str
    embeds: bool
    matches: bool
    writes: bool
    texts: bool
    item_texts: bool
    tokens: bool
    frame_vectors: bool
    training: bool = False

    @property
    def lacking(self) -> Mapping[str, str]:
        """What it cannot give, and for each what is wrong and the way out."""
        unscored = _UNSCORED if self.training else ""
        head, another = self.head, f"choose another model.head{unscored}"
        task = f"{_CAPTIONING}, or " if self.writes else ""
        no_texts = f"there is no text encoder beside {head}: {task}set model.text_encoder"
        writes = "choose a model.head that does, or set data.init_args.task=retrieval"
        encoder = "choose another model.video_encoder"
        answers = {
            "embedded vectors": (self.embeds, f"{head} does not embed: {task}{another}"),
            "match": (self.matches, f"{head} gives no logits: {task}{another}"),
            "caption": (self.writes, f"{head} does not write: {writes}{unscored}"),
            "texts": (self.texts, no_texts),
            "the items' texts": (self.item_texts, no_texts),
            "features": (self.tokens, f"the video encoder gives no tokens: {encoder}"),
            "frames": (
                self.frame_vectors,
                f"the video encoder has no vector per frame: {encoder}",
            ),
        }
        return {need: answer for need, (given, answer) in answers.items() if not given}


def require_served(protocols: Iterable[Protocol], served: Served) -> None:
    """Refuse protocols that need what a model has not.

    Args:
        protocols: The protocols.
        served: What the model can give.

    Raises:
        ArgumentError: If one needs more, or what no model has.

    Example:
        >>> from vtlearn.evaluation import Captioning
        >>> protocol = Captioning("few", 1, {"v": ["a cat"]}, windows="one")
        >>> require_served([protocol], Served("CaptioningDecoder", *[False] * 2, *[True] * 5))
    """
    lacking = served.lacking
    for protocol in protocols:
        name = f"{type(protocol).__name__} ({protocol.name}@{protocol.version})"
        if not protocol.needs <= NEEDS:
            message = f"{name} needs {sorted(protocol.needs - NEEDS)}; it may need {sorted(NEEDS)}"
            raise ArgumentError(message)
        for need in _needs(protocol):
            if need in lacking:
                left_out = protocol.left_out_by and f", or leave it out: {protocol.left_out_by}"
                message = f"{name} needs {need}, and {lacking[need]}{left_out}"
                raise ArgumentError(message)


def _needs(protocol: Protocol) -> list[str]:
    """List what a protocol needs of a model, in the order in which that is asked for."""
    compared = bool(protocol.texts) or not protocol.needs.isdisjoint({"windows", "frames"})
    needs = [
        ("match", "match" in protocol.needs),
        ("caption", "caption" in protocol.needs),
        ("features", "features" in protocol.needs),
        ("frames", "frames" in protocol.needs),
        ("embedded vectors", compared and protocol.pooling == "head"),
        ("texts", bool(protocol.texts)),
        ("the items' texts", protocol.item_texts),
    ]
    return [need for need, wanted in needs if wanted]
