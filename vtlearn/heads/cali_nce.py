"""Cali-NCE: learn from captions that may not match, as far as they seem to."""

import logging
from collections.abc import Iterable
from math import log
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from vtlearn.batch import EncodedBatch, Rows
from vtlearn.checks import require_choice, require_not_negative, require_positive
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import HeadOutput, LossTerm
from vtlearn.heads.captions import captioned_clips
from vtlearn.heads.contrastive import GRID_MEMORY, Direction, PairedItems, without_padding
from vtlearn.heads.correspondence import (
    Normalizer,
    Scores,
    Weight,
    correspondence_losses,
    draw_others,
    generators,
    make_correspondence,
    normalized,
    weigh,
)
from vtlearn.heads.decoder import Decoder
from vtlearn.heads.info_nce import InfoNCE
from vtlearn.heads.tiles import compare_in_tiles

__all__ = ["CaliNCE"]

Correspondence = Literal["mlp", "bilinear"]
Negatives = Literal["uniform", "hard"]
Predict = Literal["caption", "mlm"]

_LOG = logging.getLogger(__name__)

#: Of what is drawn in a step.
_NEGATIVES, _MASKS = 0, 1
#: A term of the denominator is never multiplied by less than 1e-6.
_LOG_LEAST = log(1e-6)
#: Vectors that scoring a pair takes, of which four are joined, and then a layer.
_WIDTHS_PER_SCORE = 9


