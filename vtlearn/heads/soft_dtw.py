"""Whole narrations compared by soft dynamic time warping: every clip and caption is used."""

from torch import Tensor

from vtlearn.alignment.costs import dot
from vtlearn.alignment.dtw import dtw
from vtlearn.alignment.soft_dtw import soft_alignment, soft_dtw
from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Alignment, Grid, only_video
from vtlearn.heads.sequence import Direction, Pairs, SequenceContrast, Side, grid_similarity

__all__ = ["SoftDTW", "narration_pairs"]


class SoftDTW(SequenceContrast):
    """Contrast whole videos with whole texts by the soft-DTW cost of their best alignments.

    The score of a video and a text is -softDTW of the cost 1 - <clip, caption>, and the loss is the
    cross-entropy of the true pair among all pairs of the batch. Candidates are not used.

    Args:
        gamma: Smoothing, in units of the cost; 0 takes the best path alone.
        direction: Whether a video looks for its text, a text for its video, or both (their mean).
        temperature: What costs are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).

    Raises:
        ArgumentError: If ``gamma`` is negative.

    Source: M. Cuturi, M. Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series",
    ICML 2017, equation 3; the contrast over pairs of a batch is VT-TWINS's, without its smoothing
    and its dummies.

    Example:
        >>> import torch
        >>> eye = torch.eye(3)[None].repeat(2, 1, 1)
        >>> length = torch.tensor([3, 3])
        >>> loss, _ = SoftDTW()(VideoFeatures(eye, None, length),
        ...                     TextFeatures(eye[:, :, None], None, length), Grid(0, 2))
        >>> round(loss.item(), 4)  # two equal pairs: log 2
        0.6931
    """

    def __init__(
        self,
        *,
        gamma: float = 0.1,
        direction: Direction = "both",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        normalize: bool = True,
    ) -> None:
        super().__init__(
            direction=direction,
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
        )
        if gamma < 0:
            message = f"gamma={gamma} of {type(self).__name__}: it has to be 0 or more"
            raise ArgumentError(message)
        self.gamma = gamma

    def pairs(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> Pairs:
        """Take narrations that have at least one clip and one caption.

        Args:
            video: (batch, clips, dim).
            text: (batch, captions, candidates, dim).
            grid: Not used: nothing is drawn.

        Returns:
            One unit a narration, (units, clips, dim) and (units, captions, dim).
        """
        del grid
        return narration_pairs(
            self.embed(video.pooled), self.embed(text.pooled[:, :, 0]), video, text
        )

    def score(self, video: Side, text: Side) -> Tensor:
        """Align every video with every text.

        Args:
            video: (videos, clips, dim).
            text: (texts, captions, dim).

        Returns:
            -softDTW, (videos, texts).
        """
        cost = 1 - grid_similarity(video.vectors, text.vectors)
        return -soft_dtw(cost, self.gamma, n=video.length[:, None], m=text.length[None])

    def align(self, video: VideoFeatures, text: TextFeatures) -> Alignment:
        """Align one video's clips with its captions.

        Args:
            video: A batch of one, (1, clips, dim).
            text: A batch of one, (1, captions, candidates, dim).

        Returns:
            The cost 1 - <clip, caption>, its soft alignment with this head's gamma, and the hard
            path.
        """
        clips, captions = (self.embed(x) for x in only_video(video, text))
        cost = 1 + dot(clips, captions)
        return Alignment(cost, soft_alignment(cost, self.gamma), dtw(cost))


def narration_pairs(
    clips: Tensor, captions: Tensor, video: VideoFeatures, text: TextFeatures
) -> Pairs:
    """Make one unit of each narration that has both clips and captions.

    Args:
        clips: Embedded clips, (batch, clips, dim).
        captions: Embedded captions, (batch, captions, dim).
        video: Where the clips' lengths come from.
        text: Where the captions' lengths come from.

    Returns:
        Units (units, clips, dim) and (units, captions, dim).
    """
    row = (video.length.minimum(text.length) > 0).nonzero().squeeze(1)
    return Pairs(
        Side(clips[row], video.length[row]), Side(captions[row], text.length[row]), row, row * 0
    )
