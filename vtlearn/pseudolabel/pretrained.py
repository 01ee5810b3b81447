"""Image captioners of the transformers library, from a folder or by their name on the hub.

Those that caption a picture without a prompt: BLIP, GIT, and an image encoder with a text decoder
(ViT-GPT2). transformers is imported when one is opened, because that takes seconds.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from vtlearn.encoders.hub import explain_unreadable, read_model
from vtlearn.errors import ArgumentError
from vtlearn.parameters import weights_sha256
from vtlearn.pseudolabel.captioner import FrameCaptioner

__all__: list[str] = []

PICTURE_MODEL_FILES = (
    "config.json, model.safetensors (or pytorch_model.bin), preprocessor_config.json, "
    "tokenizer_config.json and tokenizer.json (or vocab.txt, or vocab.json and merges.txt)"
)
"""What a folder of a model of pictures and texts has, for messages."""

_BEAMS, _MAX_NEW = 3, 30
_ROWS = 64  # pairs of a picture and a text that are on the device at once
_IGNORED = -100


class PretrainedCaptioner(FrameCaptioner):
    """Write captions by a model of transformers.

    Args:
        name: The folder's name, or the model's on the hub.
        model: It, in evaluation mode, on its device.
        tokenizer: Its tokenizer.
        pixels: Scales pictures as it was trained on them.
        size: Height and width of these in pixels.
    """

    def __init__(
        self, name: str, model: Any, tokenizer: Any, pixels: Callable[[Tensor], Tensor], size: int
    ) -> None:
        self._model, self._tokenizer, self._pixels = model, tokenizer, pixels
        self.size = size
        self.name = f"{name}:{weights_sha256(model.state_dict())[:12]}"
        self._begin, self._end, self._padding = self.special()

    @abstractmethod
    def special(self) -> tuple[int, int, int]:
        """Return the pieces that begin and end a text, and that of padding."""

    @abstractmethod
    def logits(self, frames: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Predict the piece after each, (texts, pieces, vocabulary).

        Args:
            frames: What :meth:`encode` returned, one for each text.
            ids: (texts, pieces).
            mask: Which of them are not padding, (texts, pieces), int64.
        """

    @abstractmethod
    def write(self, frames: Tensor) -> Tensor:
        """Write texts, (pictures, pieces), by beam search."""

    @override
    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        return self.see(self._pixels(frames).to(self._model.device))

    def see(self, pixels: Tensor) -> Tensor:
        """Encode pictures where what texts are written from is the same for every text.

        Args:
            pixels: (pictures, 3, size, size), as the model was trained on them.
        """
        return pixels

    @override
    @torch.no_grad()
    def captions(self, frames: Tensor) -> list[str]:
        special = {self._begin, self._end, self._padding, *self._tokenizer.all_special_ids}
        rows = self.write(frames).tolist() if len(frames) else []
        rows = [[piece for piece in row if piece not in special] for row in rows]
        return [str(self._tokenizer.decode(row)) for row in rows]

    @override
    @torch.no_grad()
    def log_likelihood(self, frames: Tensor, texts: Sequence[str]) -> Tensor:
        rows = [self._pieces(text) for text in texts]
        pairs = [(frame, row) for frame in range(len(frames)) for row in rows]
        found = [torch.zeros(0)]
        for first in range(0, len(pairs), _ROWS):
            places, some = zip(*pairs[first : first + _ROWS], strict=True)
            found.append(self._likelihoods(frames[list(places)], some))
        return torch.cat(found).reshape(len(frames), len(texts))

    def _pieces(self, text: str) -> list[int]:
        pieces = self._tokenizer(text, add_special_tokens=False).input_ids
        return [self._begin, *pieces, self._end]

    def _likelihoods(self, frames: Tensor, rows: Sequence[list[int]]) -> Tensor:
        """Compute the mean log-probability of the pieces after the first of each row, (rows,)."""
        longest = max(map(len, rows))
        padded = [row + [self._padding] * (longest - len(row)) for row in rows]
        ids = torch.tensor(padded, device=frames.device)
        length = torch.tensor([len(row) for row in rows], device=frames.device)
        mask = torch.arange(longest, device=frames.device) < length[:, None]
        targets = ids.masked_fill(~mask, _IGNORED)[:, 1:]
        logits = self.logits(frames, ids, mask.long())[:, :-1].float()
        losses = functional.cross_entropy(
            logits.transpose(1, 2), targets, ignore_index=_IGNORED, reduction="none"
        )
        return (-losses.sum(1) / (length - 1)).cpu()


