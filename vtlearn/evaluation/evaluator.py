"""Evaluation that runs itself: given encoded items in any batches, it answers with results.

An :class:`Evaluator` is given functions and items, and knows neither the head they come from nor
what reads the items. One pass over a task's items serves all of its protocols; the parts of a long
video become one item again; several processes give the result of one.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from vtlearn.batch import EncodedBatch, Unreadable
from vtlearn.distributed import compute_once, gather_objects, process
from vtlearn.errors import EvaluationError
from vtlearn.evaluation.encoded_item import Embed, EncodedItem, Match, encoded_items
from vtlearn.evaluation.metrics.similarity import Similarity
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.served import Served, require_served

__all__ = ["EvaluationTask", "Evaluator"]

_LOG = logging.getLogger(__name__)

_TEXT_CHUNK = 256  # of a protocol's own texts that are encoded at once

Generate = Callable[[EncodedBatch], Sequence[str]]
EncodeTexts = Callable[[list[str], int | None], Tensor]


class EvaluationTask(NamedTuple):
    """Items, read and encoded once, and the protocols that score them.

    Attributes:
        protocols: How they are scored.
        items: A torch dataset of ``Sample | Unreadable`` that has a length. A long video is several
            of them in a row, its parts; ``part_counts`` says how many each item is.
        batch_size: Items that are encoded together.
        max_words: How many words of a text are read; None: as many as the text encoder was made
            for.
    """

    protocols: Sequence[Protocol]
    items: Any  # torch's Dataset has no length
    batch_size: int
    max_words: int | None = None


class Evaluator:
    """Score a model by the protocols of some tasks.

    Args:
        tasks: What to score it by.
        embed: The head's embedding, (..., dim) to (..., dim); None for a head without one.
        match: The head's logits of one clip, (dim,), and several texts, (texts, dim), as (texts,);
            None for a head without them.
        generate: Writes one string per own clip of a batch; None for a head that does not write.
        encode_texts: Turns strings into raw vectors, (texts, dim), reading so many words of each
            (None: its own number); None for a model without a text encoder.
        similarity: How the head compares vectors; for protocols that do not say it themselves.
        tokens: Whether the video encoder gives tokens.
        frame_vectors: Whether they are one vector per frame.
        item_texts: Whether items come with the vectors of their texts.
        max_unreadable: How many videos may be missing because they cannot be read.
        head: What the head is called in messages.
        training: Whether the model is trained, and need not be scored.

    Raises:
        ArgumentError: If a protocol needs what these functions cannot give.

    Example:
        >>> from vtlearn.evaluation import Retrieval
        >>> protocol = Retrieval("pairs", 1, ["v"], {"t": ["v"]}, windows="whole")
        >>> task = EvaluationTask([protocol], [], batch_size=1)
        >>> evaluator = Evaluator([task], embed=lambda vectors: vectors)
        >>> sorted(evaluator.needs(0))
        ['windows']
        >>> evaluator.begin()
        >>> one = torch.ones(1, 2)
        >>> evaluator.update(0, [EncodedItem("v", windows=one, texts=one, text_ids=["t"])])
        >>> evaluator.compute()[0].metrics["t2v_R@1"]
        100.0
    """

    def __init__(
        self,
        tasks: Sequence[EvaluationTask],
        *,
        embed: Embed | None,
        match: Match | None = None,
        generate: Generate | None = None,
        encode_texts: EncodeTexts | None = None,
        similarity: Similarity = "dot",
        tokens: bool = True,
        frame_vectors: bool = True,
        item_texts: bool = True,
        max_unreadable: int = 0,
        head: str = "the head",
        training: bool = False,
    ) -> None:
        self.tasks = list(tasks)
        self.similarity: Similarity = similarity
        self.max_unreadable = max_unreadable
        self._embed = embed
        self._match = match
        self._generate = generate
        self._encode_texts = encode_texts
        self._logged: set[str] = set()
        self._clear()
        served = Served(
            head,
            embeds=embed is not None,
            matches=match is not None,
            writes=generate is not None,
            texts=encode_texts is not None,
            item_texts=item_texts,
            tokens=tokens,
            frame_vectors=frame_vectors,
            training=training,
        )
        require_served(self._protocols(), served)

    def needs(self, task_index: int) -> frozenset[str]:
        """Return what a task's protocols need of its items; nothing else has to be computed.

        Args:
            task_index: Which task.

        Returns:
            Some of ``windows``, ``frames``, ``features``, ``match`` and ``caption``. The items'
            texts are needed with ``windows``, ``frames`` and ``match``.
        """
        needs = {need for protocol in self.tasks[task_index].protocols for need in protocol.needs}
        return frozenset(needs | ({"windows"} if "match" in needs else set()))

    def begin(self) -> None:
        """Forget all items, and encode the protocols' own texts, on every process alike.

        What protocols leave out is told first, and once.
        """
        self._clear()
        self._log([reason for protocol in self._protocols() for reason in protocol.left_out()])
        with torch.no_grad():
            for task in self.tasks:
                for protocol in task.protocols:
                    vectors = self._encoded(protocol.texts, task.max_words)
                    protocol.begin(self.similarity, vectors, self._embed)

    def update(
        self,
        task_index: int,
        items: Sequence[EncodedItem],
        parts: Sequence[tuple[int, int]] | None = None,
        unreadable: Sequence[Unreadable] = (),
    ) -> None:
        """Take in a batch of a task.

        Args:
            task_index: Which task.
            items: Items, or parts of long ones, encoded as :meth:`needs` says. The parts of an item
                come in their order, all on one process; the first has its texts.
            parts: Which part of its item each is, and of how many; None: all are whole.
            unreadable: What should be in this batch and cannot be read.

        Raises:
            EvaluationError: If an item cannot be scored, its parts come out of order, or more
                videos are unreadable than may be.
        """
        self._note(task_index, unreadable)
        parts = [(0, 1)] * len(items) if parts is None else parts
        with torch.no_grad():
            for item, part in zip(items, parts, strict=True):
                whole = self._whole(task_index, item, part)
                if whole is not None:
                    for protocol in self.tasks[task_index].protocols:
                        protocol.add(whole)

    def update_batch(
        self,
        task_index: int,
        batch: EncodedBatch,
        parts: Sequence[tuple[int, int]],
        unreadable: Sequence[Unreadable] = (),
    ) -> None:
        """Take in a batch of a task as it was encoded, with captions written where needed.

        Args:
            task_index: Which task.
            batch: Samples of this process alone: pooled vectors for ``windows``, tokens for
                ``features``, for ``frames`` tokens of one vector per frame, for ``caption`` what
                the head reads.
            parts: Which part of its item each sample is, and of how many.
            unreadable: What should be in this batch and cannot be read.

        Raises:
            EvaluationError: As :meth:`update` does.
        """
        needs = self.needs(task_index)
        with torch.no_grad():
            captions = self._captions(batch) if "caption" in needs else None
        items = list(encoded_items(batch, needs, captions=captions))
        self.update(task_index, items, parts, unreadable)

    def compute(self, *, partial: bool = False) -> list[Result]:
        """Score what all processes have taken in; all of them call this together.

        Args:
            partial: Whether the pass over the items was cut short, as by ``limit_val_batches`` or a
                sanity check: a video of which parts are missing is then not scored, and a protocol
                without an item has no result.

        Returns:
            One result per protocol, task by task, the same on every process.

        Raises:
            EvaluationError: On every process, if a part of a video is missing, more videos are
                unreadable than may be, or a protocol cannot score what came.
        """
        reports = gather_objects(_Report(self._unreadable, self._incomplete()))
        unreadable = {path: text for report in reports for path, text in report.unreadable.items()}
        self._refuse(unreadable)
        incomplete = sorted(text for report in reports for text in report.incomplete)
        if incomplete and not partial:
            message = f"{len(incomplete)} videos came without all of their parts: {incomplete[0]}"
            raise EvaluationError(message)
        cut_short = (f"{text}, since batches are limited" for text in incomplete)
        self._log([*unreadable.values(), *cut_short])
        results = [_result(protocol, partial=partial) for protocol in self._protocols()]
        return [result for result in results if result is not None]

    def _protocols(self) -> Iterator[Protocol]:
        return (protocol for task in self.tasks for protocol in task.protocols)

    def _clear(self) -> None:
        self._unreadable: dict[str, str] = {}
        self._unreadable_ids: list[set[str]] = [set() for _ in self.tasks]
        self._pending: list[dict[str, _Pending]] = [{} for _ in self.tasks]

    def _encoded(self, texts: Mapping[str, str], max_words: int | None) -> dict[str, Tensor]:
        """Encode a protocol's own texts, in chunks that depend on nothing else."""
        ids, vectors = iter(texts), dict[str, Tensor]()
        while chunk := list(islice(ids, _TEXT_CHUNK)):
            encode = cast("EncodeTexts", self._encode_texts)  # or it was refused
            rows = encode([texts[one] for one in chunk], max_words)
            vectors |= dict(zip(chunk, rows, strict=True))
        return vectors

    def _note(self, task_index: int, unreadable: Sequence[Unreadable]) -> None:
        for record in unreadable:
            self._unreadable[record.path] = record.describe()
            self._unreadable_ids[task_index].add(record.id)
            self._pending[task_index].pop(record.id, None)
        self._refuse(self._unreadable)

    def _refuse(self, unreadable: Mapping[str, str]) -> None:
        if len(unreadable) > self.max_unreadable:
            lines = "\n".join(f"  {reason}" for reason in sorted(unreadable.values()))
            message = (
                f"{len(unreadable)} videos cannot be read, and max_unreadable="
                f"{self.max_unreadable}:\n{lines}\nFix them, or pass a larger "
                "data.init_args.max_unreadable to evaluate without them"
            )
            raise EvaluationError(message)

    def _log(self, reasons: Sequence[str]) -> None:
        new = set(reasons) - self._logged
        self._logged |= new
        if process().rank == 0:
            for reason in sorted(new):
                _LOG.warning("not scored: %s", reason)

    def _captions(self, batch: EncodedBatch) -> Sequence[str]:
        generate = cast("Generate", self._generate)  # or it was refused
        captions, clips = generate(batch), int(batch.video.length.sum())
        if len(captions) != clips:
            message = f"{clips} clips were given {len(captions)} captions; one each was expected."
            raise EvaluationError(message)
        return captions

    def _whole(
        self, task_index: int, item: EncodedItem, part: tuple[int, int]
    ) -> EncodedItem | None:
        """Put a part to those before it; return the item where that was the last."""
        if item.id in self._unreadable_ids[task_index]:
            return None
        number, total = part
        pending = self._pending[task_index]
        came = pending.setdefault(item.id, _Pending(total, []))
        if (number, total) != (len(came.parts), came.total):
            message = (
                f"Part {number} of {total} of {item.id!r} came after {len(came.parts)} of "
                f"{came.total}, counted from 0; all parts of a video have to come in their order, "
                "on one process."
            )
            raise EvaluationError(message)
        came.parts.append(item)
        if len(came.parts) < total:
            return None
        del pending[item.id]
        return EncodedItem.joined(came.parts, embed=self._embed, match=self._match)

    def _incomplete(self) -> list[str]:
        return [
            f"{video!r} came with {len(came.parts)} of its {came.total} parts"
            for pending in self._pending
            for video, came in pending.items()
        ]


class _Pending(NamedTuple):
    """The parts of an item that have come.

    Attributes:
        total: How many there should be.
        parts: Those that are here, in their order.
    """

    total: int
    parts: list[EncodedItem]


class _Report(NamedTuple):
    """What was not scored on one process.

    Attributes:
        unreadable: Why, by path.
        incomplete: What came in parts.
    """

    unreadable: dict[str, str]
    incomplete: list[str]


def _result(protocol: Protocol, *, partial: bool) -> Result | None:
    def compute(states: Sequence[Any]) -> Result | None:
        merged = protocol.merge(states)
        return merged.result() if merged.state() or not partial else None

    state = protocol.state()
    return compute_once(state, compute) if protocol.central else compute(gather_objects(state))
