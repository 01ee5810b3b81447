"""VT-TWINS: alignment that smooths locally and may skip what has no counterpart."""

from torch import Tensor

from vtlearn.alignment.costs import dot
from vtlearn.alignment.dtw import HardPath, dtw
from vtlearn.alignment.s2dtw import s2dtw, s2dtw_cost
from vtlearn.alignment.soft_dtw import soft_alignment
from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.heads.base import Alignment, Grid, only_video
from vtlearn.heads.permutation import draws_for, permute_time
from vtlearn.heads.sequence import Direction, Pairs, Side, grid_similarity
from vtlearn.heads.soft_dtw import SoftDTW

__all__ = ["S2DTW"]


class S2DTW(SoftDTW):
    """Contrast whole videos with whole texts by locally smoothed, weak temporal alignment.

    The score of a video and a text is -S: soft-DTW of the cost -<clip, caption>, to which each
    cell's cheapest neighbour is added (``smoothing``) and between whose rows and columns lie
    dummies of a fixed cost, so that a path may pass by a clip or a caption (``dummy``). Optionally
    look-alike neighbours change places first (``permute``). Each of the three can be switched off:
    they are the paper's ablation. Candidates are not used.

    Args:
        gamma: Smoothing, in units of the cost.
        dummy: The cost of passing by, in units of the cost; None to have no dummies.
        smoothing: Add each cell's cheapest neighbour.
        permute: Draw an order of look-alike clips and captions anew in each training step.
        direction: ``text_to_video`` is the published code's; ``both`` is the mean of the two.
        temperature: What costs are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).

    Source: D. Ko, J. Choi, J. Ko, S. Noh, K.-W. On, E.-S. Kim, H. J. Kim, "Video-Text
    Representation Learning via Differentiable Weak Temporal Alignment", CVPR 2022. The released
    loss has one direction, text to video, and leaves the permutation out; videos and texts may here
    have different lengths.

    Example:
        >>> import torch
        >>> eye = torch.eye(3, dtype=torch.float64)
        >>> video = torch.stack([eye, eye.flip(0)])
        >>> text = torch.stack([eye, eye[[0, 2, 1]]])[:, :, None]
        >>> length = torch.tensor([3, 3])
        >>> loss, _ = S2DTW(direction="text_to_video")(
        ...     VideoFeatures(video, None, length), TextFeatures(text, None, length), Grid(0, 2))
        >>> round(loss.item(), 6)
        0.429105
    """

    def __init__(
        self,
        *,
        gamma: float = 0.1,
        dummy: float | None = 0.5,
        smoothing: bool = True,
        permute: bool = False,
        direction: Direction = "both",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        normalize: bool = True,
    ) -> None:
        super().__init__(
            gamma=gamma,
            direction=direction,
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
        )
        self.dummy = dummy
        self.smoothing = smoothing
        self.permute = permute

    def pairs(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> Pairs:
        """Take narrations that have at least one clip and one caption, permuted if asked for.

        Args:
            video: (batch, clips, dim).
            text: (batch, captions, candidates, dim).
            grid: Its seed decides the permutations.

        Returns:
            One unit a narration, (units, clips, dim) and (units, captions, dim).
        """
        pairs = super().pairs(video, text, grid)
        if not (self.permute and self.training):
            return pairs
        return pairs._replace(
            video=permute_time(pairs.video, draws_for(pairs.row, grid.seed, stream=0)),
            text=permute_time(pairs.text, draws_for(pairs.row, grid.seed, stream=1)),
        )

    def score(self, video: Side, text: Side) -> Tensor:
        """Align every video with every text.

        Args:
            video: (videos, clips, dim).
            text: (texts, captions, dim).

        Returns:
            -S, (videos, texts).
        """
        return -s2dtw(
            grid_similarity(video.vectors, text.vectors),
            self.gamma,
            dummy=self.dummy,
            smoothing=self.smoothing,
            n=video.length[:, None],
            m=text.length[None],
        )

    def align(self, video: VideoFeatures, text: TextFeatures) -> Alignment:
        """Align one video's clips with its captions, leaving out what is passed by.

        Little is at the published dummy cost of 0.5, because unrelated vectors cost about 0.

        Args:
            video: A batch of one, (1, clips, dim).
            text: A batch of one, (1, captions, candidates, dim).

        Returns:
            The cost -<clip, caption>; the share of paths through each clip and caption; and, of the
            best hard path among clips, captions and dummies, the cells of a clip and a caption.
        """
        clips, captions = (self.embed(x) for x in only_video(video, text))
        similarity = -dot(clips, captions)
        grid = s2dtw_cost(similarity, self.gamma, dummy=self.dummy, smoothing=self.smoothing)
        expected, path = soft_alignment(grid, self.gamma), dtw(grid)
        if self.dummy is None:
            return Alignment(-similarity, expected, path)
        return Alignment(-similarity, expected[1::2, 1::2], _without_dummies(path))


def _without_dummies(path: HardPath) -> HardPath:
    cells = path.cells[: int(path.length)]
    kept = cells[(cells % 2 == 1).all(1)] // 2
    # of a grid of 2N+1 by 2M+1 cells, whose paths have up to 2N+2M+1
    padded = kept.new_full((len(path.cells) // 2 - 1, 2), -1)
    padded[: len(kept)] = kept
    return HardPath(path.distance, padded, path.length.new_tensor(len(kept)))
