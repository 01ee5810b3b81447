"""Several heads on the same features, trained together."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn
from typing_extensions import override

from vtlearn.batch import EncodedBatch, Rows
from vtlearn.checks import require_not_negative
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Aligner, Captioner, Head, HeadOutput, LossTerm

__all__ = ["Joint"]


class Joint(Head):
    """Add up the losses of several heads.

    A term or a log is called by its head's name, a slash and its own: ``order/contrastive``. Clips
    and texts are compared as by the first aligner among the heads, and texts are written by the
    first captioner.

    Args:
        heads: Heads by names of your own.
        weights: What the losses of each are multiplied by; 1 for a head that is not named.

    Raises:
        ArgumentError: If there is no head, a name is not a word, a weight is negative or names no
            head, or aligners differ in ``normalize``.

    Example:
        >>> import torch
        >>> from vtlearn.heads import S2DTW, InfoNCE
        >>> head = Joint({"pairs": InfoNCE(), "order": S2DTW()}, {"order": 0.5})
        >>> output = head(EncodedBatch.of(torch.randn(2, 3, 4), torch.randn(2, 3, 4)))
        >>> {name: term.weight for name, term in output.terms.items()}
        {'pairs/contrastive': 1.0, 'order/contrastive': 0.5}
    """

    def __init__(self, heads: dict[str, Head], weights: dict[str, float] | None = None) -> None:
        super().__init__()
        weights = weights or {}
        _check(heads, weights)
        self.heads = nn.ModuleDict(heads)
        self.weights = {name: weights.get(name, 1.0) for name in heads}
        self.needs = frozenset().union(*(head.needs for head in heads.values()))

    @property
    @override
    def aligner(self) -> Aligner | None:
        return next((head.aligner for head in self._parts().values() if head.aligner), None)

    @property
    @override
    def captioner(self) -> Captioner | None:
        return next((head.captioner for head in self._parts().values() if head.captioner), None)

    @property
    @override
    def needs_vocabulary(self) -> bool:
        return any(head.needs_vocabulary for head in self._parts().values())

    @override
    def build(self, captions: Iterable[str]) -> None:
        lacking = [head for head in self._parts().values() if head.needs_vocabulary]
        every = list(captions) if len(lacking) > 1 else captions  # an iterator is read once
        for head in lacking:
            head.build(every)

    @override
    def explain_empty(self, term: str) -> str:
        name, _, own = term.partition("/")
        return self._parts()[name].explain_empty(own)

    @override
    def begin(self, steps: float) -> None:
        for head in self._parts().values():
            head.begin(steps)

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Compute the losses of all heads.

        Args:
            batch: What they read.
            rows: The samples of the batch that belong to this process; None: all.

        Returns:
            All their terms and logs, under their heads' names.
        """
        terms: dict[str, LossTerm] = {}
        logs: dict[str, Tensor] = {}
        for name, head in self._parts().items():
            output: HeadOutput = head(batch, rows)
            for own, term in output.terms.items():
                terms[f"{name}/{own}"] = term._replace(weight=term.weight * self.weights[name])
            logs |= {f"{name}/{own}": value for own, value in output.logs.items()}
        return HeadOutput(terms, logs)

    def _parts(self) -> dict[str, Head]:
        return dict(self.heads.items())  # type: ignore[arg-type]  # a ModuleDict is of any modules


def _check(heads: Mapping[str, Head], weights: Mapping[str, float]) -> None:
    if not heads:
        message = "Joint has no head: give model.head.init_args.heads, a name and a head each"
        raise ArgumentError(message)
    # a dot is torch's between modules, a slash ours, and some words are attributes of a ModuleDict
    odd = [x for x in heads if not x.isidentifier() or hasattr(nn.ModuleDict(), x)]
    if odd:
        message = (
            f"Joint cannot have heads of the names {', '.join(odd)}: give others, of letters, "
            "digits and underscores"
        )
        raise ArgumentError(message)
    require_not_negative(**{f"weights.{name}": weight for name, weight in weights.items()})
    unknown = [name for name in weights if name not in heads]
    if unknown:
        message = f"weights: Joint has no head {unknown[0]}, its heads are {', '.join(heads)}"
        raise ArgumentError(message)
    aligners = {name: head.aligner for name, head in heads.items() if head.aligner}
    kinds = {name: aligner.normalize for name, aligner in aligners.items()}
    if len(set(kinds.values())) > 1:
        yes = next(name for name, normalize in kinds.items() if normalize)
        no = next(name for name, normalize in kinds.items() if not normalize)
        message = (
            f"of the heads of Joint, {yes} has normalize=true and {no} normalize=false: they would "
            "compare the same vectors in two ways; set one of them like the other"
        )
        raise ArgumentError(message)
