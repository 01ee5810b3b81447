"""Few-shot recognition: of which new class is a video, where a few videos of each are shown?"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.checks import require_not_negative, require_positive
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import check_choices, require_finite
from vtlearn.evaluation.encoded_item import EncodedItem, Pooling
from vtlearn.evaluation.metrics.chance import chance_of
from vtlearn.evaluation.metrics.episodes import draw_episodes, episode_accuracy
from vtlearn.evaluation.metrics.video_distances import pooled_distances, video_distances
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result

__all__ = ["FewShotRecognition"]

_GROUP_WAYS = 3

#: The positions of each class's videos.
Classes = Mapping[str, Sequence[int]]


class FewShotRecognition(Protocol):
    """Score how well the class of a video is told, where a few videos of each class are shown.

    An episode draws ``ways`` classes and of each some videos that are shown and one that is asked
    about, a query. Two videos are compared window by window by the cost 1 - cosine: ``dtw`` by
    soft-DTW, ``otam`` by OTAM both ways; and beside these by the cosine of their mean windows,
    ``mean``. A query's class is the one whose shown videos are nearest on average; of several that
    are equally near, one at random, by expectation. Metrics are the mean accuracy of the episodes,
    in percent: ``dtw_5way_1shot`` and the like; with groups also ``dtw_group_3way_1shot``, where
    the three classes of an episode are of one group. The interval is over the episodes, which are
    all drawn of the same videos: it says nothing about other videos.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        classes: For each class the ids of its videos.
        windows: How the windows of a video are chosen, in words.
        groups: For each class its group; one without may be left out.
        ways: Classes of an episode.
        shots: How many videos of a class are shown, each number by itself, with the same queries;
            the first is that of the primary figure.
        episodes: How many episodes are drawn, from seed 0.
        gamma: Smoothing of ``dtw`` and ``otam``, in units of the cost.
        pooling: What is compared: ``head`` for windows as the head embeds them, ``raw`` for those
            of the encoders.

    Raises:
        ArgumentError: If a number is outside its range, a video is of two classes, or no episode
            can be drawn.

    Source:
        Y. Yang et al., TempCLR: Temporal Alignment Representation with Contrastive Learning, 2023,
        which says of its few-shot recognition that videos are matched in the same way; no code of
        it was published.

    Example:
        >>> classes = {"go": ["a", "b"], "come": ["c", "d"]}
        >>> protocol = FewShotRecognition(
        ...     "few-shot", 1, classes, windows="2", ways=2, shots=[1], episodes=10
        ... )
        >>> protocol.begin()
        >>> for video, order in {"a": [0, 1], "b": [0, 1], "c": [1, 0], "d": [1, 0]}.items():
        ...     protocol.add(EncodedItem(video, windows=torch.eye(2)[order]))
        >>> metrics = protocol.result().metrics
        >>> metrics["dtw_2way_1shot"], metrics["mean_2way_1shot"]
        (100.0, 50.0)
    """

    central = True
    similarity = "cosine"

    def __init__(
        self,
        name: str,
        version: int,
        classes: Mapping[str, Sequence[str]],
        *,
        windows: str,
        groups: Mapping[str, str] | None = None,
        ways: int = 5,
        shots: Sequence[int] = (1, 5),
        episodes: int = 10_000,
        gamma: float = 0.1,
        pooling: Pooling = "head",
    ) -> None:
        check_choices(name, "cosine", pooling=pooling)
        _check_numbers(name, ways, shots, episodes)
        require_not_negative(gamma=gamma)
        _check_classes(name, classes, ways, max(shots) + 1)
        self.name, self.version = name, version
        self.classes = {label: list(ids) for label, ids in sorted(classes.items())}
        self.groups = dict(groups or {})
        self.windows, self.pooling = windows, pooling
        self.ways, self.shots, self.episodes, self.gamma = ways, list(shots), episodes, gamma
        self.primary = f"dtw_{ways}way_{self.shots[0]}shot"
        self.expected = [one for ids in self.classes.values() for one in ids]
        self.settings = {
            "ways": ways,
            "shots": self.shots,
            "episodes": episodes,
            "seed": 0,
            "gamma": gamma,
        }

    def update(self, item: EncodedItem) -> Tensor:
        """Keep the windows of a video.

        Args:
            item: A video.

        Returns:
            Its vectors, (windows, dim), float32, on the CPU.

        Raises:
            EvaluationError: If there is no window, or a vector is not finite.
        """
        if not len(item.windows):
            message = f"The video {item.id!r} has no window to compare."
            raise EvaluationError(message)
        vectors = item.embedded(item.windows, self.pooling)
        require_finite(vectors, f"The vectors of video {item.id!r}")
        return vectors.detach().to("cpu", torch.float32, copy=True)

    def compute(self, kept: Mapping[str, Tensor]) -> Result:
        """Score the videos that came.

        Args:
            kept: What :meth:`update` returned for each video.

        Returns:
            The mean accuracy of the episodes, by each way to compare, with its interval.

        Raises:
            EvaluationError: If too few videos of a class came, or videos differ in their windows.
        """
        windows = self._stacked(kept)
        place = {one: number for number, one in enumerate(kept)}
        classes = {
            label: [place[one] for one in ids if one in place]
            for label, ids in self.classes.items()
        }
        self._require_enough(classes)
        distances = {
            "dtw": video_distances(windows, "dtw", self.gamma).numpy(),
            "otam": video_distances(windows, "otam", self.gamma).numpy(),
            "mean": pooled_distances(windows).numpy(),
        }
        values: dict[str, NDArray[np.float64]] = {}
        chance = {}
        for prefix, ways, sets in self._sets(classes):
            drawn = draw_episodes(
                sets, ways=ways, videos=max(self.shots) + 1, episodes=self.episodes
            )
            queries = sum(len(of) for group in sets for of in group)
            # as many as there are videos: the episodes share them
            blind = chance_of(np.full(queries, 1 / ways))
            for kind, distance in distances.items():
                for shots in self.shots:
                    name = f"{kind}_{prefix}{ways}way_{shots}shot"
                    values[name] = 100 * episode_accuracy(distance, drawn, shots)
                    chance[name] = blind
        return self.summarize(values, list(kept), chance=chance)

    def _stacked(self, kept: Mapping[str, Tensor]) -> Tensor:
        shapes: dict[tuple[int, ...], str] = {}
        for one, vectors in kept.items():
            shapes.setdefault(tuple(vectors.shape), one)
        if len(shapes) > 1:
            (own, first), (other, second), *_ = shapes.items()
            message = (
                f"{self.name} compares videos of equally many windows: {first!r} has {own[0]} of "
                f"width {own[1]}, and {second!r} {other[0]} of width {other[1]}."
            )
            raise EvaluationError(message)
        return torch.stack(list(kept.values()))

    def _require_enough(self, classes: Classes) -> None:
        """Refuse to score classes of which videos are missing, where that leaves too few."""
        needed = max(self.shots) + 1
        for label, videos in classes.items():
            if len(videos) < needed:
                message = (
                    f"{self.name} needs {needed} videos of each class, and of {label!r} came "
                    f"{len(videos)} of {len(self.classes[label])}."
                )
                raise EvaluationError(message)

    def _sets(self, classes: Classes) -> Iterator[tuple[str, int, list[list[Sequence[int]]]]]:
        """Yield the classes that episodes are drawn of: all, and those of each group."""
        yield "", self.ways, [list(classes.values())]
        groups: dict[str, list[Sequence[int]]] = {}
        for label, group in sorted(self.groups.items()):
            if label in classes:
                groups.setdefault(group, []).append(classes[label])
        large = [members for members in groups.values() if len(members) >= _GROUP_WAYS]
        if large:
            yield "group_", _GROUP_WAYS, large


def _check_numbers(name: str, ways: int, shots: Sequence[int], episodes: int) -> None:
    require_positive(episodes=episodes)
    if ways < 2:
        message = f"{name}: ways={ways}; an episode needs 2 classes or more"
        raise ArgumentError(message)
    if not shots or min(shots) < 1 or len(set(shots)) < len(shots):
        message = f"{name}: expected shots of 1 or more, each once, got {list(shots)}"
        raise ArgumentError(message)


def _check_classes(name: str, classes: Mapping[str, Sequence[str]], ways: int, videos: int) -> None:
    if len(classes) < ways:
        message = f"{name} takes ways={ways} classes of an episode, and there are {len(classes)}"
        raise ArgumentError(message)
    owner: dict[str, str] = {}
    for label, ids in classes.items():
        if len(ids) < videos:
            message = (
                f"{name} needs {videos} videos of each class, and {label!r} has {len(ids)}: give "
                "more, or lower the shots"
            )
            raise ArgumentError(message)
        for one in ids:
            if one in owner:
                message = (
                    f"{name}: the video {one!r} is of the classes {owner[one]!r} and {label!r}; "
                    "it can be of one alone"
                )
                raise ArgumentError(message)
            owner[one] = label
