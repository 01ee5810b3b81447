"""Linear probe: recognise actions by linear classifiers of a frozen encoder's features."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.labelled import LabelledProtocol, LabelledSplits, features_of
from vtlearn.evaluation.result import Result
from vtlearn.storage.imports import require

__all__ = ["LinearProbe"]

_LOG = logging.getLogger(__name__)

_C = 100  # how much an error costs, against the size of the weights
_FLOAT = np.float64  # what liblinear computes in

#: One float32 feature per window of a video, (windows, width).
Features = NDArray[np.float32]


class LinearProbe(LabelledProtocol):
    """Score how often a linear classifier of features tells the class of a video.

    In each split, scikit-learn's ``LinearSVC(C=100, random_state=0)`` is fitted on the features of
    all windows of the training videos, each a sample, as they come: not scaled, not mirrored. A
    test video is of the class whose decision values, added up over its windows, are highest; of
    several that tie, one is drawn, and a hit counts by its probability.

    Metrics in percent: ``top1`` (the primary), the mean of all splits, and ``top1_split<n>``.
    Chance draws a class blindly. A feature is the mean of a window's tokens, before any projection.
    Features of all videos are gathered to one process, which fits; they take 4 bytes per number
    there, and those of the training windows of a split 24 more while it is fitted.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        videos: The videos.
        windows: How the windows of a video are chosen, in words.

    Raises:
        MissingPackageError: If scikit-learn is not installed.
        ArgumentError: If the videos have one class alone.

    Source:
        The released evaluations of MIL-NCE (Miech et al., 2020) and VT-TWINS (Ko et al., 2022) on
        UCF101 and HMDB51. Both prepare mirrored windows and classify without them.
    """

    similarity = "none"
    primary = "top1"
    needs = frozenset({"features"})
    central = True

    def __init__(self, name: str, version: int, videos: LabelledSplits, *, windows: str) -> None:
        super().__init__(name, version, videos, windows=windows, expected=list(videos.labels))
        self.settings = {
            "classifier": f"LinearSVC(C={_C}, random_state=0)",
            "scikit-learn": _sklearn("sklearn").__version__,
        }

    def update(self, item: EncodedItem) -> Features:
        """Take the features of a video.

        Args:
            item: The video.

        Returns:
            (windows, width), float32.

        Raises:
            EvaluationError: If one is not finite, or it has no window.
        """
        return features_of(item).numpy()

    def compute(self, kept: Mapping[str, Features]) -> Result:
        """Fit a classifier in each split, and test it.

        Args:
            kept: The features of each video.

        Returns:
            The share of test videos told right, in each split and on average.

        Raises:
            EvaluationError: If the training videos that came are of one class, or no test video
                came.
        """
        hits: list[dict[str, float]] = []
        notes: list[str] = []
        splits = list(zip(self.videos.train, self.videos.test, strict=True))
        for number, (train, test) in enumerate(splits, 1):
            _LOG.info("%s: fitting split %d of %d", self.name, number, len(splits))
            classifier = self._fitted(number, [one for one in kept if one in train], kept)
            if classifier.n_iter_ >= classifier.max_iter:
                notes.append(
                    f"the classifier of split {number} did not converge in "
                    f"{classifier.max_iter} iterations: with more of them its figure may differ"
                )
                _LOG.warning("%s: %s", self.name, notes[-1])
            hits.append({one: self._hit(classifier, one, kept[one]) for one in kept if one in test})
        return self.summarize_splits(hits, list(kept), notes=notes)

    def _fitted(self, number: int, train: Sequence[str], kept: Mapping[str, Features]) -> Any:
        """Fit a classifier on all windows of some videos."""
        labels = [self.videos.labels[one] for one in train for _ in kept[one]]
        if len(set(labels)) < 2:
            message = (
                f"{self.name} has nothing to fit: the {len(train)} training videos of split "
                f"{number} that came are of {len(set(labels))} classes, and two are needed."
            )
            raise EvaluationError(message)
        svm, exceptions = (_sklearn(f"sklearn.{name}") for name in ("svm", "exceptions"))
        classifier = svm.LinearSVC(C=_C, random_state=0)
        with warnings.catch_warnings():  # which would not say of which split
            warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
            # in one copy, of what liblinear reads
            classifier.fit(np.concatenate([kept[one] for one in train], dtype=_FLOAT), labels)
        return classifier

    def _hit(self, classifier: Any, video: str, features: Features) -> float:
        """Return how likely a video is told right, 0 to 1."""
        values = classifier.decision_function(features.astype(_FLOAT)).sum(0)
        if values.ndim == 0:  # of two classes, one value says how much more it is the second
            values = np.array([-values, values])
        best = values == values.max()
        return float((classifier.classes_[best] == self.videos.labels[video]).mean())


def _sklearn(module: str) -> ModuleType:
    return require(module, extra="eval", purpose="A linear probe")
