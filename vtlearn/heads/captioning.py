"""Learn to write the captions of clips, and write them."""

from collections.abc import Iterable, Sequence

from torch import Tensor
from typing_extensions import override

from vtlearn.batch import EncodedBatch, Rows
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.heads.base import Captioner, HeadOutput, LossTerm
from vtlearn.heads.captions import captioned_clips, own_tokens
from vtlearn.heads.decoder_base import Decoder, require_search
from vtlearn.heads.info_nce import require_one_text_per_clip
from vtlearn.padding import valid

__all__ = ["CaptioningDecoder"]


class CaptioningDecoder(Captioner):
    """Predict each caption, piece by piece, from the tokens of its clip.

    Clip i of a sample belongs to its text i, of whose candidates the first is the caption. Its loss
    is the mean cross-entropy over its pieces, so that a long caption counts as much as a short one;
    the batch's is the mean over all captions with words. Nothing is compared, and no text encoder
    is needed: set ``model.text_encoder`` to null.

    Args:
        decoder: What predicts and writes: ``TextDecoder``, or ``OPTDecoder``.
        beams: How many texts of a clip are followed at once when writing; 1 takes the likeliest
            piece each time.
        length_penalty: Power of the number of pieces that a text's log-probability is divided by
            when texts are compared: 0 compares sums, 1 means.
        max_new: How many pieces are written at most, the end among them.

    Raises:
        ArgumentError: If ``beams`` or ``max_new`` is not positive, or ``length_penalty`` negative.

    Source:
        Lialin et al., "Scalable and Accurate Self-supervised Multimodal Representation Learning
        without Aligned Video and Text Data", WACV workshops 2023, by its abstract.

    Example:
        >>> from vtlearn.encoders.video import TinyVideo
        >>> from vtlearn.heads import TextDecoder
        >>> head = CaptioningDecoder(TextDecoder(width=16, heads=2), beams=3)
        >>> head.connect(TinyVideo(width=4), None)
        >>> head.needs_vocabulary
        True
        >>> head.build(["chop the carrot", "fry the egg"] * 5)
        >>> head.aligner is None, head.captioner is head
        (True, True)
    """

    needs = frozenset({"video_tokens", "texts"})

    def __init__(
        self,
        decoder: Decoder,
        beams: int = 5,
        length_penalty: float = 1.0,
        max_new: int = 30,
    ) -> None:
        super().__init__()
        require_search(beams, length_penalty, max_new)
        self.decoder = decoder
        self.beams, self.length_penalty, self.max_new = beams, length_penalty, max_new

    @override
    def make_layers(self, video_encoder: VideoEncoder, text_encoder: TextEncoder | None) -> None:
        del text_encoder
        self.decoder.connect(video_encoder)

    @property
    @override
    def needs_vocabulary(self) -> bool:
        return self.decoder.needs_vocabulary

    @override
    def build(self, captions: Iterable[str]) -> None:
        self.decoder.build(captions)

    @override
    def explain_empty(self, term: str) -> str:
        return (
            f"no item of the epoch had a loss in the term {term} of {type(self).__name__}: its "
            "samples have no clips, or no captions with words. Give training data with captions"
        )

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Predict the captions of this process's own clips.

        Args:
            batch: As many texts as clips in each sample, or none of either; ``own`` has the tokens
                and strings of own samples.
            rows: The samples of the batch that belong to this process; None: all.

        Returns:
            The term ``caption``: one loss per own clip whose caption has words.

        Raises:
            ArgumentError: If a sample has clips and texts, but not equally many, or there are no
                tokens.
        """
        require_one_text_per_clip(self, batch, way_out="use")
        local = batch.local(batch.all_rows() if rows is None else rows)
        length = local.video.length.minimum(local.text.length)
        sample, position = valid(length, local.video.pooled.shape[1]).nonzero(as_tuple=True)
        clips = captioned_clips(self, self.decoder, local, sample, position)
        values = self.decoder.losses(clips.captions, clips.tokens, clips.token_length)
        return HeadOutput({"caption": LossTerm(values)}, {})

    @property
    @override
    def search(self) -> dict[str, float]:
        return {
            "beams": self.beams,
            "length_penalty": self.length_penalty,
            "max_new": self.max_new,
        }

    @override
    def generate(self, batch: EncodedBatch) -> list[str]:
        return self.decoder.generate(
            *self._clips(batch),
            beams=self.beams,
            length_penalty=self.length_penalty,
            max_new=self.max_new,
        )

    @override
    def log_likelihood(self, batch: EncodedBatch, texts: Sequence[str]) -> Tensor:
        tokens, length = self._clips(batch)
        return self.decoder.log_likelihood(tokens, texts, length)

    def _clips(self, batch: EncodedBatch) -> tuple[Tensor, Tensor | None]:
        """Return the tokens of all valid own clips, and how many frames of each count."""
        own, tokens = own_tokens(self, batch)
        there = valid(batch.video.length, tokens.shape[1])
        length = own.video_token_length
        return (
            tokens[there.to(tokens.device)],
            None if length is None else length[there.to(length.device)],
        )
