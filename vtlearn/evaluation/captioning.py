"""Captioning: how near what a model writes of a clip is to what people wrote of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TypeVar

import numpy as np

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.metrics.bleu import bleu_counts, bleu_of
from vtlearn.evaluation.metrics.bootstrap import bootstrap_interval
from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.metrics.cider import cider_d
from vtlearn.evaluation.metrics.meteor import meteor, why_no_meteor
from vtlearn.evaluation.metrics.ngrams import Words
from vtlearn.evaluation.metrics.ptb import tokenize
from vtlearn.evaluation.metrics.rouge import rouge_l
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result, hash_ids

__all__ = ["Captioning"]

_ORDERS = (1, 2, 3, 4)

ValueT = TypeVar("ValueT")


class Captioning(Protocol):
    """Score what the head writes of each item against what people wrote of it.

    An item is one clip, as one window. Captions and references are cut into words as
    pycocoevalcap's tokenizer does, and the figures are its figures, times 100 as papers print them:
    ``BLEU-1`` to ``BLEU-4``, ``METEOR``, ``ROUGE-L`` and ``CIDEr`` (CIDEr-D, the primary), micro
    averages over the items. METEOR takes Java and pycocoevalcap; without them it is left out.

    Intervals resample the items. BLEU is made anew of the counts of those that are drawn; CIDEr
    keeps how rare a word is among all items' references; METEOR's interval is that of the mean over
    items, moved to where the figure of all items is.

    Chance is known of CIDEr: for each item, a reference of another one that is drawn, so what a
    model reaches that writes as people do and does not look. The other figures count words that
    most sentences share, and have none. No ceiling is given: CIDEr has none, since it is no share,
    and the others' is 100, which writing one of the references reaches.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        references: For each item, what people wrote of it.
        windows: How the frames of a clip are chosen, in words.

    Raises:
        ArgumentError: If there is no item, or an item has no reference.

    Example:
        >>> references = {"v0": ["a man cuts a carrot"], "v1": ["a dog runs", "the dog is running"]}
        >>> protocol = Captioning("few", 1, references, windows="one")
        >>> protocol.begin()
        >>> protocol.add(EncodedItem("v0", captions=["A man cuts a carrot."]))
        >>> protocol.add(EncodedItem("v1", captions=["a cat sleeps"]))
        >>> result = protocol.result()
        >>> round(result.metrics["ROUGE-L"], 1), result.captions["v1"]
        (66.7, 'a cat sleeps')
    """

    primary = "CIDEr"
    similarity = "none"
    needs = frozenset({"caption"})
    central = True  # METEOR is a Java process, and CIDEr of thousands of captions takes seconds

    def __init__(
        self, name: str, version: int, references: Mapping[str, Sequence[str]], *, windows: str
    ) -> None:
        if not references:
            message = f"{name} has no items to write captions of; give the references of each."
            raise ArgumentError(message)
        silent = [item for item, texts in references.items() if isinstance(texts, str) or not texts]
        if silent:
            message = (
                f"{name}: {len(silent)} of {len(references)} items have no list of references "
                f"(first: {silent[0]!r}); leave them out, or give what people wrote of them."
            )
            raise ArgumentError(message)
        self.name = name
        self.version = version
        self.references = {item: list(texts) for item, texts in references.items()}
        self.windows = windows
        self.expected = list(references)
        self.settings = {"references": sum(map(len, self.references.values()))}
        # shared by the copies that merging makes, so that a training pays for them once
        self._words: dict[str, list[Words]] = {}
        self._chances: dict[str, Chance] = {}

    def left_out(self) -> Sequence[str]:
        """Say that METEOR is left out, where it cannot run."""
        reason = self._why_no_meteor
        return () if reason is None else (f"METEOR of {self.name}@{self.version}: {reason}",)

    def update(self, item: EncodedItem) -> str:
        """Take an item's caption.

        Args:
            item: The item.

        Returns:
            What the head wrote.

        Raises:
            EvaluationError: If it has several windows, with a caption each.
        """
        return item.caption

    def compute(self, kept: Mapping[str, str]) -> Result:
        """Score the captions that came.

        Args:
            kept: The caption of each item.

        Returns:
            All figures with their intervals, and the captions.
        """
        written = [tokenize(caption) for caption in kept.values()]
        references = [self._words_of(item) for item in kept]
        counts = bleu_counts(written, references)
        result = self.summarize(
            {
                **{f"BLEU-{order}": counts for order in _ORDERS},
                "ROUGE-L": rouge_l(written, references),
                "CIDEr": cider_d(written, references),
            },
            list(kept),
            {f"BLEU-{order}": partial(bleu_of, order=order) for order in _ORDERS},
            chance=self._chance(list(kept), references),
            notes=self._notes(written),
        )
        result = self._with_meteor(result, written, references)
        return replace(result, captions=dict(kept))

    def _notes(self, written: Sequence[Words]) -> list[str]:
        """Say what is left out, and that nothing was written, if that is so."""
        reason = self._why_no_meteor
        notes = [] if reason is None else [f"not scored: {reason}"]
        return notes if any(written) else [*notes, "no caption has a word"]

    def _words_of(self, item: str) -> list[Words]:
        if item not in self._words:
            self._words[item] = [tokenize(text) for text in self.references[item]]
        return self._words[item]

    def _chance(self, items: Sequence[str], references: Sequence[list[Words]]) -> dict[str, Chance]:
        """Score a reference of another item for each, which one item alone does not have."""
        if len(items) < 2:
            return {}
        key = hash_ids(items)
        if key not in self._chances:
            scores = cider_d(_of_others(references), references)
            interval = bootstrap_interval(scores, np.mean)
            self._chances[key] = Chance(float(scores.mean()), *interval)
        return {"CIDEr": self._chances[key]}

    @cached_property
    def _why_no_meteor(self) -> str | None:
        return why_no_meteor()

    def _with_meteor(
        self, result: Result, written: Sequence[Words], references: Sequence[list[Words]]
    ) -> Result:
        if self._why_no_meteor is not None:
            return result
        joined = [[" ".join(words) for words in texts] for texts in references]
        figure, scores = meteor([" ".join(words) for words in written], joined)
        moved = figure - float(scores.mean())
        low, high = bootstrap_interval(scores, np.mean)
        return replace(
            result,
            metrics=_before_rouge(result.metrics, figure),
            intervals=_before_rouge(result.intervals, (low + moved, high + moved)),
        )


def _of_others(references: Sequence[Sequence[Words]]) -> list[Words]:
    """Draw a reference of another item for each, of each item once."""
    draws = np.random.default_rng(0)
    order = draws.permutation(len(references))
    other = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    drawn = [references[other[item]] for item in range(len(references))]
    return [texts[int(draws.integers(len(texts)))] for texts in drawn]


def _before_rouge(values: Mapping[str, ValueT], meteor_value: ValueT) -> dict[str, ValueT]:
    """Insert METEOR where papers have it."""
    ordered: dict[str, ValueT] = {}
    for name, value in values.items():
        ordered |= {"METEOR": meteor_value} if name == "ROUGE-L" else {}
        ordered[name] = value
    return ordered
