"""Search for the likeliest text: beam search, of which greedy search is the narrowest.

The rule is that of transformers' ``generate``, whose texts these are where the logits are the same.
It is written again because a decoder needs not be one of transformers' models, and because a text
here depends on its own clip alone, in the logits' own precision.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__: list[str] = []

#: Reads the last word of each row, (rows,), and the row that each continues, (rows,); returns
#: log-probabilities of the next word, (rows, pieces), -inf for what is never written.
Step = Callable[[Tensor, Tensor], Tensor]


class Found(NamedTuple):
    """The best text of each clip.

    Attributes:
        words: Its ids without the end, one list per clip.
        scores: Log-probability of its pieces, the end among them, divided by their number to the
            power of the length penalty, (clips,).
    """

    words: list[list[int]]
    scores: Tensor

    def or_better(self, other: "Found") -> "Found":
        """Take the better of two texts of each clip; the first, if they are equal."""
        better = other.scores > self.scores
        pairs = zip(better.tolist(), self.words, other.words, strict=True)
        words = [two if is_better else one for is_better, one, two in pairs]
        return Found(words, self.scores.maximum(other.scores))


class _Beams(NamedTuple):
    """Texts of each clip on their way.

    Attributes:
        scores: Log-probabilities of those to be continued, (clips, beam), the likeliest first; -inf
            where there is none.
        words: What they say so far, (clips, beam, pieces).
        parents: Which row of the last step each continues, (clips, beam).
        ended_scores: Scores of the best that have ended, (clips, beam), the best first; -inf where
            there is none.
        ended: What they say, (clips, beam, most pieces), padded with the end.
        is_open: Whether a clip may still get a better text, (clips, 1), bool.
    """

    scores: Tensor
    words: Tensor
    parents: Tensor
    ended_scores: Tensor
    ended: Tensor
    is_open: Tensor

    @classmethod
    def empty(cls, clips: int, beam: int, most: int, end: int, device: torch.device) -> "_Beams":
        """Begin with one text without words, alone to be continued."""
        none = torch.full((clips, beam), -torch.inf, device=device)
        scores = none.clone()
        scores[:, 0] = 0
        return cls(
            scores=scores,
            words=torch.empty(clips, beam, 0, dtype=torch.int64, device=device),
            parents=torch.arange(clips * beam, device=device).reshape(clips, beam),
            ended_scores=none,
            ended=torch.full((clips, beam, most), end, device=device),
            is_open=torch.ones(clips, 1, dtype=torch.bool, device=device),
        )

    def continued(self, found: Tensor, end: int, length_penalty: float) -> "_Beams":
        """Append a piece to each text.

        Args:
            found: Log-probabilities of the next piece, (clips x beam, pieces).
            end: Id that ends a text.
            length_penalty: Power of its length that a text's score is divided by.
        """
        clips, beam, count = self.words.shape
        most, pieces, length = self.ended.shape[2], found.shape[1], (count + 1) ** length_penalty
        reached = self.scores[:, :, None] + found.unflatten(0, (clips, beam))
        scores, index = reached.flatten(1).topk(min(2, pieces) * beam)
        parents, word = index // pieces, index % pieces
        words = torch.cat([_picked(self.words, parents), word[:, :, None]], 2)
        at_end = (word == end) | (count + 1 == most)
        live, kept = scores.masked_fill(at_end, -torch.inf).topk(beam)

        counted = at_end & self.is_open
        counted[:, beam:] = False  # looked at only so that as many are left to be continued
        ended_scores = (scores / length).masked_fill(~counted, -torch.inf)
        best, place = torch.cat([self.ended_scores, ended_scores], 1).topk(beam)
        padded = functional.pad(words, (0, most - count - 1), value=end)

        is_open = self.is_open & (live[:, :1] / length > best[:, -1:])
        if beam == 1:  # greedy search ends where its text does
            is_open = is_open & (best == -torch.inf)
        first = torch.arange(clips, device=found.device)[:, None] * beam
        return _Beams(
            scores=live,
            words=_picked(words, kept),
            parents=first + parents.gather(1, kept),
            ended_scores=best,
            ended=_picked(torch.cat([self.ended, padded], 1), place),
            is_open=is_open,
        )


def beam_search(
    step: Step,
    clips: int,
    *,
    begin: int,
    end: int,
    beam: int,
    length_penalty: float,
    max_new: int,
    device: torch.device,
) -> Found:
    """Search for the likeliest text of each clip.

    In each step the 2 x ``beam`` likeliest continuations of a clip's texts are looked at. Of those
    that end, the ones among the likeliest ``beam`` compete to be the clip's text; of the others,
    ``beam`` are continued. A clip is done when ``beam`` texts have ended and none on its way scores
    more than the worst of them, were it to end now. At ``max_new`` pieces all texts end. With a
    beam of 1 that is greedy search: the likeliest piece in each step, up to the first end.

    Args:
        step: Computes log-probabilities of (clips x beam) rows.
        clips: How many texts are written.
        begin: Id that a text begins with.
        end: Id that ends it; it may be the same.
        beam: How many texts of a clip are followed at once.
        length_penalty: 0 compares sums of log-probabilities, 1 their means; not negative.
        max_new: How many pieces a text has at most, the end among them.
        device: Where ``step`` wants its ids.

    Returns:
        One text per clip.

    Source: the beam search of transformers 5 with ``early_stopping=False``.
    """
    if not clips:
        return Found([], torch.zeros(0, device=device))
    beams = _Beams.empty(clips, beam, max_new, end, device)
    last = torch.full((clips * beam,), begin, device=device)
    for _ in range(max_new):
        beams = beams.continued(step(last, beams.parents.flatten()), end, length_penalty)
        if not beams.is_open.any():
            break
        last = beams.words[:, :, -1].flatten()
    texts = [row[: row.index(end)] if end in row else row for row in beams.ended[:, 0].tolist()]
    return Found(texts, beams.ended_scores[:, 0])


def _picked(texts: Tensor, places: Tensor) -> Tensor:
    """Take some texts of each clip: (clips, texts, pieces) at (clips, some)."""
    return texts.gather(1, places[:, :, None].expand(-1, -1, texts.shape[2]))
