"""Zero-shot recognition: the class of a video is the one whose name is most similar to it."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from typing_extensions import override

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.checks import check_choices, require_finite
from vtlearn.evaluation.encoded_item import Embed, EncodedItem, Pooling
from vtlearn.evaluation.labelled import LabelledProtocol, LabelledSplits
from vtlearn.evaluation.metrics.similarity import Similarity
from vtlearn.evaluation.result import Result

__all__ = ["ZeroShotRecognition"]


class ZeroShotRecognition(LabelledProtocol):
    """Score how often the most similar class name is that of a video's class.

    Nothing is trained: the test videos of each split are compared with the names of all classes,
    as a text of each prompt. Of several prompts a class is the mean of its texts' vectors. Of
    several classes that tie for the best one is drawn, and a hit counts by its probability.

    Metrics in percent: ``top1`` (the primary), the mean of all splits, and ``top1_split<n>``.
    Chance draws a class blindly.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        videos: The videos.
        names: Each class in words.
        prompts: Sentences in each of which ``{}`` stands for a class.
        windows: How the windows of a video are chosen, in words.
        similarity: ``cosine``, ``dot``, or None for the way the model's head was trained with;
            vectors that no head has embedded are then compared as they come.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for those
            of the encoders, ``unit`` for those of the encoders at unit length.

    Raises:
        ArgumentError: If there is no prompt, one has no ``{}``, a class has no name, or a choice is
            unknown.

    Example:
        >>> labels = {"a": "Chop", "b": "Fry"}
        >>> videos = LabelledSplits(labels, [frozenset("a")], [frozenset("b")])
        >>> names = {"Chop": "chop", "Fry": "fry"}
        >>> protocol = ZeroShotRecognition("few", 1, videos, names, windows="one")
        >>> protocol.texts
        {'Chop#0': 'chop', 'Fry#0': 'fry'}
        >>> protocol.begin("dot", dict(zip(protocol.texts, torch.eye(2))))
        >>> protocol.add(EncodedItem("b", windows=torch.tensor([[0.2, 0.7]])))
        >>> protocol.result().metrics["top1"]
        100.0
    """

    primary = "top1"

    def __init__(
        self,
        name: str,
        version: int,
        videos: LabelledSplits,
        names: Mapping[str, str],
        *,
        prompts: Sequence[str] = ("{}",),
        windows: str,
        similarity: Similarity | None = None,
        pooling: Pooling = "head",
    ) -> None:
        check_choices(name, similarity, pooling=pooling)
        _check_prompts(name, prompts)
        if unnamed := [label for label in videos.classes if label not in names]:
            message = f"{name}: the class {unnamed[0]!r} has no name in words."
            raise ArgumentError(message)
        super().__init__(name, version, videos, windows=windows, expected=videos.tested)
        self.similarity = similarity or (None if pooling == "head" else "dot")
        self.pooling = pooling
        self.settings = {"prompts": list(prompts)}
        self.texts = {
            f"{label}#{number}": prompt.replace("{}", names[label])
            for label in videos.classes
            for number, prompt in enumerate(prompts)
        }
        self._prompts = len(prompts)
        self._classes = torch.empty(0)

    @override
    def begin(
        self,
        similarity: Similarity = "cosine",
        text_vectors: Mapping[str, Tensor] | None = None,
        embed: Embed | None = None,
    ) -> None:
        """Forget what was added, and make a vector of each class.

        Args:
            similarity: How the model's head compares vectors.
            text_vectors: The raw vectors of ``texts`` by id, (dim,).
            embed: The head's embedding; None for vectors that are compared as they are.

        Raises:
            ArgumentError: If a text has no vector.
        """
        super().begin(similarity, text_vectors, embed)
        vectors = torch.stack([self.text_embeddings[one] for one in self.texts])
        vectors = vectors.unflatten(0, (-1, self._prompts))
        self._classes = vectors[:, 0]
        if self._prompts > 1:  # as the windows of a video are averaged
            mean = vectors.mean(1)
            self._classes = embed(mean) if self.pooling == "head" and embed is not None else mean

    def update(self, item: EncodedItem) -> float:
        """Compare a video with all classes.

        Args:
            item: The video.

        Returns:
            How likely it is told right, 0 to 1: a fraction only where classes tie for the best.

        Raises:
            EvaluationError: If it has no window, or a similarity is not finite.
        """
        scores = self.compare(item.clip(self.pooling)[None], self._classes)[0].cpu()
        require_finite(scores, f"The similarities of video {item.id!r}")
        best = scores == scores.max()
        own = self.videos.classes.index(self.videos.labels[item.id])
        return float(best[own]) / float(best.sum())

    def compute(self, kept: Mapping[str, float]) -> Result:
        """Score the videos that came.

        Args:
            kept: What :meth:`update` returned for each video.

        Returns:
            The share of test videos told right, in each split and on average.

        Raises:
            EvaluationError: If none of a split came.
        """
        hits = [{one: kept[one] for one in kept if one in test} for test in self.videos.test]
        return self.summarize_splits(hits, list(kept))


def _check_prompts(name: str, prompts: Sequence[str]) -> None:
    without = [prompt for prompt in prompts if "{}" not in prompt]
    if without or not prompts:
        got = repr(without[0]) if without else "no prompt"
        message = f"{name}: expected prompts in which {{}} stands for a class, got {got}."
        raise ArgumentError(message)
