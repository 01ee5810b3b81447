"""A checkpoint of our own as what writes captions of frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from typing_extensions import override

from vtlearn.batch import EncodedBatch, Own
from vtlearn.encoding import encode_clips
from vtlearn.errors import ArgumentError
from vtlearn.learner import VideoTextLearner
from vtlearn.parameters import weights_sha256
from vtlearn.pseudolabel.captioner import FrameCaptioner

__all__: list[str] = []


@dataclass(frozen=True, slots=True)
class _Seen:
    """Encoded pictures; a slice is of those pictures."""

    pooled: Tensor
    tokens: Tensor | None
    token_length: Tensor | None

    def __getitem__(self, some: slice) -> Self:
        fields = self.pooled, self.tokens, self.token_length
        return type(self)(*(None if x is None else x[some] for x in fields))  # type: ignore[arg-type]

    def batch(self) -> EncodedBatch:
        """Return them as the clips of one sample."""
        count = len(self.pooled)
        own = Own(
            ids=[""],
            video_tokens=None if self.tokens is None else self.tokens[None],
            video_token_length=None if self.token_length is None else self.token_length[None],
            text_tokens=None,
            text_token_length=None,
            texts=[[""] * count],
            text_ids=[[]],
        )
        return EncodedBatch.of(self.pooled[None], self.pooled.new_zeros(1, count, 0), own=own)


class CheckpointCaptioner(FrameCaptioner):
    """Write captions by the captioner of a learner's head.

    Args:
        learner: In evaluation mode, on its device.
        name: What its file is called.

    Raises:
        ArgumentError: If its head does not write, or its encoder takes no pictures.
    """

    def __init__(self, learner: VideoTextLearner, name: str) -> None:
        captioner = learner.head.captioner
        if captioner is None:
            message = (
                f"{name} is a model with the head {type(learner.head).__name__}, which does not "
                "write: give a checkpoint of a captioner, such as CaptioningDecoder"
            )
            raise ArgumentError(message)
        require_pictures(learner, name)
        self._learner, self._captioner = learner, captioner
        self.size = learner.video_encoder.size
        self.name = f"{name}:{weights_sha256(learner.state_dict())[:12]}"

    @override
    @torch.no_grad()
    def encode(self, frames: Tensor) -> _Seen:
        clips, length = as_clips(self._learner, frames)
        encoder, device = self._learner.video_encoder, self._learner.device
        return _Seen(*encode_clips(encoder, clips, length, device))

    @override
    @torch.no_grad()
    def captions(self, frames: _Seen) -> list[str]:
        return self._captioner.generate(frames.batch())

    @override
    @torch.no_grad()
    def log_likelihood(self, frames: _Seen, texts: Sequence[str]) -> Tensor:
        if not texts or not len(frames.pooled):
            return torch.zeros(len(frames.pooled), len(texts))
        return self._captioner.log_likelihood(frames.batch(), texts).cpu()


def as_clips(learner: VideoTextLearner, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Make a clip of each picture: of one frame, or of as many as the encoder has to have.

    Args:
        learner: Has the encoder.
        frames: (pictures, 3, size, size), uint8.

    Returns:
        (pictures, frames, 3, size, size), and how many frames count, (pictures,).
    """
    encoder = learner.video_encoder
    count = 1 if encoder.accepts(1, encoder.size) else encoder.num_frames
    clips = frames[:, None].expand(-1, count, -1, -1, -1)
    return clips, torch.full((len(frames),), count)


def require_pictures(learner: VideoTextLearner, name: str) -> None:
    """Refuse a model of stored features.

    Args:
        learner: The model.
        name: What its file is called.

    Raises:
        ArgumentError: If its encoder reads stored vectors.
    """
    if learner.video_encoder.reads_stored:
        message = (
            f"{name} reads stored features ({type(learner.video_encoder).__name__}), and frames "
            "are pictures: give a checkpoint whose video encoder reads pixels"
        )
        raise ArgumentError(message)