class CaliNCE(InfoNCE):
    """Weigh the contrast of each clip and its caption by how well they seem to correspond.

    Three losses are trained together; each has one value per clip with a caption.
    *Correspondence*: a small network tells the clip's own caption from others of the batch, and the
    caption's own clip. *Contrast*: InfoNCE, of which each item is multiplied by its weight, a
    function of the probability p that the network gives to the pair; through the weight no gradient
    passes. *Prediction*, if there is a ``predictor``: the caption's words are predicted from the
    clip's tokens. The predictor has embeddings of its own, so that the video encoder learns from
    it, and the text encoder does not.

    Logged are the losses; ``p_own`` and ``p_other``, the mean p of own and of wrong pairs;
    ``effective_items``, (sum w)^2 / sum w^2; and ``weights_dropped``, 1 where weights said nothing
    and were set to 1 (0 in the warm-up, where all are 1).

    Args:
        correspondence: What scores a pair: two layers over [v; t; v * t; |v - t|], or v^T W t + b,
            on embedded vectors times sqrt(dim).
        negatives: Wrong pairs are drawn ``uniform``, or ``hard``, by the softmax of similarity;
            with swapped captions about, the hardest are true pairs.
        num_negatives: Captions drawn for each clip, and clips for each caption.
        score_temperature: What the network's logits are divided by.
        detach: Let the network learn without the encoders.
        weight: ``excess`` for p above that of wrong pairs, ``score`` for p itself, ``none`` for 1,
            which is co-training.
        power: What weights are raised to.
        least: What they are at least, before that.
        normalizer: Weights are divided by their mean over the batch, taken as they are, or their
            softmax is.
        normalizer_temperature: Of that softmax.
        warmup_steps: Optimiser steps with all weights 1: an untrained network knows nothing. About
            an epoch, clips / batch_size; the default is Kitchen's.
        calibrate_negatives: Multiply each other term of InfoNCE's denominator by 1 - p.
        predictor: What predicts captions; None for no prediction.
        predict: Each next word (``caption``), or words that are masked (``mlm``).
        calibrate_prediction: Weigh the prediction as the contrast is.
        contrast_weight: What the contrast is multiplied by; 0: it is not computed.
        correspondence_weight: The same of the correspondence; with 0 weights are 1.
        prediction_weight: The same of the prediction.
        direction: Of InfoNCE.
        temperature: Of InfoNCE: what cosines are divided by.
        learn_temperature: Train that temperature.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).
        grid_memory: Bytes for comparing pairs; a batch that needs more is compared in tiles.

    Raises:
        ArgumentError: If a number is outside its range, a choice is unknown, or what is asked for
            lacks a part.

    Source:
        N. Zhao, J. Jiao, W. Xie, D. Lin, "Cali-NCE: Boosting Cross-modal Video Representation
        Learning with Calibrated Alignment", CVPR workshops 2023. Its abstract alone could be read:
        that confidence in the correspondence of video and text is estimated first and then
        calibrates the weights of samples in contrastive training. Everything else is our own.

    Example:
        >>> from vtlearn.encoders.text import TinyText
        >>> from vtlearn.encoders.video import TinyVideo
        >>> head = CaliNCE(warmup_steps=0)
        >>> head.connect(TinyVideo(dim=4), TinyText(dim=4))
        >>> output = head(EncodedBatch.of(torch.randn(8, 1, 4), torch.randn(8, 1, 4)))
        >>> {name: len(term.values) for name, term in output.terms.items()}
        {'correspondence': 8, 'contrastive': 8}
    """

    def __init__(
        self,
        *,
        correspondence: Correspondence = "mlp",
        negatives: Negatives = "uniform",
        num_negatives: int = 1,
        score_temperature: float = 1.0,
        detach: bool = False,
        weight: Weight = "excess",
        power: float = 1.0,
        least: float = 0.0,
        normalizer: Normalizer = "mean",
        normalizer_temperature: float = 1.0,
        warmup_steps: int = 18,
        calibrate_negatives: bool = False,
        predictor: Decoder | None = None,
        predict: Predict = "caption",
        calibrate_prediction: bool = True,
        contrast_weight: float = 1.0,
        correspondence_weight: float = 1.0,
        prediction_weight: float = 1.0,
        direction: Direction = "both",
        temperature: float = 0.07,
        learn_temperature: bool = False,
        normalize: bool = True,
        grid_memory: int = GRID_MEMORY,
    ) -> None:
        super().__init__(
            direction=direction,
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
            grid_memory=grid_memory,
        )
        require_choice(get_args(Correspondence), correspondence=correspondence)
        require_choice(get_args(Negatives), negatives=negatives)
        require_choice(get_args(Weight), weight=weight)
        require_choice(get_args(Normalizer), normalizer=normalizer)
        require_choice(get_args(Predict), predict=predict)
        require_positive(
            num_negatives=num_negatives,
            score_temperature=score_temperature,
            power=power,
            normalizer_temperature=normalizer_temperature,
        )
        require_not_negative(
            contrast_weight=contrast_weight,
            correspondence_weight=correspondence_weight,
            prediction_weight=prediction_weight,
            warmup_steps=warmup_steps,
        )
        if not 0 <= least <= 1:
            message = f"least must be from 0 to 1, but is {least}"
            raise ArgumentError(message)
        if predictor is None and predict != "caption":
            message = f"predict={predict} needs model.head.init_args.predictor: give TextDecoder"
            raise ArgumentError(message)
        if calibrate_negatives and not correspondence_weight:
            message = "calibrate_negatives takes a p, of which correspondence_weight=0 leaves none"
            raise ArgumentError(message)
        self.correspondence, self.negatives = correspondence, negatives
        self.num_negatives, self.score_temperature = num_negatives, score_temperature
        self.detach, self.weight, self.power, self.least = detach, weight, power, least
        self.normalizer, self.normalizer_temperature = normalizer, normalizer_temperature
        self.warmup_steps, self.calibrate_negatives = warmup_steps, calibrate_negatives
        self.predict, self.calibrate_prediction = predict, calibrate_prediction
        self.contrast_weight, self.correspondence_weight = contrast_weight, correspondence_weight
        self.prediction_weight = prediction_weight
        self.predictor = predictor if prediction_weight > 0 else None
        self.scorer: nn.Module | None = None
        if not (contrast_weight or correspondence_weight or self.predictor):
            message = "CaliNCE has nothing to train: give one of its losses a weight"
            raise ArgumentError(message)
        pairs = {"video_pooled", "text_pooled"}
        words = {"video_tokens", "texts"}
        self.needs = frozenset(
            (pairs if contrast_weight or correspondence_weight else set())
            | (words if self.predictor is not None else set())
        )

    @property
    def needs_vocabulary(self) -> bool:
        """Whether the predictor has no words yet."""
        return self.predictor is not None and self.predictor.needs_vocabulary

    def build(self, captions: Iterable[str]) -> None:
        """Make the predictor's vocabulary.

        Args:
            captions: All captions of the training corpus.
        """
        if self.predictor is not None:
            self.predictor.build(captions)

    def make_layers(self, video_encoder: VideoEncoder, text_encoder: TextEncoder | None) -> None:
        """Make what scores pairs, and connect the predictor.

        Args:
            video_encoder: Has ``dim`` and ``token_width``.
            text_encoder: Its vectors are as wide as the video's.
        """
        del text_encoder
        if self.correspondence_weight:
            self.scorer = make_correspondence(self.correspondence, video_encoder.dim)
        if self.predictor is not None:
            self.predictor.connect(video_encoder)

    @override
    def begin(self, steps: float) -> None:
        weighed = self.weight != "none" and (self.contrast_weight or self.predictor)
        if weighed and not self.correspondence_weight:
            _LOG.warning(
                "CaliNCE: correspondence_weight=0 leaves nothing to weigh by: weight=%s "
                "is none here",
                self.weight,
            )
        elif weighed and steps <= self.warmup_steps:
            _LOG.warning(
                "CaliNCE: all %g steps of this training are in warmup_steps=%d, with all "
                "weights 1; train longer, or set model.head.init_args.warmup_steps lower",
                *(steps, self.warmup_steps),
            )

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Compute the losses of this process's own clips and captions.

        Args:
            batch: Features of the whole batch; clip i of a sample belongs to its text i. Tokens and
                strings of own samples, if there is a predictor.
            rows: The samples of the batch that belong to this process; None: all, in a first step,
                which is one of the warm-up.

        Returns:
            Those of the terms ``contrastive``, ``correspondence`` and ``prediction`` that have a
            weight; and what is logged.
        """
        rows = batch.all_rows() if rows is None else rows
        batch = batch._replace(video=without_padding(batch.video), text=without_padding(batch.text))
        terms: dict[str, LossTerm] = {}
        logs: dict[str, Tensor] = {}
        with torch.autocast(batch.video.pooled.device.type, enabled=False):  # float32 or wider
            items = self.paired_items(batch, rows)
            own = items.own(rows)
            weights = items.video.vectors.new_ones(len(items.sample))
            if self.scorer is not None:
                scores = self._scores(items, rows)
                terms["correspondence"] = LossTerm(
                    correspondence_losses(scores)[own], self.correspondence_weight
                )
                weights, logs = self._weights(scores, rows.step)
        if self.contrast_weight:
            contrast: HeadOutput = super().forward(batch, rows)
            values = contrast.terms["contrastive"].values * weights[own]
            terms["contrastive"] = LossTerm(values, self.contrast_weight)
            logs |= contrast.logs
        if self.predictor is not None:
            values = self._prediction(batch, items, own, rows, weights)
            terms["prediction"] = LossTerm(values, self.prediction_weight)
        return HeadOutput(terms, logs)

    def losses(
        self,
        row_logits: Tensor | None,
        column_logits: Tensor | None,
        own: Tensor,
        items: PairedItems,
    ) -> Tensor:
        """Turn logits into one InfoNCE for each own item, before it is weighed.

        Args:
            row_logits: Own clips with all texts, (own, items), or None.
            column_logits: All clips with own texts, (items, own), or None.
            own: Where the own items stand among all items, (own,).
            items: All items.

        Returns:
            (own,).
        """
        if self.calibrate_negatives:
            video, text = self._vectors(items)
            every = torch.arange(len(video), device=own.device)
            if row_logits is not None:
                row_logits = row_logits + self._kept(video[own], text, own, every)
            if column_logits is not None:
                column_logits = column_logits + self._kept(video, text[own], every, own)
        return super().losses(row_logits, column_logits, own, items)

    def match(self, clip: Tensor, texts: Tensor) -> Tensor:
        """Score how well texts correspond to a clip.

        Args:
            clip: One clip, pooled, (dim,).
            texts: Texts, pooled, (texts, dim).

        Returns:
            (texts,), float32 or wider: logits of the correspondence, as in training; dot products,
            where that is not trained.
        """
        if self.scorer is None:
            return super().match(clip, texts)
        scale = clip.shape[-1] ** 0.5
        embedded = scale * self.embed(texts)
        with torch.autocast(embedded.device.type, enabled=False):
            scores: Tensor = self.scorer((scale * self.embed(clip)).expand_as(embedded), embedded)
        return scores / self.score_temperature

    def _vectors(self, items: PairedItems) -> tuple[Tensor, Tensor]:
        """Return what pairs are scored by, (items, dim) each, of a size that does not shrink."""
        video, text = items.video.vectors, items.text.vectors[:, 0]
        scale = video.shape[-1] ** 0.5
        if self.detach:
            video, text = video.detach(), text.detach()
        return scale * video, scale * text

    def _scores(self, items: PairedItems, rows: Rows) -> Scores:
        """Score all own pairs of the batch, and wrong ones, on every process alike."""
        scorer = cast("nn.Module", self.scorer)  # or it is not called
        video, text = self._vectors(items)
        own: Tensor = scorer(video, text)
        if len(video) < 2:
            return Scores(own, own.new_zeros(len(own), 0))
        similarity = None
        if self.negatives == "hard":
            with torch.no_grad():
                similarity = self._compare_all(items.video, items.text) * self._scale()
        rngs = generators(items.sample, items.position, rows.seed, _NEGATIVES)
        texts, clips = (
            x.to(video.device) for x in draw_others(rngs, self.num_negatives, similarity)
        )
        of_clips = scorer(video[:, None].expand(-1, texts.shape[1], -1), text[texts])
        of_texts = scorer(video[clips], text[:, None].expand(-1, clips.shape[1], -1))
        return Scores(own, torch.cat([of_clips, of_texts], 1))

    def _weights(self, scores: Scores, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Weigh all pairs of the batch, (items,), and say how."""
        positive, negative = (
            (logits.detach() / self.score_temperature).sigmoid() for logits in scores
        )
        weights, dropped = torch.ones_like(positive), False
        if step >= self.warmup_steps:
            weights = weigh(positive, negative, self.weight, power=self.power, least=self.least)
            weights, dropped = normalized(weights, self.normalizer, self.normalizer_temperature)
        squares = weights.square().sum().clamp(min=1e-12)
        return weights, {
            "p_own": positive.sum() / max(len(positive), 1),
            "p_other": negative.sum() / max(negative.numel(), 1),
            "effective_items": weights.sum().square() / squares,
            "weights_dropped": weights.new_tensor(float(dropped)),
        }

    @torch.no_grad()
    def _kept(self, video: Tensor, text: Tensor, of_video: Tensor, of_text: Tensor) -> Tensor:
        """Compute log(1 - p) of all pairs of some clips and texts, and 0 of own ones."""
        scorer = cast("nn.Module", self.scorer)

        def tile(clips: Tensor, texts: Tensor, rows: slice, columns: slice) -> Tensor:
            logits: Tensor = scorer(*torch.broadcast_tensors(clips[:, None], texts[None]))
            kept = functional.logsigmoid(-logits / self.score_temperature).clamp(min=_LOG_LEAST)
            return kept.masked_fill(of_video[rows, None] == of_text[columns], 0)

        pair = _WIDTHS_PER_SCORE * video.shape[-1] * video.element_size()
        return compare_in_tiles(tile, video, text, self.grid_memory // pair)

    def _prediction(
        self, batch: EncodedBatch, items: PairedItems, own: Tensor, rows: Rows, weights: Tensor
    ) -> Tensor:
        """Predict the captions of own items, and weigh the losses; without words there is none."""
        predictor = cast("Decoder", self.predictor)
        sample, position = items.sample[own], items.position[own]
        clips = captioned_clips(self, predictor, batch, sample - rows.start, position)
        kept = clips.kept
        values: Tensor = predictor.losses(
            clips.captions,
            clips.tokens,
            clips.token_length,
            self.predict == "mlm",
            generators(sample[kept], position[kept], rows.seed, _MASKS),
        )
        return values * weights[own][kept] if self.calibrate_prediction else values
