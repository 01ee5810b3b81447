"""Full-video retrieval: find the video of a paragraph, sentence by sentence."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import accumulate, chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import check_choices, require_finite
from vtlearn.evaluation.encoded_item import EncodedItem, Pooling
from vtlearn.evaluation.metrics.chance import Chance, chance_of
from vtlearn.evaluation.metrics.retrieval import expected_rank, ranks, recall_at
from vtlearn.evaluation.metrics.sequence_scores import check_finite_scores, sequence_scores
from vtlearn.evaluation.metrics.similarity import Similarity, comparable, product
from vtlearn.evaluation.protocol import Mode
from vtlearn.evaluation.reference import last_k_hits, published_full_video
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.sequences import SequenceProtocol

__all__ = ["FullVideo"]

_AT = (1, 5, 10)

Values = dict[str, NDArray[np.float64]]
Sentences = tuple[str, ...]


class FullVideo(SequenceProtocol):
    """Score how well a paragraph finds its video, by three ways of comparing sequences.

    ``cap_avg`` takes the best clip of each sentence, whatever their order; ``dtw`` the best
    monotone path through all sentences and clips; ``otam`` the same with free ends, once over the
    clips and once over the sentences. Costs are 1 - similarity, and are divided by the cells, or
    sentences and clips, that are matched, so that long videos are no easier or harder to find.
    Metrics of each, in percent: ``R@1``, ``R@5``, ``R@10``; ``median_rank`` from 1; and with
    ``groups`` ``order``, the R@1 among the videos of the query's group. Ties count by their
    expectation. Only videos all of whose items came are scored, and looked among.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        sequences: For each video id the ids of its items, in temporal order.
        paragraphs: For each video id its sentences by text id, in temporal order.
        windows: How the windows of an item are chosen, in words.
        whole: Whether an item is a stretch of video of which each window is a clip; otherwise an
            item is one clip, whose windows are pooled.
        select: Whether videos come with their background: for ``dtw`` and ``otam`` only the
            int(1.3 x sentences) clips nearest to any sentence of the paragraph are then kept.
        groups: For each video id its group, such as videos of the same steps in another order.
        similarity: ``cosine``, ``dot``, or None for the way the model's head was trained with;
            vectors that no head has embedded are then compared as they come.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for those
            of the encoders, ``unit`` for those of the encoders at unit length.
        mode: ``reference`` reproduces the released code with its padding, to compare with published
            figures: by dot product, with R@1, R@5 and R@10 alone.

    Raises:
        ArgumentError: If the ids contradict each other, or a choice is unknown.

    Example:
        >>> paragraphs = {"v": {"v/0": "cut", "v/1": "fry"}, "w": {"w/0": "fry", "w/1": "cut"}}
        >>> sequences = {"v": ["v0", "v1"], "w": ["w0", "w1"]}
        >>> protocol = FullVideo("few", 1, sequences, paragraphs, windows="one per segment")
        >>> cut, fry = torch.eye(2)
        >>> protocol.begin("cosine", {"v/0": cut, "v/1": fry, "w/0": fry, "w/1": cut})
        >>> for item, vector in {"v0": cut, "v1": fry, "w0": fry, "w1": cut}.items():
        ...     protocol.add(EncodedItem(item, windows=vector[None]))
        >>> result = protocol.result()
        >>> result.metrics["cap_avg_R@1"], result.metrics["dtw_R@1"], result.metrics["otam_R@1"]
        (50.0, 100.0, 100.0)

    Source:
        Y. Yang et al., TempCLR: Temporal Alignment Representation with Contrastive Learning, 2023,
        section on full-video retrieval. Its code pads and scales costs by the area of a pair's
        table; see :func:`~vtlearn.evaluation.reference.published_full_video`.
    """

    primary = "dtw_R@1"

    def __init__(
        self,
        name: str,
        version: int,
        sequences: Mapping[str, Sequence[str]],
        paragraphs: Mapping[str, Mapping[str, str]],
        *,
        windows: str,
        whole: bool = False,
        select: bool = False,
        groups: Mapping[str, str] | None = None,
        similarity: Similarity | None = None,
        pooling: Pooling = "head",
        mode: Mode = "exact",
    ) -> None:
        _check_mode(name, mode, similarity, groups)
        if mode == "reference":
            similarity = "dot"
        super().__init__(
            name, version, sequences, windows=windows, similarity=similarity, pooling=pooling
        )
        _check_paragraphs(name, sequences, paragraphs)
        if groups is not None and (missing := sorted(set(sequences) - set(groups))):
            message = f"{name}: the video {missing[0]!r} has no group; give one to every video."
            raise ArgumentError(message)
        self.mode = mode
        self.paragraphs = {video: dict(texts) for video, texts in paragraphs.items()}
        self.texts = dict(chain.from_iterable(texts.items() for texts in paragraphs.values()))
        self.whole = whole
        self.select = select
        self.groups = None if groups is None else dict(groups)
        self.settings = {"whole": whole, "select": select}

    def update(self, item: EncodedItem) -> Tensor:
        """Keep the clips of an item.

        Args:
            item: A segment, or with ``whole`` a stretch of video.

        Returns:
            Their vectors, (clips, dim), float32, on the CPU.

        Raises:
            EvaluationError: If there is no window, or a vector is not finite.
        """
        if self.whole and len(item.windows):
            clips = item.embedded(item.windows, self.pooling)
        else:
            clips = item.clip(self.pooling)[None]
        require_finite(clips, f"The vectors of item {item.id!r}")
        return clips.detach().to("cpu", torch.float32, copy=True)

    def compute(self, kept: Mapping[str, Tensor]) -> Result:
        """Score the videos that are complete.

        Args:
            kept: What :meth:`update` returned for each item.

        Returns:
            All metrics with their intervals.

        Raises:
            EvaluationError: If no video is complete, or widths differ.
        """
        videos = self.by_video(kept)
        self._check_widths(videos)
        clips = [torch.cat(items) for items in videos.values()]
        sentences = [self._sentences(video) for video in videos]
        values: Values = {}
        medians = {}
        for kind, scores in self._scores(sentences, clips).items():
            if self.mode == "reference":
                values |= _published_measures(kind, scores)
            else:
                values |= _measures(kind, scores, self._same_group(videos))
                medians[f"{kind}_median_rank"] = np.median
        return self.summarize(
            values,
            self.items_of(videos),
            medians,
            chance={
                name: chance for name, chance in self._chance(videos).items() if name in values
            },
            ceiling={name: most for name, most in self._ceiling(videos).items() if name in values},
        )

    def _sentences(self, video: str) -> Tensor:
        texts = self.paragraphs[video]
        vectors = torch.stack([self.text_embeddings[text] for text in texts])
        require_finite(vectors, f"The sentences of video {video!r}")
        return vectors.detach().to("cpu", torch.float32)

    def _check_widths(self, videos: Mapping[str, Sequence[Tensor]]) -> None:
        widths = {len(vector) for vector in self.text_embeddings.values()}
        for video, items in videos.items():
            widths |= {clips.shape[1] for clips in items}
            if len(widths) > 1:
                message = (
                    f"{self.name} cannot compare vectors of widths {sorted(widths)}, as it would "
                    f"have to for video {video!r}; all must come from the same model."
                )
                raise EvaluationError(message)

    def _scores(self, sentences: Sequence[Tensor], clips: Sequence[Tensor]) -> dict[str, Tensor]:
        """Score all pairs of paragraphs and videos, (paragraphs, videos), by each way."""
        rows, columns = (
            comparable(torch.cat(list(vectors)), self.compared_by) for vectors in (sentences, clips)
        )
        counts = [[len(vectors) for vectors in several] for several in (sentences, clips)]
        if self.mode == "exact":
            return sequence_scores(rows, columns, *counts, select=self.select)._asdict()
        runs = [[list(run) for run in _runs(several)] for several in counts]
        similarity = product(rows, columns)
        check_finite_scores(similarity)
        return published_full_video(similarity, *runs, select=self.select)._asdict()

    def _same_group(self, videos: Collection[str]) -> Tensor | None:
        """Mark the videos of each video's group, (videos, videos)."""
        if self.groups is None:
            return None
        number = {group: index for index, group in enumerate(sorted(set(self.groups.values())))}
        own = torch.tensor([number[self.groups[video]] for video in videos])
        return own[:, None] == own

    def _chance(self, videos: Collection[str]) -> dict[str, Chance]:
        """Return what a model reaches to which all videos are alike."""
        count = len(videos)
        shares = {f"R@{k}": np.full(count, min(1.0, k / count)) for k in _AT}
        if self.groups is not None:
            sizes = Counter(self.groups[video] for video in videos)
            shares["order"] = np.array([1 / sizes[self.groups[video]] for video in videos])
        found = {metric: chance_of(share) for metric, share in shares.items()}
        return {f"{kind}_{metric}": chance for kind in _KINDS for metric, chance in found.items()}

    def _ceiling(self, videos: Collection[str]) -> dict[str, float]:
        """Return what a model reaches that ties where paragraphs are equal, and nowhere else."""
        ceiling: dict[str, float] = {}
        for kind, equal in _KINDS.items():
            said = {video: equal(tuple(self.paragraphs[video].values())) for video in videos}
            alike = Counter(said.values())
            for k in _AT:
                shares = [min(1.0, k / alike[paragraph]) for paragraph in said.values()]
                ceiling[f"{kind}_R@{k}"] = 100 * float(np.mean(shares))
            if self.groups is not None:
                within = {video: (self.groups[video], one) for video, one in said.items()}
                sizes = Counter(within.values())
                ceiling[f"{kind}_order"] = 100 * float(
                    np.mean([1 / sizes[one] for one in within.values()])
                )
        return ceiling


