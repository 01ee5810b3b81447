"""VideoCLIP and what stands on it: TempCLR's three files and Norton's have the same names.

``checkpoint_best.pt`` is fairseq's, weights under ``model`` with ``mmmodel.`` before each name: two
BERTs, the first of which reads stored vectors in place of words. None carries its vocabulary, which
is bert-base-uncased's.

Source: the published code of Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot
    Video-Text Understanding", 2021 (``MMFusionSeparate``).
"""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from vtlearn.encoders.text import Bert
from vtlearn.encoders.video import VideoCLIP
from vtlearn.heads import InfoNCE
from vtlearn.interop.published import Published, size_of
from vtlearn.interop.reading import PublishedFile

__all__: list[str] = []

_TOKENS = "video_encoder.videomlp.linear1.weight"
_VIDEO, _TEXT = "video_encoder.bert.", "text_encoder."
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")
_HEAD_WIDTH = 64  # of every published BERT; weights do not show how many heads share a layer


def recognizes(file: PublishedFile) -> bool:
    """Tell whether a file is one of VideoCLIP: it has the network before the first BERT."""
    return _TOKENS in file.weights


def translate(file: PublishedFile) -> Published:
    """Translate a file of VideoCLIP, TempCLR or Norton.

    Args:
        file: What is in it.

    Returns:
        The model, of the sizes that its weights have; its loss is VideoCLIP's.
    """
    video, text = _sizes(file.weights, _VIDEO), _sizes(file.weights, _TEXT)
    frames, words = (min(most, one["max_positions"] - 2) for most, one in ((32, video), (61, text)))
    input_dim = size_of(file.weights, _TOKENS, 1, 512)
    return Published(
        kind="videoclip",
        video_encoder=partial(VideoCLIP, input_dim=input_dim, num_frames=frames, **video),
        text_encoder=partial(Bert, max_words=words, **text),
        head=partial(InfoNCE, normalize=False, temperature=1.0),
        weights=_renamed(file.weights),
        dropped=_renamed_list(file.dropped),
        vocabulary="bert-base-uncased's vocab.txt",
    )


def _sizes(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    """Read the sizes of a BERT off its weights."""
    width = size_of(weights, f"{prefix}embeddings.word_embeddings.weight", 1, 768)
    found = (_LAYER.match(name.removeprefix(prefix)) for name in weights if name.startswith(prefix))
    layers = {int(layer[1]) for layer in found if layer is not None}
    feedforward = f"{prefix}encoder.layer.0.intermediate.dense.weight"
    return {
        "width": width,
        "layers": max(layers, default=0) + 1,
        "heads": 1 if width % _HEAD_WIDTH else width // _HEAD_WIDTH,
        "feedforward": size_of(weights, feedforward, 0, 4 * width),
        "vocab_size": size_of(weights, f"{prefix}embeddings.word_embeddings.weight", 0, 30522),
        "max_positions": size_of(weights, f"{prefix}embeddings.position_embeddings.weight", 0, 512),
    }


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return dict(zip(_renamed_list(weights), weights.values(), strict=True))


def _renamed_list(names: Iterable[str]) -> list[str]:
    """Name the text encoder's BERT as the video encoder's is named."""
    return [f"{_TEXT}bert.{x.removeprefix(_TEXT)}" if x.startswith(_TEXT) else x for x in names]
