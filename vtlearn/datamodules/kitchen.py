"""Kitchen, rendered when it is first needed, for training and for its protocols."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vtlearn.checks import require_positive
from vtlearn.data_source import Stage
from vtlearn.datamodules.alignment_example import AlignmentExample
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.captioning import Task, captioning_task, writes
from vtlearn.datasets import kitchen
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.captioned import CaptionedCorpus
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.files import find_videos
from vtlearn.datasets.kitchen import (
    NarratedVideo,
    alignment_items,
    narrated_videos,
    retrieval_items,
    text_id,
    whole_video,
)
from vtlearn.datasets.kitchen_videos import (
    caption_clips,
    narration,
    plain_captions,
    step_items,
    step_text_ids,
    window_item,
    window_item_id,
)
from vtlearn.datasets.reading import ClipSampling, Pixels
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.evaluation.localization import NarrationAlignment
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.kitchen import KitchenCorpus
from vtlearn.media.captions import open_captions

__all__ = ["Kitchen"]

_FPS = 4.0  # half of what the videos have
_SPLITS: Mapping[Stage, str] = {"validate": "val", "test": "test"}


class Kitchen(VideoTextData):
    """Train and test on narrated cooking videos that are rendered when they are first needed.

    The protocols are ``kitchen-retrieval@1``, clips and plain captions, and
    ``kitchen-alignment@1``, when what a caption tells of is on screen. With ``whole_videos`` there
    are three of full-video retrieval as well, by
    :class:`~vtlearn.evaluation.full_video.FullVideo`: ``kitchen-video@1``, the steps of a video and
    their plain captions, in order; ``kitchen-video-background@1``, the same captions and windows of
    the whole video, of which those nearest to any caption are kept; and ``kitchen-narration@1``,
    all captions as they are said, chatter too, and all of these windows.

    With ``task: captioning`` a sample is a step of a training video and one of ten sentences that
    people would write of it, none of which the narrator says; the one protocol is
    ``kitchen-caption@1``, what the head writes of each step against all ten.

    Args:
        root: Where they are, or will be.
        sampling: What is drawn from a video; windows of the protocols are as long as its clips.
        overlap: Draw texts and clips of training narrations that only overlap in time, in place of
            a clip of each caption.
        pixels: What is made of the pictures.
        features: Folder of stored features to read in place of the videos' pixels.
        max_unreadable_fraction: Stop when more of the training videos than this cannot be read; one
            may be unreadable unless it is 0.
        unreadable_log: The file that names unreadable training videos; left out,
            ``unreadable.jsonl`` in the folder of the run.
        time_budget: Seconds that the clips of one video may take; decoding that takes longer is
            killed and the video counts as unreadable. Leave it out to let it take its time.
        seed: What is drawn is a function of it, the epoch, and the position in the corpus.
        batch_size: Narrations of a training batch over all processes together.
        evaluation_batch_size: Whole videos that are encoded together when scoring, and an eighth of
            the clips; a video of more than 16 windows is encoded by itself, 16 at a time.
        evaluation_chunk: Windows that are on the device at once when scoring.
        num_workers: Loader processes of each process; 0 to read in itself.
        max_unreadable: How many videos of a split may be missing when it is scored; what is scored
            without them is marked as not comparable.
        max_words: How many words of a text are read when scoring; left out, as many as in training.
        whole_videos: Score full-video retrieval as well. Its windows of whole videos are as long as
            a clip, or 3 s of stored features, one every 2 s.
        task: What is trained on and scored: narrations and ``retrieval``, or steps and
            ``captioning``. Clips are then the whole of a step (``sampling.whole``).
        caption_videos: For captioning, the training videos whose steps are trained on: so many, the
            first ones; left out, all.
        kitchen_seed: Another seed renders another Kitchen.
        kitchen: What the corpus is rendered with: how many videos, their size, how noisy the
            narrator is.

    Raises:
        ArgumentError: If an argument is outside its range, or does not go with the task.

    Example:
        >>> sampling = ClipSampling(num_frames=8, fps=4.0)
        >>> Kitchen(sampling=sampling, pixels=Pixels(size=64), shift=5.0).clip_shape
        ClipShape(num_frames=8, size=64)
    """

    def __init__(  # the loading arguments by name, since only one ** can be resolved
        self,
        root: Path = Path("data/kitchen"),
        *,
        sampling: ClipSampling | None = None,
        overlap: OverlapSampling | None = None,
        pixels: Pixels | None = None,
        features: Path | None = None,
        max_unreadable_fraction: float = 0.01,
        unreadable_log: Path | None = None,
        time_budget: float | None = None,
        seed: int = 0,
        batch_size: int = 16,
        evaluation_batch_size: int = 8,
        evaluation_chunk: int = 256,
        num_workers: int = 0,
        max_unreadable: int = 0,
        max_words: int | None = None,
        whole_videos: bool = False,
        task: Task = "retrieval",
        caption_videos: int | None = None,
        kitchen_seed: int = 0,
        **kitchen: Any,
    ) -> None:
        self.root = Path(root)
        sampling = sampling or ClipSampling()
        if sampling.fps is None and features is None:
            sampling = replace(sampling, fps=_FPS)
        super().__init__(
            batch_size=batch_size,
            evaluation_batch_size=evaluation_batch_size,
            evaluation_chunk=evaluation_chunk,
            num_workers=num_workers,
            max_unreadable=max_unreadable,
            max_words=max_words,
            sampling=sampling,
            overlap=overlap,
            pixels=pixels or Pixels(),
            features=features,
            max_unreadable_fraction=max_unreadable_fraction,
            unreadable_log=unreadable_log,
            time_budget=time_budget,
            seed=seed,
        )
        self.whole_videos, self.writes = whole_videos, writes(task)
        if self.writes:
            self.take_whole_clips()
        _check_task(task, whole_videos=whole_videos, caption_videos=caption_videos)
        self.caption_videos = caption_videos
        self.corpus = KitchenCorpus(root, seed=kitchen_seed, **kitchen)
        self._videos: dict[Stage, list[NarratedVideo]] = {}

    def prepare_data(self) -> None:
        """Render the videos unless they are there; a training forgets what was unreadable."""
        self.corpus.prepare()
        super().prepare_data()
        open_captions(self.root / "captions")

    def train_dataset(self) -> Corpus:
        """Return the training split: narrations, or the steps of its videos for captioning."""
        if self.writes:
            videos = narrated_videos(self.root, "train")[: self.caption_videos]
            return CaptionedCorpus(caption_clips(videos), self.reading)
        return kitchen.Kitchen(self.root, "train", self.reading)

    def videos(self) -> VideoList:
        """List the videos of all splits, to make features of.

        Raises:
            ArgumentError: If the corpus is set to read features itself.
        """
        require_pixels(self.reading.features)
        found = find_videos(self.root / "videos")
        return self._listed(list(found), [str(path) for path in found.values()])

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return clip retrieval and narration alignment on a split, and what else was asked for.

        Args:
            stage: Which split.

        Returns:
            These; for captioning that of all steps, and nothing else.
        """
        if self.writes:
            clips = caption_clips(self._split(stage))
            return [captioning_task(self, "kitchen-caption", 1, clips)]
        tasks = [self._retrieval(stage), self._alignment(stage)]
        if self.whole_videos:
            videos = self._split(stage)
            tasks += [self._steps(videos), *self._windows(videos)]
        return tasks

    def example(self) -> AlignmentExample | None:
        """Return the first validation video that can be read, with the truth of its captions."""
        for video in self._split("validate"):
            numbers = list(range(len(video.captions)))
            item = whole_video(video, numbers, self.reading.clip_seconds)
            told = video.told()
            with suppress(UnreadableVideoError):  # validation has its say about that
                return AlignmentExample(
                    sample=self._items([item]).sample(item),
                    truth=[told.get(number) for number in numbers],
                )
        return None

    def _retrieval(self, stage: Stage) -> EvaluationTask:
        items = retrieval_items(self._split(stage), self.reading.clip_seconds)
        protocol = Retrieval(
            "kitchen-retrieval",
            1,
            expected=[item.id for item in items],
            relevance={item.text_ids[0]: [item.id] for item in items},
            windows="one, from the middle of a pair's first occurrence",
        )
        size = 8 * self.evaluation_batch_size
        return EvaluationTask([protocol], self._items(items), size, self.max_words)

    def _alignment(self, stage: Stage) -> EvaluationTask:
        videos = self._split(stage)
        truth = {
            video.id: {text_id(video.id, number): span for number, span in video.told().items()}
            for video in videos
            if video.told()
        }
        protocol = NarrationAlignment(
            "kitchen-alignment", 1, truth=truth, windows="one a second over the whole video"
        )
        items = alignment_items(videos, self.reading.clip_seconds)
        size = self.evaluation_batch_size
        return EvaluationTask([protocol], self._items(items), size, self.max_words)

    def _steps(self, videos: Sequence[NarratedVideo]) -> EvaluationTask:
        protocol = FullVideo(
            "kitchen-video",
            1,
            {video.id: step_text_ids(video) for video in videos},
            {video.id: plain_captions(video) for video in videos},
            windows="the vectors of a step" if self._stored else "one, from the middle of a step",
        )
        items = step_items(videos, self.reading.clip_seconds, stored=self._stored)
        size = 8 * self.evaluation_batch_size
        return EvaluationTask([protocol], self._items(items), size, self.max_words)

    def _windows(self, videos: Sequence[NarratedVideo]) -> list[EvaluationTask]:
        """Return what is scored by windows of whole videos."""
        spoken = [video for video in videos if video.captions]
        background = self._whole("kitchen-video-background", videos, plain_captions, select=True)
        said = self._whole("kitchen-narration", spoken, narration, select=False)
        if len(spoken) == len(videos):  # one pass over them serves both
            return [self._window_task([background, said], videos)]
        silent = self._window_task([background], videos)
        return [silent, self._window_task([said], spoken)] if spoken else [silent]

    def _whole(
        self,
        name: str,
        videos: Sequence[NarratedVideo],
        paragraph: Callable[[NarratedVideo], Mapping[str, str]],
        *,
        select: bool,
    ) -> FullVideo:
        return FullVideo(
            name,
            1,
            {video.id: [window_item_id(video)] for video in videos},
            {video.id: paragraph(video) for video in videos},
            windows=f"of {'3 s' if self._stored else 'a clip'} over the whole video, every 2 s",
            whole=True,
            select=select,
        )

    def _window_task(
        self, protocols: Sequence[FullVideo], videos: Sequence[NarratedVideo]
    ) -> EvaluationTask:
        seconds = self.reading.clip_seconds
        items = [window_item(video, seconds, stored=self._stored) for video in videos]
        size = self.evaluation_batch_size
        return EvaluationTask(protocols, self._items(items), size, self.max_words)

    @property
    def _stored(self) -> bool:
        return self.reading.features is not None

    def _items(self, items: list[EvaluationItem]) -> EvaluationItems:
        return EvaluationItems(items, self.reading, self.max_unreadable)

    def _split(self, stage: Stage) -> list[NarratedVideo]:
        if stage not in self._videos:
            self._videos[stage] = narrated_videos(self.root, _SPLITS[stage])
        return self._videos[stage]


def _check_task(task: Task, *, whole_videos: bool, caption_videos: int | None) -> None:
    """Refuse what does not go with a task."""
    if task == "captioning" and whole_videos:
        message = (
            "whole_videos scores retrieval, and task=captioning captions: leave one of them out"
        )
        raise ArgumentError(message)
    if caption_videos is None:
        return
    require_positive(caption_videos=caption_videos)
    if task != "captioning":
        message = (
            "caption_videos says which steps captions are learned from: set "
            "data.init_args.task=captioning, or data.init_args.caption_videos=null"
        )
        raise ArgumentError(message)