def _in_any_order(paragraph: Sentences) -> Sentences:
    return tuple(sorted(paragraph))


def _in_order(paragraph: Sentences) -> Sentences:
    return paragraph


#: The ways to compare, and what of a paragraph each can see.
_KINDS: Mapping[str, Callable[[Sentences], Sentences]] = {
    "cap_avg": _in_any_order,
    "dtw": _in_order,
    "otam": _in_order,
}


def _measures(kind: str, scores: Tensor, same_group: Tensor | None) -> Values:
    """Return, for each metric, one value per query."""
    right = torch.arange(len(scores))
    counts = ranks(scores, right)
    values = {f"{kind}_R@{k}": 100 * recall_at(counts.greater, counts.ties, k) for k in _AT}
    values[f"{kind}_median_rank"] = expected_rank(counts.greater, counts.ties)
    if same_group is not None:
        within = ranks(scores.masked_fill(~same_group, -torch.inf), right)
        values[f"{kind}_order"] = 100 * recall_at(within.greater, within.ties, 1)
    return {metric: value.numpy() for metric, value in values.items()}


def _published_measures(kind: str, scores: Tensor) -> Values:
    hits = {k: last_k_hits(scores, k).double().numpy() for k in _AT}
    return {f"{kind}_R@{k}": 100 * hit for k, hit in hits.items()}


