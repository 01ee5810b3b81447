"""Every clip against every caption of the batch: the contrastive loss without any alignment."""

from torch import Tensor

from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.heads.base import Grid
from vtlearn.heads.sequence import Direction, Pairs, SequenceContrast, Side, single_entries

__all__ = ["InfoNCE"]


class InfoNCE(SequenceContrast):
    """Contrast single clips with single captions; a clip's own caption is its one positive.

    The loss of a clip is -log softmax of its caption's score among all valid captions of the batch,
    and likewise for a caption; ``both`` takes their mean. With U units it is log U for an untrained
    model whose scores are all equal, and approaches 0. Where captions have candidates, only the
    caption itself (candidate 0) is used.

    Args:
        direction: Whether a video looks for its text, a text for its video, or both (their mean).
        temperature: What cosines are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).

    Source: A. van den Oord, Y. Li, O. Vinyals, "Representation Learning with Contrastive Predictive
    Coding", 2018, equation 4, with all other pairs of the batch as negatives.

    Example:
        >>> import torch
        >>> eye = torch.eye(2).reshape(2, 1, 2)
        >>> video = VideoFeatures(eye, None, torch.ones(2, dtype=torch.int64))
        >>> text = TextFeatures(eye[:, :, None], None, torch.ones(2, dtype=torch.int64))
        >>> loss, logs = InfoNCE(temperature=1.0)(video, text, Grid(start=0, own=2))
        >>> round(loss.item(), 4)  # log(1 + exp(-1))
        0.3133
    """

    def __init__(
        self,
        *,
        direction: Direction = "both",
        temperature: float = 0.07,
        learn_temperature: bool = False,
        normalize: bool = True,
    ) -> None:
        super().__init__(
            direction=direction,
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
        )

    def pairs(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> Pairs:
        """Take valid clips with their captions.

        Args:
            video: (batch, clips, dim).
            text: (batch, captions, candidates, dim); as many captions as clips.
            grid: Not used: nothing is drawn.

        Returns:
            One unit a clip that has a caption.
        """
        del grid
        return clip_pairs(self.embed(video.pooled), self.embed(text.pooled[:, :, :1]), video, text)

    def score(self, video: Side, text: Side) -> Tensor:
        """Multiply clips with captions.

        Args:
            video: (videos, dim).
            text: (texts, 1, dim).

        Returns:
            (videos, texts).
        """
        return video.vectors @ text.vectors[:, 0].T


def clip_pairs(clips: Tensor, captions: Tensor, video: VideoFeatures, text: TextFeatures) -> Pairs:
    """Make one unit of each clip that has a caption.

    Args:
        clips: Embedded clips, (batch, clips, dim).
        captions: Embedded captions, (batch, captions, candidates, dim).
        video: Where the clips' lengths come from.
        text: Where the captions' lengths come from.

    Returns:
        Units (units, dim) and (units, candidates, dim).
    """
    length = video.length.minimum(text.length)
    of_video, row, position = single_entries(clips, length)
    of_text, _, _ = single_entries(captions, length)
    one = length.new_ones(len(row))
    return Pairs(Side(of_video, one), Side(of_text, one), row, position)
