"""How a benchmark is scored: which ids, windows, similarity, directions and metrics.

A protocol knows no learner and no processes. It is given encoded items by anything, keeps a little
of each, and scores what it kept. A new one writes :meth:`Protocol.update` and
:meth:`Protocol.compute`; that ids come once, and that several processes give the result of one, is
written here.
"""

import copy
import pickle
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import Embed, EncodedItem, Pooling, as_is, embedded
from vtlearn.evaluation.metrics.bootstrap import Statistic, bootstrap_interval
from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.metrics.similarity import Similarity, comparable, product
from vtlearn.evaluation.result import Annotations, Coverage, Result, hash_ids

__all__ = ["EncodedItem", "Mode", "Protocol"]

#: How figures are computed: exactly, or as published code does it, with its quirks.
Mode = Literal["exact", "reference"]


class Protocol(ABC):
    """One benchmark's way of scoring.

    A subclass sets the attributes, on the class or in its constructor, and writes :meth:`update`
    and :meth:`compute`.

    Attributes:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        mode: ``exact``, or ``reference`` where published code is reproduced with its quirks.
        similarity: How vectors are compared: ``cosine``, ``dot``, ``none`` where they are not, or
            None for the way the model's head was trained with.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for those
            of the encoders, ``unit`` for those of the encoders at unit length.
        windows: How the windows of an item are chosen, in words.
        settings: What else the figures depend on, in plain values, for the result to keep.
        annotations: The files that said what there is to score.
        primary: The metric that models are chosen by; higher is better.
        expected: The ids that must come.
        texts: Strings of its own by id, such as prompts or steps, encoded before the first item.
        needs: What it reads of an item: ``windows``, ``frames``, ``features``, ``match``,
            ``caption``. What is not named is not computed.
        item_texts: Whether it reads the items' own texts, so that there has to be a text encoder.
        central: Compute on one process alone, as suits what fits a model or takes long.
        left_out_by: The setting that leaves it out, for a model that it cannot score; empty where
            there is none.
        text_vectors: The raw vectors of ``texts`` by id, (dim,), once scoring has begun.
        text_embeddings: The same as ``pooling`` has them.
    """

    name: str
    version: int
    mode: Mode = "exact"
    similarity: Literal["cosine", "dot", "none"] | None = None
    pooling: Pooling = "head"
    windows: str
    settings: Mapping[str, object] = MappingProxyType({})
    annotations: Annotations | None = None
    primary: str
    expected: Sequence[str]
    texts: Mapping[str, str] = MappingProxyType({})
    needs: frozenset[str] = frozenset({"windows"})
    item_texts: bool = False
    central: bool = False
    left_out_by: str = ""
    text_vectors: Mapping[str, Tensor] = MappingProxyType({})
    text_embeddings: Mapping[str, Tensor] = MappingProxyType({})
    _head_similarity: Similarity = "cosine"
    _known_ids: frozenset[str] = frozenset()
    _kept: dict[str, Any] | None = None

    @abstractmethod
    def update(self, item: EncodedItem) -> Any:
        """Take from an item what :meth:`compute` needs.

        Args:
            item: One of the expected items, whole.

        Returns:
            Something small that pickles, on the CPU.

        Raises:
            EvaluationError: If the item cannot be scored.
        """

    @abstractmethod
    def compute(self, kept: Mapping[str, Any]) -> Result:
        """Score what was kept.

        Args:
            kept: For each item that came, sorted by id, what :meth:`update` returned.

        Returns:
            The result, by :meth:`summarize` or :meth:`make_result`.

        Raises:
            EvaluationError: If nothing came, or what came cannot be scored.
        """

    @property
    def compared_by(self) -> Similarity:
        """How vectors are compared: as the protocol says, or else as the head was trained.

        Raises:
            ArgumentError: If the protocol compares none.
        """
        if self.similarity == "none":
            message = f"{self.name} has similarity='none', and cannot compare vectors."
            raise ArgumentError(message)
        return self.similarity or self._head_similarity

    def compare(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Compare vectors, computed so that equal ones get equal scores.

        Args:
            rows: (rows, dim), embedded.
            columns: (columns, dim), embedded.

        Returns:
            (rows, columns), float32; higher is better.

        Raises:
            EvaluationError: If their widths differ.
        """
        if rows.shape[-1] != columns.shape[-1]:
            message = (
                f"{self.name} cannot compare vectors of width {rows.shape[-1]} with vectors of "
                f"width {columns.shape[-1]}; both must come from the same model, and with "
                f"pooling={self.pooling!r} its encoders must be as wide."
            )
            raise EvaluationError(message)
        similarity = self.compared_by
        return product(comparable(rows, similarity), comparable(columns, similarity))

    def left_out(self) -> Sequence[str]:
        """Say what is not scored here, and why: sentences that are told before scoring begins."""
        return ()

    def begin(
        self,
        similarity: Similarity = "cosine",
        text_vectors: Mapping[str, Tensor] | None = None,
        embed: Embed | None = None,
    ) -> None:
        """Forget what was added, and get ready for items of a model.

        Args:
            similarity: How the model's head compares vectors; used where the protocol does not say.
            text_vectors: The raw vectors of ``texts`` by id, (dim,).
            embed: The head's embedding; None for vectors that are compared as they are.

        Raises:
            ArgumentError: If a text has no vector.
        """
        vectors = dict(text_vectors or {})
        if absent := sorted(self.texts.keys() - vectors.keys()):
            message = f"{self.name} needs the vectors of its texts; {absent[0]!r} has none."
            raise ArgumentError(message)
        self.text_vectors = vectors
        if vectors:
            rows = embedded(torch.stack(list(vectors.values())), self.pooling, embed or as_is)
            self.text_embeddings = dict(zip(vectors, rows, strict=True))
        self._head_similarity = similarity
        self._known_ids = frozenset(self.expected)
        self._kept = {}

    def add(self, item: EncodedItem) -> None:
        """Take in one item.

        Args:
            item: The item, whole.

        Raises:
            EvaluationError: If it is not expected, comes twice, or cannot be scored.
        """
        kept = self._begun()
        if item.id not in self._known_ids:
            message = (
                f"The video id {item.id!r} is not one of the {len(self._known_ids)} that "
                f"{self.name} expects; score the split that it was made for."
            )
            raise EvaluationError(message)
        if item.id in kept:
            message = (
                f"The video id {item.id!r} came twice, and would be counted twice; a sampler that "
                "pads its last batch does that: set use_distributed_sampler=False."
            )
            raise EvaluationError(message)
        kept[item.id] = self.update(item)

    def state(self) -> dict[str, Any]:
        """Return what was kept so far by id, as something that pickles."""
        return dict(self._begun())

    def merge(self, states: Iterable[Mapping[str, Any]]) -> Self:
        """Make a protocol that has taken in what several have.

        Args:
            states: One state per process; an id may be in several, and is then taken once.

        Returns:
            A new protocol, whose result does not depend on the number of the states or their order.
        """
        merged: dict[str, Any] = {}
        for state in states:
            for one, kept in state.items():
                merged[one] = _either(merged[one], kept) if one in merged else kept
        protocol = copy.copy(self)
        protocol._kept = merged  # noqa: SLF001 - our own kind
        return protocol

    def result(self) -> Result:
        """Score what was added.

        Raises:
            EvaluationError: If nothing was, or it cannot be scored.
        """
        kept = self._begun()
        if not kept:
            message = f"{self.name} has nothing to score: 0 of {len(self.expected)} videos came."
            raise EvaluationError(message)
        return self.compute(dict(sorted(kept.items())))

    def summarize(
        self,
        values: Mapping[str, NDArray[np.float64]],
        evaluated: Collection[str],
        statistics: Mapping[str, Statistic] = MappingProxyType({}),
        *,
        chance: Mapping[str, Chance] = MappingProxyType({}),
        ceiling: Mapping[str, float] = MappingProxyType({}),
        notes: Sequence[str] = (),
    ) -> Result:
        """Make a result of metrics that are a mean, or a median, over queries.

        Args:
            values: For each metric one value per query, (queries,).
            evaluated: The ids among the expected ones that were scored completely.
            statistics: Metrics that are not the mean: what they are instead.
            chance: What a blind model would reach, by metric.
            ceiling: What no model can pass, by metric.
            notes: Sentences that a reader of the figures has to know.

        Returns:
            The result, with an interval for each metric.
        """
        figures = {metric: statistics.get(metric, np.mean) for metric in values}
        return self.make_result(
            {metric: float(figures[metric](x[None], axis=1)[0]) for metric, x in values.items()},
            {metric: bootstrap_interval(x, figures[metric]) for metric, x in values.items()},
            evaluated,
            chance=chance,
            ceiling=ceiling,
            notes=notes,
        )

    def make_result(
        self,
        metrics: Mapping[str, float],
        intervals: Mapping[str, tuple[float, float]],
        evaluated: Collection[str],
        *,
        chance: Mapping[str, Chance] = MappingProxyType({}),
        ceiling: Mapping[str, float] = MappingProxyType({}),
        notes: Sequence[str] = (),
    ) -> Result:
        """Make a result.

        Args:
            metrics: All metrics by name, the primary among them.
            intervals: The 95 % interval of each metric.
            evaluated: The ids among the expected ones that were scored completely.
            chance: What a blind model would reach, by metric.
            ceiling: What no model can pass, by metric.
            notes: Sentences that a reader of the figures has to know.

        Returns:
            The result, with coverage and all that says how it was computed.
        """
        pooling = {} if self.similarity == "none" else {"pooling": self.pooling}
        return Result(
            protocol=self.name,
            version=self.version,
            mode=self.mode,
            similarity=self.similarity or self._head_similarity,
            windows=self.windows,
            primary=self.primary,
            metrics=dict(metrics),
            intervals=dict(intervals),
            coverage=Coverage.of(self.expected, evaluated),
            ids_sha256=hash_ids(evaluated),
            expected_sha256=hash_ids(self.expected),
            settings={**pooling, **self.settings},
            chance=dict(chance),
            ceiling=dict(ceiling),
            annotations=self.annotations,
            notes=list(notes),
        )

    def _begun(self) -> dict[str, Any]:
        if self._kept is None:
            message = f"{self.name} has not begun: call begin() before the first item."
            raise ArgumentError(message)
        return self._kept


def _either(one: Any, other: Any) -> Any:
    """Choose between two versions of what was kept of an item, whichever came first."""
    return min(one, other, key=pickle.dumps)
