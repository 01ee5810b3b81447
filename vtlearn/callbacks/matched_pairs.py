"""Training clips with their captions, and how well a head says that they match."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import torch

from vtlearn.batch import collate
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.fixed_samples import fixed_samples
from vtlearn.heads.base import Aligner
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import MatchedPair
from vtlearn.storage.atomic import replace_text

__all__: list[str] = []

_TOGETHER = 16  # samples that are read at once
_KNOWN = {True: 1, False: 0, None: ""}


def score_pairs(
    learner: VideoTextLearner,
    aligner: Aligner,
    corpus: Corpus,
    matches: Mapping[str, bool],
    chunk: int,
) -> Iterator[MatchedPair]:
    """Score the clips of samples with their texts, in validation: without gradients.

    Args:
        learner: What encodes them.
        aligner: Its head, which compares them.
        corpus: The samples.
        matches: Whether texts are about their clips, by the sample's id.
        chunk: Clips that are encoded at once.

    Yields:
        Each clip with its own text; and how well it matches one of the next sample, if one is read.
    """
    samples = fixed_samples(corpus)
    while some := list(islice(samples, _TOGETHER)):
        batch = collate(some)
        parts = zip(batch.clips.split(chunk), batch.frame_length.split(chunk), strict=True)
        encoded = [
            learner.predict_step(batch._replace(clips=clips, frame_length=length), 0)
            for clips, length in parts
        ]
        embedded = aligner.embed(torch.cat(encoded)).split(batch.num_clips)
        numbers = [len(sample.texts) for sample in some]
        texts = learner.encode_text(batch.texts).split(numbers)
        following = (*texts[1:], texts[0][:0])
        for sample, clips, own, others in zip(some, embedded, texts, following, strict=True):
            captions, own_texts = (x[:: sample.candidates] for x in (sample.texts, own))
            middle = (sample.frame_length // 2).tolist()
            paired = zip(sample.clips, middle, captions, clips, own_texts, strict=False)
            for frames, frame, caption, clip, text in paired:
                logits = aligner.match(clip, torch.cat([text[None], others[:1]]))
                p, *wrong = logits.sigmoid().tolist()
                # a copy, or all frames of all clips are kept
                shown = frames[frame].clone() if frames.ndim == 4 else None
                known = matches.get(sample.id)
                yield MatchedPair(caption, p, shown, known, sample.id, next(iter(wrong), None))


def write_pairs(path: Path, pairs: Sequence[MatchedPair]) -> None:
    """Write pairs to a csv with the columns ``id``, ``caption``, ``p`` and ``matches``.

    Args:
        path: The file; its folder is there.
        pairs: The pairs; ``matches`` is 1 or 0, and blank where that is unknown.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "caption", "p", "matches"))
    writer.writerows((x.id, x.caption, f"{x.match:.4f}", _KNOWN[x.matches]) for x in pairs)
    replace_text(path, text.getvalue())
