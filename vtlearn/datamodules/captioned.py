"""What datamodules of captioned clips share: how they are scored."""

from collections.abc import Sequence

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.captioned import CaptionedClip, captioned_items
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.retrieval import Retrieval

__all__ = ["CaptionedData"]


class CaptionedData(VideoTextData):
    """Clips with written captions, and text-to-video retrieval among them."""

    def retrieval(
        self, name: str, version: int, clips: Sequence[CaptionedClip], windows: int
    ) -> EvaluationTask:
        """Make the task of finding each clip by each of its texts.

        Where two texts are equal, each counts its own clip alone.

        Args:
            name: The protocol's name.
            version: Its version.
            clips: What is searched, with the texts that ask for each.
            windows: Windows that are averaged, spread evenly over a clip.

        Returns:
            The task.
        """
        protocol = Retrieval(
            name,
            version,
            expected=[clip.id for clip in clips],
            relevance={text_id: [clip.id] for clip in clips for text_id in clip.text_ids},
            windows=f"{windows}, spread evenly over a clip and averaged",
        )
        items = EvaluationItems(captioned_items(clips, windows), self.reading, self.max_unreadable)
        return EvaluationTask([protocol], items, self.evaluation_batch_size)
