"""Search for the likeliest text: beam search, of which greedy search is the narrowest."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

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

    In each step the ``beam`` likeliest continuations of a clip's texts are kept; what has ended
    keeps its place no longer. The best that ended is returned, or that was cut at ``max_new``
    pieces. With a beam of 1 that is greedy search: the likeliest piece in each step, up to the
    first end.

    Args:
        step: Computes log-probabilities of (clips x beam) rows.
        clips: How many texts are written.
        begin: Id that a text begins with.
        end: Id that ends it.
        beam: How many texts of a clip are followed at once.
        length_penalty: 0 compares sums of log-probabilities, 1 their means; not negative.
        max_new: How many pieces a text has at most, the end among them.
        device: Where ``step`` wants its ids.

    Returns:
        One text per clip.
    """
    best = torch.full((clips, max_new), end, device=device)
    if not clips:
        return Found([], torch.zeros(0, device=device))
    rows = torch.arange(clips * beam, device=device).reshape(clips, beam)
    words = torch.empty(clips, beam, 0, dtype=torch.int64, device=device)
    last, parents = torch.full((clips * beam,), begin, device=device), rows.flatten()
    live = best_score = torch.empty(0)
    for count in range(1, max_new + 1):
        found = step(last, parents).unflatten(0, (clips, beam))
        if count == 1:  # one text alone is there to be continued
            live = found.new_full((clips, beam), -torch.inf)
            live[:, 0] = 0
            best_score = found.new_full((clips,), -torch.inf)
        live, index = (live[:, :, None] + found).flatten(1).topk(beam)
        parent, word = index // found.shape[2], index % found.shape[2]
        words = torch.cat(
            [words.gather(1, parent[:, :, None].expand_as(words)), word[:, :, None]], 2
        )
        ended = (word == end) | (count == max_new)
        score, place = (live / count**length_penalty).masked_fill(~ended, -torch.inf).max(1)
        better = score > best_score
        best_score = torch.where(better, score, best_score)
        best[better, :count] = words[better, place[better]]
        best[better, count:] = end
        live = live.masked_fill(ended, -torch.inf)
        # log-probabilities only fall, so no text can pass this any more
        if (live.amax(1) / max_new**length_penalty <= best_score).all():
            break
        last, parents = word.flatten(), rows.gather(1, parent).flatten()
    texts = [row[: row.index(end)] if end in row else row for row in best.tolist()]
    return Found(texts, best_score)
