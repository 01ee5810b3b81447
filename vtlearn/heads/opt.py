"""A language model that reads clips through adapters: OPT, frozen, or trained from scratch.

``opt_adapters`` are what is trained beside a frozen OPT, ``opt_weights`` reads published ones, and
``opt_pieces`` are what it reads and writes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, get_args

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from vtlearn.checks import require_choice, require_positive
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.hub import UnreadableWeightsError
from vtlearn.errors import ArgumentError
from vtlearn.heads.beam_search import Found, beam_search
from vtlearn.heads.decoder_base import Decoder, at_rest, require_search
from vtlearn.heads.lines import (
    NOT_ASKED,
    Line,
    in_blocks,
    mean_cross_entropy,
    next_pieces,
    require_words,
    side_by_side,
    wide,
)
from vtlearn.heads.opt_adapters import Adapter, Kind, Memory, Video, require_division
from vtlearn.heads.opt_model import (
    SIZES,
    of_rows,
    random_opt,
    require_alike,
    require_room,
    resize,
    sizes_of,
)
from vtlearn.heads.opt_pieces import LearnedPieces, Pieces, pieces_from_state
from vtlearn.heads.opt_weights import read_published
from vtlearn.subwords import Subwords

__all__ = ["OPTDecoder"]

#: Numbers that the logits of pairs may have at once: 256 MB in float32.
_MOST_LOGITS = 2**26


class OPTDecoder(Decoder):
    """Predict pieces by OPT, whose layers read a clip's tokens through adapters.

    With ``weights``, OPT is frozen: its parameters get no gradients and its dropout rests, also in
    training. What is trained are adapters behind its layers. Untrained ones add nothing, so that
    the model begins as OPT itself. Without ``weights``, an OPT of the sizes given is drawn at
    random, and trained with the adapters.

    A text is begun and ended by one piece, OPT's ``</s>``. Texts are written by our beam search and
    not by transformers' ``generate``, whose texts they are, because that computes in float32, may
    write padding, and repeats a clip for each of its beams. Within ``with decoder.reading(tokens)``
    the model ``decoder.opt`` reads clips, and ``decoder.opt.generate`` works as well.

    Checkpoints keep the tokenizer, but not frozen weights, which are read again from ``weights``;
    with ``keep_frozen`` of the learner they keep these too, and open without hub or folder.

    Args:
        weights: A folder with an OPT, or its name on the hub, such as ``facebook/opt-125m``.
        freeze: Train the adapters alone; by default where there are ``weights``.
        random_weights: Let ``freeze`` go without ``weights``, as a test may want to.
        adapters: Words attend to the patches of each frame, then to frames (``separable``); or to
            patches averaged over frames and to frames averaged over patches (``pooled``).
        every: There is an adapter behind each ``every``-th layer.
        reduction: By how much adapters are narrower than OPT.
        adapter_heads: Attention heads of an adapter.
        max_words: How many pieces of a text are read, without an end behind a text that is cut, and
            written at most.
        width: Width of the words' vectors. Leave out this and what follows where there are
            ``weights``, which have their own; without them, 768 as in opt-125m.
        layers: Transformer layers; 12.
        heads: Attention heads of a layer, which divide the width; 12.
        feedforward: Width of a layer's feed-forward network; 3072.
        vocab_size: How many pieces are learned from the training captions at most; 4000. The word
            table has as many rows until there are pieces, and then one for each.
        max_positions: Rows of the position table; 2048.
        dropout: Probability that a value is dropped in training, from 0 to 1; 0.1.
        options: Further entries of transformers' ``OPTConfig``, by its names, such as
            ``do_layer_norm_before``.

    Raises:
        ArgumentError: If a number is outside its range, a choice is unknown, the weights cannot be
            read or have other sizes or options, or random weights are to be frozen.

    Source:
        Zhang et al., "OPT: Open Pre-trained Transformer Language Models", 2022; Lialin et al., 2023
        (see ``CaptioningDecoder``) for a frozen OPT that reads TimeSformer through adapters with
        separable cross-attention. Everything else is our own.

    Example:
        >>> from vtlearn.encoders.video import TinyVideo
        >>> decoder = OPTDecoder(width=16, layers=1, heads=2, feedforward=16, adapter_heads=2)
        >>> decoder.connect(TinyVideo(width=4))
        >>> decoder.build(["chop the carrot", "fry the egg"] * 5)
        >>> tokens = torch.randn(2, 8, 1, 32)
        >>> decoder.losses(["fry the carrot", "chop"], tokens).shape
        torch.Size([2])
        >>> len(decoder.generate(tokens, max_new=5))
        2
    """

    def __init__(
        self,
        weights: str | None = None,
        freeze: bool | None = None,
        random_weights: bool = False,
        adapters: Kind = "separable",
        every: int = 1,
        reduction: int = 4,
        adapter_heads: int = 4,
        max_words: int = 30,
        width: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        feedforward: int | None = None,
        vocab_size: int | None = None,
        max_positions: int | None = None,
        dropout: float | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        require_choice(get_args(Kind), adapters=adapters)
        require_positive(every=every, reduction=reduction, adapter_heads=adapter_heads)
        require_positive(max_words=max_words)
        self.weights, self.max_words = weights, max_words
        self.is_frozen = weights is not None if freeze is None else freeze
        if self.is_frozen and weights is None and not random_weights:
            message = (
                "an OPT that is frozen without weights stays random, and its adapters alone learn "
                "no language: give weights, leave freeze out, or set random_weights to true"
            )
            raise ArgumentError(message)
        self.kind, self.reduction, self.adapter_heads = adapters, reduction, adapter_heads
        self._pieces: Pieces | None = None
        self._memory: list[Memory] | None = None
        self._absence: UnreadableWeightsError | None = None
        sizes = {
            "width": width,
            "layers": layers,
            "heads": heads,
            "feedforward": feedforward,
            "vocab_size": vocab_size,
            "max_positions": max_positions,
            "dropout": dropout,
        }
        given = {name: size for name, size in sizes.items() if size is not None}
        self.opt: Any = self._read(given, options or {}) if weights is not None else None
        if self.opt is None:
            self.opt = random_opt(given, options or {})
        require_division(self.opt.config.hidden_size, reduction, adapter_heads)
        require_room(self.opt.config, every, max_words)
        if self.is_frozen:
            self.opt.requires_grad_(False)
        self._adapted = range(every - 1, self.opt.config.num_hidden_layers, every)
        self.adapters = nn.ModuleList()
        self.train()

    @override
    def make_layers(self, video_encoder: VideoEncoder) -> None:
        layers = self.opt.model.decoder.layers
        for index, layer in enumerate(self._adapted):
            adapter = Adapter(
                self.opt.config.hidden_size,
                video_encoder.token_width or 0,
                video_encoder.num_frames,
                reduction=self.reduction,
                heads=self.adapter_heads,
                kind=self.kind,
            )
            self.adapters.append(adapter.to(self.opt.lm_head.weight))
            layers[layer].register_forward_hook(partial(self._adapt, index))

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.is_frozen:
            self.opt.eval()
        return self

    @property
    @override
    def needs_vocabulary(self) -> bool:
        return self._pieces is None

    @override
    def build(self, captions: Iterable[str]) -> None:
        self._require_weights()
        subwords = Subwords.learn(captions, self._rows, begin=True, padding=1)
        self._take(LearnedPieces(subwords, self._given_rows))

    @override
    def get_extra_state(self) -> Tensor | str:
        return torch.empty(0, dtype=torch.uint8) if self._pieces is None else self._pieces.state()

    @override
    def set_extra_state(self, state: Any) -> None:
        rows, config = self._given_rows, self.opt.config
        ids = {"end": config.eos_token_id, "padding": config.pad_token_id}
        pieces = pieces_from_state(state, rows=rows, **ids)
        if pieces is not None:
            self._take(pieces)  # whose vectors are loaded next

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *arguments: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, *arguments)
        if f"{prefix}opt.lm_head.weight" in state_dict:
            self._absence = None  # a checkpoint stands for what could not be read

    @override
    def has_words(self, texts: Sequence[str]) -> Tensor:
        rows = self._known().encode(texts)
        return torch.tensor([bool(row) for row in rows], dtype=torch.bool)

    @override
    def losses(
        self,
        texts: Sequence[str],
        tokens: Tensor,
        token_length: Tensor | None = None,
        masked: bool = False,
        rng: Sequence[np.random.Generator] | None = None,
    ) -> Tensor:
        del rng
        if masked:
            message = (
                "OPTDecoder predicts each piece from those before it, and cannot guess hidden "
                "words: set predict to caption, or choose TextDecoder"
            )
            raise ArgumentError(message)
        rows = self._known().encode(texts)
        require_words(texts, rows, len(tokens))
        if not rows:  # transformers takes no empty batch: one line, which is left out again
            nothing = self._remember(tokens.new_zeros(1, 1, 1, tokens.shape[-1]), None)
            return self._cross_entropy([self._line([])], nothing)[:0]
        memory = self._remember(tokens, token_length)
        return self._cross_entropy([self._line(row) for row in rows], memory)

    @override
    def log_likelihood(
        self, tokens: Tensor, texts: Sequence[str], token_length: Tensor | None = None
    ) -> Tensor:
        lines = [self._line(row) for row in self._known().encode(texts)]
        with at_rest(self):
            memory = self._remember(tokens, token_length)

            def likelihoods(clips: slice, some: slice) -> Tensor:
                number, asked = len(tokens[clips]), lines[some]
                if not number or not asked:
                    return torch.zeros(number, len(asked), device=tokens.device)
                mine = [one.of_clips(clips) for one in memory]
                return -self._cross_entropy(asked * number, mine).reshape(number, len(asked))

            most = _MOST_LOGITS // (self._rows * (1 + self.max_words))
            return in_blocks(len(tokens), len(lines), likelihoods, most=most)

    @override
    def generate(
        self,
        tokens: Tensor,
        token_length: Tensor | None = None,
        *,
        beams: int = 5,
        length_penalty: float = 1.0,
        max_new: int = 30,
    ) -> list[str]:
        require_search(beams, length_penalty, max_new)
        pieces = self._known()
        with at_rest(self), self.reading(tokens, token_length):
            found = self._search(len(tokens), beams, length_penalty, max_new)
            if beams > 1:  # which may lose the greedy text on its way
                found = found.or_better(self._search(len(tokens), 1, length_penalty, max_new))
        return pieces.decode(found.words)

    @contextmanager
    def reading(self, tokens: Tensor, token_length: Tensor | None = None) -> Iterator[None]:
        """Let ``opt`` read clips, while the context lasts.

        Args:
            tokens: (clips, frames, patches, width). The rows that ``opt`` is given are as many for
                each clip, one clip after another, as transformers lays out beams.
            token_length: How many frames of each clip count, (clips,); None: all.
        """
        self._memory = self._remember(tokens, token_length)
        try:
            yield
        finally:
            self._memory = None

    def _adapt(self, index: int, _layer: nn.Module, _inputs: Any, output: Any) -> Any:
        """Read the clips behind a layer: a forward hook."""
        if self._memory is None:
            message = (
                "the model opt of an OPTDecoder reads clips: call it within `with "
                "decoder.reading(tokens)`"
            )
            raise ArgumentError(message)
        adapter, memory = self.adapters[index], self._memory[index]
        if isinstance(output, Tensor):
            return adapter(output, memory)
        return (adapter(output[0], memory), *output[1:])  # of older transformers

    def _read(self, given: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
        """Read the weights, or note why that cannot be done where a checkpoint may bring them."""
        try:
            published = read_published(str(self.weights))
        except UnreadableWeightsError as error:
            if set(given) != set(SIZES):  # which checkpoints give, all of them
                raise
            self._absence = error
            return None
        config = published.model.config
        require_alike(str(self.weights), config, given, options)
        self.arguments |= sizes_of(config)
        self._pieces, published.model.origin = published.pieces, str(self.weights)
        return published.model

    @property
    def _rows(self) -> int:
        return int(self.opt.config.vocab_size)

    @property
    def _given_rows(self) -> int:
        """Rows of the table of words, where it is not made for the pieces; else 0."""
        return 0 if self.weights is None else self._rows

    def _take(self, pieces: Pieces) -> None:
        self._pieces = pieces
        if self.weights is None and isinstance(pieces, LearnedPieces):
            resize(self.opt, len(pieces.subwords))

    def _require_weights(self) -> None:
        if self._absence is not None:
            raise self._absence

    def _known(self) -> Pieces:
        self._require_weights()
        if self._pieces is None:
            message = (
                "this OPTDecoder has no pieces: load a checkpoint that has them, or call "
                "build(captions)"
            )
            raise ArgumentError(message)
        return self._pieces

    def _line(self, row: Sequence[int]) -> Line:
        end = self._known().end
        return next_pieces(row, end, end, self.max_words)

    def _remember(self, tokens: Tensor, token_length: Tensor | None) -> list[Memory]:
        self.require_tokens(tokens)
        video = Video.of(tokens, token_length)
        return [adapter.remember(video) for adapter in self.adapters]  # type: ignore[operator]

    def _cross_entropy(self, lines: Sequence[Line], memory: list[Memory]) -> Tensor:
        device = memory[0].counted.device
        ids = side_by_side([line.ids for line in lines], self._known().padding, device)
        targets = side_by_side([line.targets for line in lines], NOT_ASKED, device)
        self._memory = memory
        try:  # no piece sees the padding behind it
            logits: Tensor = self.opt(input_ids=ids, use_cache=False).logits
        finally:
            self._memory = None
        return mean_cross_entropy(wide(logits), targets)

    def _search(self, clips: int, beams: int, length_penalty: float, max_new: int) -> Found:
        pieces = self._known()
        past: Any = None
        never = torch.tensor(pieces.never, device=self.opt.device)

        def step(words: Tensor, parents: Tensor) -> Tensor:
            nonlocal past
            past = None if past is None else of_rows(past, parents)
            output = self.opt(input_ids=words[:, None], past_key_values=past, use_cache=True)
            past = output.past_key_values
            found = wide(output.logits[:, 0]).log_softmax(-1)
            return found.index_fill(1, never, -torch.inf)

        return beam_search(
            step,
            clips,
            begin=pieces.end,
            end=pieces.end,
            beam=beams,
            length_penalty=length_penalty,
            max_new=min(max_new, self.max_words + 1),
            device=self.opt.device,
        )
