"""WebVid: train on alt text, some of which is not about its video."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from typing_extensions import override

from vtlearn.datamodules.benchmark import BenchmarkData, require_apart
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.clips import ClipLoader, duration_or
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.sampling.spans import clip_start
from vtlearn.datasets.webvid import annotation_files, read_matches, read_webvid
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.correspondence import Correspondence
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.kitchen.layouts import KitchenWebVid

__all__ = ["WebVid"]

_LOG = logging.getLogger(__name__)


class WebVid(BenchmarkData):
    """Train on WebVid, a moment of a video with its alt text at a time, and score retrieval.

    The protocol ``webvid-retrieval@1`` asks for each video of a list by its caption. Where it is
    known which training captions are about their videos, as Kitchen's copy does,
    ``kitchen-correspondence@1`` says at test how well the head's logit of the middle of each
    training video and its caption tells those that are from those that are not.

    Args:
        root: The folder of videos and lists; see :func:`~vtlearn.datasets.webvid.read_webvid`.
        train_list: The list that is trained on. In Kitchen's copy
            ``results_2M_train_mismatched_40.csv`` has 40 % of the captions from other videos.
        validation_list: The list that a training is validated on; None to keep its last checkpoint.
        test_list: The list that is scored at test; None where there is none, as of WebVid's own.
        benchmark: How it is scored.

    Example:
        >>> data = WebVid(Path("data/webvid"), train_list="results_10M_train.csv", test_list=None)
        >>> data.train_split, data.matches()
        ('results_10M_train.csv', {})
    """

    has_references = False  # an alt text is no description

    def __init__(
        self,
        root: Path = Path("data/webvid"),
        *,
        train_list: str = "results_2M_train.csv",
        validation_list: str | None = "results_2M_val.csv",
        test_list: str | None = "results_2M_test.csv",
        **benchmark: Any,
    ) -> None:
        super().__init__(root, **benchmark)
        self.train_split = train_list
        self.validation_list, self.test_list = validation_list, test_list
        self._durations: dict[str, float] = {}

    @override
    def matches(self) -> dict[str, bool]:
        return read_matches(self.root, self.train_split)

    def test_tasks(self) -> list[EvaluationTask]:
        """Return retrieval on the test list, and correspondence where that is known.

        Raises:
            ArgumentError: If there is no test list.
        """
        if self.test_list is None:
            message = (
                "WebVid has no test list; set data.init_args.test_list to the name of one, "
                "results_2M_val.csv for example"
            )
            raise ArgumentError(message)
        tasks = [self._retrieval(self.test_list)]
        if self.videos_needed and self._telling:
            tasks.append(self._correspondence())
        return tasks

    def validation_tasks(self) -> list[EvaluationTask]:
        """Return retrieval on the validation list, if there is one."""
        if self.validation_list is None:
            return []
        if self.test_list is not None:
            validation, test = (
                [clip.id for clip in self.list_split(one, None)]
                for one in (self.validation_list, self.test_list)
            )
            require_apart("WebVid", validation, test)
        return [self._retrieval(self.validation_list)]

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenWebVid(self.root).prepare()

    def list_split(self, split: str, max_missing: float | None) -> Sequence[CaptionedClip]:
        """List the videos of a list.

        Args:
            split: The list's file.
            max_missing: How many of the videos may lack their files; None for any number.
        """
        return read_webvid(self.root, split, videos=self.videos_root, max_missing=max_missing)

    def video_files(self) -> dict[str, Path]:
        """Return the files of all videos, those that are scored as well."""
        lists = (self.train_split, self.validation_list, self.test_list)
        return self.files_of([one for one in lists if one is not None])

    @cached_property
    def _telling(self) -> dict[str, bool]:
        """Whether training captions match, by id; empty where there is nothing to tell apart."""
        known = self.matches()
        if not known:
            return {}
        ids = (clip.id for clip in self.clips(self.train_split))
        matches = {one: known[one] for one in ids if one in known}
        if len(set(matches.values())) == 2:
            return matches
        _LOG.info(
            "kitchen-correspondence is not scored: %d of %d captions in %s match their videos",
            *(sum(matches.values()), len(matches), self.train_split),
        )
        return {}

    def _retrieval(self, name: str) -> EvaluationTask:
        task = self.retrieval("webvid-retrieval", 1, self.clips(name), self.windows)
        return self.annotated(task, name, annotation_files(self.root, name))

    def _correspondence(self) -> EvaluationTask:
        windows = "one, from the middle of a clip"
        protocol = Correspondence("kitchen-correspondence", 1, self._telling, windows)
        loader = ClipLoader(self.reading)
        items = [
            EvaluationItem(
                *(clip.id, clip.path, [self._middle(loader, clip)], clip.texts, clip.text_ids)
            )
            for clip in self.clips(self.train_split)
            if clip.id in self._telling
        ]
        files = annotation_files(self.root, self.train_split)
        return self.annotated(self.task([protocol], items), self.train_split, files)

    def _middle(self, loader: ClipLoader, clip: CaptionedClip) -> float:
        """Return when the window in the middle of a clip starts, in seconds."""
        if clip.id not in self._durations:
            self._durations[clip.id] = duration_or(loader, clip.path, 0.0)
        return clip_start(0.0, self._durations[clip.id], self.reading.clip_seconds)