class _Blip(PretrainedCaptioner):
    @override
    def special(self) -> tuple[int, int, int]:
        text = self._model.config.text_config
        return text.bos_token_id, text.sep_token_id, text.pad_token_id

    @override
    def see(self, pixels: Tensor) -> Tensor:
        seen: Tensor = self._model.vision_model(pixel_values=pixels)[0]
        return seen

    @override
    def logits(self, frames: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        found: Tensor = self._model.text_decoder(
            input_ids=ids,
            attention_mask=mask,
            encoder_hidden_states=frames,
            encoder_attention_mask=torch.ones(frames.shape[:2], device=frames.device).long(),
        ).logits
        return found

    @override
    def write(self, frames: Tensor) -> Tensor:
        found: Tensor = self._model.text_decoder.generate(
            input_ids=torch.full((len(frames), 1), self._begin, device=frames.device),
            encoder_hidden_states=frames,
            encoder_attention_mask=torch.ones(frames.shape[:2], device=frames.device).long(),
            eos_token_id=self._end,
            pad_token_id=self._padding,
            num_beams=_BEAMS,
            max_new_tokens=_MAX_NEW,
            do_sample=False,
        )
        return found


class _Git(PretrainedCaptioner):
    @override
    def special(self) -> tuple[int, int, int]:
        config = self._model.config
        return config.bos_token_id, config.eos_token_id, config.pad_token_id

    @override
    def logits(self, frames: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        # of pictures, which come first, pieces are predicted as well
        found: Tensor = self._model(pixel_values=frames, input_ids=ids, attention_mask=mask).logits
        return found[:, -ids.shape[1] :]

    @override
    def write(self, frames: Tensor) -> Tensor:
        return _written(self._model, frames, self._end, self._padding)


class _EncoderDecoder(PretrainedCaptioner):
    @override
    def special(self) -> tuple[int, int, int]:
        config = self._model.config  # older ones say it themselves, others in generation_config
        said = self._model.generation_config, config, config.decoder
        begin = _first(said, "decoder_start_token_id", "bos_token_id")
        end = _first(said, "eos_token_id")
        return begin, end, _first(said, "pad_token_id", "eos_token_id")

    @override
    def logits(self, frames: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        found: Tensor = self._model(
            pixel_values=frames, decoder_input_ids=ids, decoder_attention_mask=mask
        ).logits
        return found

    @override
    def write(self, frames: Tensor) -> Tensor:
        return _written(self._model, frames, self._end, self._padding)


#: Model types that caption a picture without a prompt.
_KINDS: dict[str, type[PretrainedCaptioner]] = {
    "blip": _Blip,
    "git": _Git,
    "vision-encoder-decoder": _EncoderDecoder,
}


def open_pretrained(weights: str, device: torch.device) -> PretrainedCaptioner:
    """Open an image captioner of transformers.

    Args:
        weights: A folder that ``save_pretrained`` wrote, with its tokenizer and
            preprocessor_config.json, or a name on the hub.
        device: Where it goes.

    Returns:
        The captioner.

    Raises:
        ArgumentError: If it cannot be read, or does not caption without a prompt.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer

    name = weights.rstrip("/").rpartition("/")[2]
    explained = partial(explain_unreadable, weights, "captioner", files=PICTURE_MODEL_FILES)
    with explained():
        config: Any = AutoConfig.from_pretrained(weights)
    model_type = config.model_type
    kind = _KINDS.get(model_type)
    if kind is None:
        message = (
            f"captioner: {weights} is of model type {model_type}, which does not "
            f"caption a picture without a prompt; expected one of {', '.join(_KINDS)}. For others "
            "write a FrameCaptioner and give its class path"
        )
        raise ArgumentError(message)
    with explained():
        size, pixels = read_pixels(weights)
        tokenizer = AutoTokenizer.from_pretrained(weights)
    model = read_model(
        *(AutoModelForImageTextToText, weights, config, "captioner"),
        files=PICTURE_MODEL_FILES,
        unused="pooler",
    )
    with explained():  # its configuration may name no beginning
        return kind(name, model.to(device).eval(), tokenizer, pixels, size)


def read_pixels(weights: str) -> tuple[int, Callable[[Tensor], Tensor]]:
    """Read how pictures are scaled before a model of transformers sees them.

    Not its image processor, which does to each picture what was done to a video's frames already:
    here pictures are squares of the right size.

    Args:
        weights: A folder with preprocessor_config.json, or a name on the hub.

    Returns:
        Height and width in pixels; what turns uint8 pictures into what the model takes.

    Raises:
        OSError: If the file is not there.
        ValueError: If it does not say what is needed.
    """
    from transformers.image_processing_base import ImageProcessingMixin

    content, _ = ImageProcessingMixin.get_image_processor_dict(weights)
    size = content.get("crop_size") if content.get("do_center_crop") else content.get("size")
    sides = set(size.values()) if isinstance(size, dict) else {size}
    side = next(iter(sides), None)
    if len(sides) != 1 or not isinstance(side, int):
        message = f"preprocessor_config.json says that pictures are {size}; they have to be squares"
        raise ValueError(message)
    mean, std = (
        torch.tensor(content.get(key) or [value] * 3).reshape(3, 1, 1)
        for key, value in (("image_mean", 0.5), ("image_std", 0.5))
    )
    return side, lambda frames: (frames.float() / 255 - mean) / std


def _written(model: Any, frames: Tensor, end: int, padding: int) -> Tensor:
    found: Tensor = model.generate(
        pixel_values=frames,
        eos_token_id=end,
        pad_token_id=padding,
        num_beams=_BEAMS,
        max_new_tokens=_MAX_NEW,
        do_sample=False,
    )
    return found


def _first(configs: Sequence[Any], *names: str) -> int:
    """Return the first piece of these names that a configuration knows.

    Raises:
        ValueError: If none does.
    """
    found = (getattr(config, name, None) for name in names for config in configs)
    piece = next((one for one in found if isinstance(one, int)), None)
    if piece is None:
        message = f"its configuration names no {names[0]}"
        raise ValueError(message)
    return piece
