"""Score captions that were written anywhere: no model, one process."""

from collections.abc import Callable, Collection, Mapping, Sequence

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.given_vectors import expected_instead, first_ids
from vtlearn.evaluation.items_to_embed import versioned
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result

__all__ = ["score_captions", "writes_nothing"]


def writes_nothing(protocol: Protocol) -> str | None:
    """Say why a protocol cannot score captions.

    Args:
        protocol: The protocol.

    Returns:
        A sentence, or None where it can.
    """
    if protocol.needs == {"caption"}:
        return None
    return (
        f"{versioned(protocol)} scores no captions: give --vectors in place of --captions, or, "
        "where the corpus has captions to compare with, --set task=captioning"
    )


def score_captions(
    protocols: Sequence[Protocol],
    captions: Mapping[str, str],
    *,
    max_missing: int = 0,
    elsewhere: Callable[[], Mapping[str, Collection[str]]] = dict,
) -> list[Result]:
    """Score captions by some protocols.

    Args:
        protocols: What to score by; see :func:`writes_nothing` for what cannot be among them.
        captions: What was written of each item, by id.
        max_missing: How many items may lack a caption.
        elsewhere: Where there are unknown ids, gives those that they may be: of other places, by
            what these are called.

    Returns:
        A result per protocol.

    Raises:
        EvaluationError: If an id is not known, or more items lack a caption than may.

    Example:
        >>> from vtlearn.evaluation import Captioning
        >>> protocol = Captioning("few", 1, {"v": ["a cat"], "w": ["a dog"]}, windows="one")
        >>> score_captions([protocol], {"v": "a cat", "w": "a dog"})[0].metrics["ROUGE-L"]
        100.0
    """
    names = " and ".join(map(versioned, protocols))
    known = dict.fromkeys(item for protocol in protocols for item in protocol.expected)
    unknown = [item for item in captions if item not in known]
    if unknown:
        homes = (at for at, ids in elsewhere().items() if set(unknown) <= set(ids))
        home = next(homes, None)
        way_out = "; remove them" if len(unknown) < len(captions) else expected_instead(known)
        if home is not None:
            way_out = f"; they are those of {home}"
        message = (
            f"{len(unknown)} of {len(captions)} ids are unknown to {names} "
            f"({first_ids(unknown)}){way_out}"
        )
        raise EvaluationError(message)
    return [_result(protocol, captions, max_missing) for protocol in protocols]


def _result(protocol: Protocol, captions: Mapping[str, str], max_missing: int) -> Result:
    missing = [item for item in protocol.expected if item not in captions]
    if len(missing) > max_missing:
        message = (
            f"{len(missing)} of {len(protocol.expected)} items of {versioned(protocol)} have no "
            f"caption ({first_ids(missing)}). Give them, or pass --max-missing {len(missing)} for "
            "figures that are comparable with no others"
        )
        raise EvaluationError(message)
    protocol.begin()
    for item in protocol.expected:
        if item in captions:
            protocol.add(EncodedItem(item, captions=[captions[item]]))
    return protocol.result()
