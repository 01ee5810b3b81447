"""HowTo100M, or any folder laid out like it, for training."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from vtlearn.checks import allowed_count, require_share
from vtlearn.data_source import Stage
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets import howto100m
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.holdout import HeldOutCaption, held_out_captions, held_out_names
from vtlearn.datasets.listing import CACHE, list_videos
from vtlearn.datasets.sampling.windows import WholeSegment
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.media.captions import open_captions
from vtlearn.storage.strings import Strings

__all__ = ["HowTo100M"]

_LOG = logging.getLogger(__name__)
_MIDDLE = "one, from the middle of a caption's time"
_WHOLE = "one, the whole time of a caption"


class HowTo100M(VideoTextData):
    """Train on narrated videos, and validate on some that are held out: there are no other splits.

    With ``holdout`` the protocol is ``own-retrieval@1``: each caption of the videos that are held
    out, a thousand at most, asks for its clip, the window in the middle of its time. Which videos
    and captions these are is a matter of their ids alone, so figures of one corpus can be compared.
    As many of the videos as ``max_unreadable_fraction`` allows may be unreadable, as in training:
    they are named, and figures without them marked.

    Args:
        captions: Folder of per-video captions or of pseudolabels, or one file of all.
        videos: Folder of the videos, however nested; a file's name less its suffix is the id.
        video_list: csv with a column ``video_path``; leave it out for every video with captions.
        max_missing_fraction: The share of the listed videos that may not be there; one may be
            missing unless it is 0. They are left out and counted.
        holdout: The share of the videos that is validated on, and not trained on; at least one
            video, unless it is 0. Videos are chosen by the hash of their names, without folders.
            The other sources of a :class:`~vtlearn.datamodules.Mixture` leave them out as well.
        cache: Where the table of captions, and the list of very many videos, are kept; ``.vtlearn``
            beside the captions by default.
        min_score: Of pseudolabels, the lowest score that is trained on; ``vtlearn pseudolabel``
            names the one at which half is kept.
        keep: Of pseudolabels, the share that is trained on: those with the highest scores.
        language: Of transcripts, as their names say, ``<id>.en.vtt``, or else they themselves:
            ``en``; leave it out for any. Those of other languages are left out, and those of which
            nothing says come last.
        loading: What every corpus takes.

    Example:
        >>> from vtlearn.datasets import ClipSampling, Pixels
        >>> sampling, pixels = ClipSampling(num_frames=16), Pixels(size=112)
        >>> data = HowTo100M(Path("c"), videos=Path("v"), sampling=sampling, pixels=pixels)
        >>> data.clip_shape
        ClipShape(num_frames=16, size=112)
    """

    def __init__(
        self,
        captions: Path,
        *,
        videos: Path | None = None,
        video_list: Path | None = None,
        max_missing_fraction: float = 0.01,
        holdout: float = 0.0,
        cache: Path | None = None,
        min_score: float | None = None,
        keep: float | None = None,
        language: str | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self._captions = Path(captions)
        self._opening: dict[str, Any] = {"cache": cache, "min_score": min_score, "keep": keep}
        self._folder, self._video_list, self._language = videos, video_list, language
        require_share(max_missing_fraction=max_missing_fraction, holdout=holdout)
        self._max_missing, self._holdout = max_missing_fraction, holdout
        self._left_out: frozenset[str] = frozenset()
        self._asked_for: list[HeldOutCaption] | None = None

    def prepare_data(self) -> None:
        """Read the captions and list the videos, once for all processes of a machine."""
        super().prepare_data()
        if self._captions.exists():  # or the corpus says later what is missing
            bad = self.reading.max_bad_cues
            open_captions(self._captions, **self._opening, max_bad_cues=bad)
            if self._folder is not None and self.reading.features is None and self._folder.is_dir():
                list_videos(self._folder, self._opening["cache"] or self._captions.parent / CACHE)

    def train_dataset(self) -> howto100m.HowTo100M:
        """Return the corpus, with what is held out beside it.

        Raises:
            CorpusNotFoundError: If its files are not there.
        """
        return self._corpus(self._holdout, self._left_out)

    @override
    def held_out_videos(self) -> frozenset[str]:
        if not self._holdout:
            return frozenset()
        return held_out_names(self.train_dataset().held_out.ids)

    @override
    def leave_out(self, videos: frozenset[str]) -> None:
        self._left_out = videos

    @override
    def videos(self) -> VideoList:
        require_pixels(self.reading.features)
        corpus = self._corpus(0.0)  # features are validated on as well
        sources = (corpus.source(index) for index in range(len(corpus)))
        return self._listed(corpus.ids, Strings.of(sources))

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return the retrieval of clips by captions of the videos that are held out.

        Args:
            stage: Which split; there is none to test on.
        """
        if stage == "test" or not self._holdout:
            return []
        captions = self._held_out()
        loader = ClipLoader(self.reading)
        items = [self._item(each, loader) for each in captions]
        protocol = Retrieval(
            "own-retrieval",
            1,
            expected=[item.id for item in items],
            relevance={item.id: [item.id] for item in items},
            windows=_WHOLE if self._is_whole else _MIDDLE,
            captions={each.id: each.caption.text for each in captions},
        )
        protocol.left_out_by = "set data.init_args.holdout=0"
        protocol.settings = {
            "holdout": self._holdout,
            "captions_sha256": _hash_captions(captions),
            "max_words": self.max_words,
        }
        readable = EvaluationItems(items, self.reading, self.max_unreadable)
        return [EvaluationTask([protocol], readable, self.evaluation_batch_size, self.max_words)]

    def _corpus(
        self, holdout: float, left_out: frozenset[str] = frozenset()
    ) -> howto100m.HowTo100M:
        return howto100m.HowTo100M(
            self._captions,
            videos=self._folder,
            video_list=self._video_list,
            language=self._language,
            max_missing_fraction=self._max_missing,
            holdout=holdout,
            left_out=left_out,
            reading=self.reading,
            **self._opening,
        )

    def _held_out(self) -> list[HeldOutCaption]:
        """Return the captions to score by, chosen once."""
        if self._asked_for is None:
            held_out = self.train_dataset().held_out
            self._asked_for = held_out_captions(held_out)
            captions = Counter(each.source for each in self._asked_for)
            # as in training, a few videos may be damaged, with all of their captions
            videos = allowed_count(self.reading.max_unreadable_fraction, len(captions))
            allowed = sum(count for _, count in captions.most_common(videos))
            self.max_unreadable = max(self.max_unreadable, allowed)
            message = "validating on %d captions of %d videos, which are held out"
            _LOG.info(message, len(self._asked_for), len(captions))
        return self._asked_for

    @property
    def _is_whole(self) -> bool:
        """Whether clips have the time of what is said."""
        return self.reading.sampling.whole or self.reading.overlap is not None

    def _item(self, each: HeldOutCaption, loader: ClipLoader) -> EvaluationItem:
        start, end, text = each.caption
        if self._is_whole:
            windows: WholeSegment | list[float] = WholeSegment(start, end)
        else:
            windows = [each.middle(loader.clip_seconds(each.source))]
        return EvaluationItem(each.id, each.source, windows, [text], [each.id], [(start, end)])


def _hash_captions(captions: Sequence[HeldOutCaption]) -> str:
    """Hash what figures depend on beside the ids."""
    told = [[each.id, *each.caption] for each in captions]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