def _runs(counts: Sequence[int]) -> Iterator[range]:
    for count, end in zip(counts, accumulate(counts), strict=True):
        yield range(end - count, end)


def _check_mode(
    name: str, mode: str, similarity: str | None, groups: Mapping[str, str] | None
) -> None:
    check_choices(name, similarity, mode=mode)
    if mode == "reference" and (similarity not in ("dot", None) or groups is not None):
        message = (
            f"{name}: mode='reference' compares by dot product, and knows no groups; leave out "
            "similarity and groups, or set mode='exact'."
        )
        raise ArgumentError(message)


def _check_paragraphs(
    name: str, sequences: Mapping[str, object], paragraphs: Mapping[str, Mapping[str, str]]
) -> None:
    if differing := sorted(sequences.keys() ^ paragraphs.keys()):
        message = (
            f"{name}: the video {differing[0]!r} has items or a paragraph, and not both; give both "
            "to every video."
        )
        raise ArgumentError(message)
    owner: dict[str, str] = {}
    for video, texts in paragraphs.items():
        if not texts:
            message = f"{name}: the paragraph of video {video!r} has no sentence; leave it out."
            raise ArgumentError(message)
        for text in texts:
            if text in owner:
                message = (
                    f"{name}: the text id {text!r} is listed for the videos {owner[text]!r} and "
                    f"{video!r}; each sentence needs its own."
                )
                raise ArgumentError(message)
            owner[text] = video
