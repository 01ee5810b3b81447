"""How well a sentence fits the frames of its window."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from vtlearn.encoders.hub import explain_unreadable, read_config, read_model
from vtlearn.errors import ArgumentError
from vtlearn.learner import VideoTextLearner
from vtlearn.parameters import weights_sha256
from vtlearn.pseudolabel.captioner import FrameCaptioner, encode_frames, likelihoods
from vtlearn.pseudolabel.checkpoint import as_clips, require_pictures
from vtlearn.pseudolabel.pretrained import PICTURE_MODEL_FILES, read_pixels

__all__ = ["References", "Scorer"]

_REFERENCES = 16


class CaptionedWindow(NamedTuple):
    """A window of which sentences are to be scored.

    Attributes:
        video_id: Its video.
        frames: Which of a batch's frames it has.
        candidates: Sentences, all different; there may be none.
    """

    video_id: str
    frames: slice
    candidates: list[str]


class References(NamedTuple):
    """Frames of other videos, which a sentence should fit less than its own.

    Attributes:
        ids: Their videos, all different; one more than are compared with, since none is compared
            with its own video.
        frames: One of each, (videos, 3, size, size), uint8.
    """

    ids: list[str]
    frames: Tensor

    def others(self, video_id: str) -> list[int]:
        """Return which of them a video's sentences are compared with.

        Args:
            video_id: The video.
        """
        places = [place for place, other in enumerate(self.ids) if other != video_id]
        return places[:_REFERENCES]


class Scorer(ABC):
    """Compares sentences with the frames of windows.

    Attributes:
        name: What scores are said to be by.
    """

    name: str

    @abstractmethod
    def scores(self, frames: Tensor, seen: Any, windows: Sequence[CaptionedWindow]) -> list[Tensor]:
        """Score the sentences of windows.

        Args:
            frames: Of all windows, (frames, 3, size, size), uint8, on the CPU.
            seen: What the captioner's ``encode`` made of them.
            windows: The windows.

        Returns:
            For each window (candidates,), float, on the CPU; higher is better.
        """


class LiftScorer(Scorer):
    """How much likelier a sentence is for the window's frames than for those of other videos.

    The mean log-likelihood of a piece given a frame, less its mean over the references, averaged
    over the window's frames. Likelihood alone prefers what is often true, such as an empty room.

    Args:
        captioner: Says how likely sentences are.
        references: Frames of other videos.

    Raises:
        ArgumentError: If the captioner cannot tell, or there are not at least two references.
    """

    name = "lift"

    def __init__(self, captioner: FrameCaptioner, references: References) -> None:
        if len(references.ids) < 2:
            message = (
                "scorer=lift compares with frames of other videos, and fewer than two can be read: "
                "give more videos, or another scorer, match:CHECKPOINT or clip:MODEL"
            )
            raise ArgumentError(message)
        self._captioner, self._references = captioner, references
        self._seen = encode_frames(captioner, references.frames)
        require_likelihood(captioner, self._seen)

    @override
    def scores(self, frames: Tensor, seen: Any, windows: Sequence[CaptionedWindow]) -> list[Tensor]:
        texts = list(dict.fromkeys(text for window in windows for text in window.candidates))
        place = {text: number for number, text in enumerate(texts)}
        elsewhere = self._likelihood(self._seen, texts, len(self._references.ids))
        found = []
        for video_id, some, candidates in windows:
            here = self._likelihood(seen[some], candidates, some.stop - some.start).mean(0)
            others = elsewhere[self._references.others(video_id)]
            found.append(here - others[:, [place[text] for text in candidates]].mean(0))
        return found

    def _likelihood(self, seen: Any, texts: Sequence[str], count: int) -> Tensor:
        if not texts:
            return torch.zeros(count, 0, dtype=torch.float64)
        found = likelihoods(self._captioner, seen, texts, count)
        if found is None:
            raise ArgumentError(_untold(self._captioner))
        return found


class MatchScorer(Scorer):
    """How well an aligner of our own matches a sentence with each frame, on average.

    Args:
        learner: In evaluation mode, on its device.
        name: What its file is called.

    Raises:
        ArgumentError: If it does not compare texts with pictures.
    """

    def __init__(self, learner: VideoTextLearner, name: str) -> None:
        if learner.head.aligner is None or learner.text_encoder is None:
            message = (
                f"scorer=match:{name}: {type(learner.head).__name__} compares no texts here; give "
                "a checkpoint with an aligner, such as S2DTW, and a text encoder"
            )
            raise ArgumentError(message)
        require_pictures(learner, name)
        self._learner, self._match = learner, learner.head.aligner.match
        self._text_encoder = learner.text_encoder
        self._size = learner.video_encoder.size
        self.name = f"match:{name}:{weights_sha256(learner.state_dict())[:12]}"

    @override
    @torch.no_grad()
    def scores(self, frames: Tensor, seen: Any, windows: Sequence[CaptionedWindow]) -> list[Tensor]:
        clips, length = as_clips(self._learner, resized(frames, self._size))
        device = self._learner.device
        pooled = self._learner.video_encoder(clips.to(device), length).pooled
        return [self._compare(pooled[window.frames], window.candidates) for window in windows]

    def _compare(self, pooled: Tensor, candidates: list[str]) -> Tensor:
        if not candidates:
            return torch.zeros(0)
        tokens = self._text_encoder.tokenize(candidates)
        texts = self._text_encoder(type(tokens)(*(x.to(pooled.device) for x in tokens))).pooled
        return torch.stack([self._match(clip, texts) for clip in pooled]).mean(0).cpu()


class ClipScorer(Scorer):
    """The cosine between CLIP's vectors of a sentence and of each frame, on average.

    Args:
        name: The folder's name, or the model's on the hub.
        model: A CLIPModel of transformers, in evaluation mode, on its device.
        tokenizer: Its tokenizer.
        pixels: Scales pictures as it was trained on them.
        size: Height and width of these in pixels.
    """

    def __init__(
        self, name: str, model: Any, tokenizer: Any, pixels: Callable[[Tensor], Tensor], size: int
    ) -> None:
        self._model, self._tokenizer, self._pixels, self._size = model, tokenizer, pixels, size
        self._longest = int(model.config.text_config.max_position_embeddings)
        self.name = f"clip:{name}:{weights_sha256(model.state_dict())[:12]}"

    @override
    @torch.no_grad()
    def scores(self, frames: Tensor, seen: Any, windows: Sequence[CaptionedWindow]) -> list[Tensor]:
        pixels = self._pixels(resized(frames, self._size)).to(self._model.device)
        model = self._model
        pictures = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
        pictures = functional.normalize(pictures.float(), dim=-1)
        return [self._compare(pictures[window.frames], window.candidates) for window in windows]

    def _compare(self, pictures: Tensor, candidates: list[str]) -> Tensor:
        if not candidates:
            return torch.zeros(0)
        words = self._tokenizer(
            candidates, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        ).to(pictures.device)
        model = self._model
        texts = model.text_projection(
            model.text_model(
                input_ids=words.input_ids, attention_mask=words.attention_mask
            ).pooler_output
        )
        return (pictures @ functional.normalize(texts.float(), dim=-1).T).mean(0).cpu()


def open_clip(weights: str, device: torch.device) -> ClipScorer:
    """Open CLIP.

    Args:
        weights: A folder that ``save_pretrained`` wrote, with its tokenizer and
            preprocessor_config.json, or a name on the hub.
        device: Where it goes.

    Raises:
        ArgumentError: If it cannot be read.
    """
    from transformers import AutoTokenizer, CLIPConfig, CLIPModel

    config = read_config(CLIPConfig, weights, "scorer", files=PICTURE_MODEL_FILES)
    with explain_unreadable(weights, "scorer", files=PICTURE_MODEL_FILES):
        size, pixels = read_pixels(weights)
        tokenizer = AutoTokenizer.from_pretrained(weights)
    model = read_model(CLIPModel, weights, config, "scorer", files=PICTURE_MODEL_FILES)
    name = weights.rstrip("/").rpartition("/")[2]
    return ClipScorer(name, model.to(device).eval(), tokenizer, pixels, size)


def require_likelihood(captioner: FrameCaptioner, seen: Any) -> None:
    """Refuse a captioner that cannot say how likely a text is.

    Args:
        captioner: The captioner.
        seen: What it made of some frame.

    Raises:
        ArgumentError: If it cannot.
    """
    if captioner.log_likelihood(seen[:1], []) is None:
        raise ArgumentError(_untold(captioner))


def resized(frames: Tensor, size: int) -> Tensor:
    """Scale pictures to another size.

    Args:
        frames: (pictures, 3, height, width), uint8.
        size: Height and width that are wanted.

    Returns:
        (pictures, 3, size, size), uint8; the same where they have it.

    Example:
        >>> resized(torch.full((1, 3, 8, 8), 7, dtype=torch.uint8), 4).unique()
        tensor([7], dtype=torch.uint8)
    """
    if frames.shape[-1] == size:
        return frames
    scaled = functional.interpolate(
        frames.float(), (size, size), mode="bicubic", antialias=True, align_corners=False
    )
    return scaled.round().clamp(0, 255).to(torch.uint8)


def _untold(captioner: FrameCaptioner) -> str:
    return (
        f"{captioner.name} does not say how likely a text is, which scorer=lift is made of: name "
        "another scorer, match:CHECKPOINT or clip:MODEL"
    )
