"""What several protocols refuse: unknown choices, and numbers that cannot be scored."""

from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError

__all__: list[str] = []


def check_choices(
    name: str, similarity: str | None, *, pooling: str = "head", mode: str = "exact"
) -> None:
    """Refuse an unknown choice.

    Args:
        name: The protocol's name, for the message.
        similarity: ``cosine``, ``dot`` or None.
        pooling: ``head``, ``raw`` or ``unit``.
        mode: ``exact`` or ``reference``.

    Raises:
        ArgumentError: If one of them is something else.
    """
    if similarity not in ("cosine", "dot", None):
        message = f"{name}: similarity={similarity!r} is neither 'cosine' nor 'dot'."
        raise ArgumentError(message)
    if pooling not in ("head", "raw", "unit"):
        message = f"{name}: pooling={pooling!r} is none of 'head', 'raw', 'unit'."
        raise ArgumentError(message)
    if mode not in ("exact", "reference"):
        message = f"{name}: mode={mode!r} is neither 'exact' nor 'reference'."
        raise ArgumentError(message)


def require_finite(numbers: Tensor, what: str) -> None:
    """Refuse NaN and infinity, which compare with nothing.

    Args:
        numbers: Vectors or similarities, of any shape.
        what: What they are, for the message.

    Raises:
        EvaluationError: If one of them is not finite.
    """
    if not numbers.isfinite().all():
        message = (
            f"{what} hold NaN or infinity; a model that computes such cannot be scored. Look at "
            "that item, or evaluate in float32."
        )
        raise EvaluationError(message)
