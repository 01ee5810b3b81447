from collections.abc import Sequence
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.datasets.kitchen import Kitchen
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.heads.chains import disjoint_chains, spread

#: The published hand case: texts by the numbers of their captions, clips by their seconds.
TEXT_STARTS, TEXT_ENDS = [0, 1, 2, 4, 5, 9, 12, 15, 20], [1, 3, 4, 5, 7, 10, 13, 16, 22]
CLIP_STARTS, CLIP_ENDS = [0, 5, 8, 30, 31, 60, 90, 120, 150], [6, 9, 20, 40, 50, 80, 110, 140, 170]


def spans(starts: Sequence[float], ends: Sequence[float]) -> torch.Tensor:
    return torch.tensor([starts, ends], dtype=torch.float64).T[None]


def scanned(clips: torch.Tensor, texts: torch.Tensor, length: int, *, gap: bool) -> list[int]:
    text_end = clip_end = float("-inf")
    kept = []
    for pair in range(length):
        text_start, clip_start = float(texts[pair, 0]), float(clips[pair, 0])
        later = (
            text_start > text_end and clip_start > clip_end
            if gap
            else text_start >= text_end and clip_start >= clip_end
        )
        if later:
            kept.append(pair)
            text_end, clip_end = float(texts[pair, 1]), float(clips[pair, 1])
    return kept


def test_published_hand_case() -> None:
    clips, texts = spans(CLIP_STARTS, CLIP_ENDS), spans(TEXT_STARTS, TEXT_ENDS)
    assert disjoint_chains(clips, texts, torch.tensor([9])) == [[0, 2, 4, 5, 6, 7, 8]]


def test_what_touches_counts_without_a_gap() -> None:
    clips = spans([0, 2, 4], [2, 4, 6])
    assert disjoint_chains(clips, clips, torch.tensor([3])) == [[0, 2]]
    assert disjoint_chains(clips, clips, torch.tensor([3]), gap=False) == [[0, 1, 2]]


def test_padding_and_unknown_times_are_not_kept() -> None:
    clips = spans([0, 2, 4, 6], [1, 3, 5, 7])
    texts = clips.clone()
    texts[0, 1, 1] = torch.nan
    assert disjoint_chains(clips, texts, torch.tensor([3])) == [[0, 2]]
    unknown = torch.full_like(clips, torch.nan)
    assert disjoint_chains(unknown, texts, torch.tensor([4])) == [[]]
    assert disjoint_chains(clips[:, :0], texts[:, :0], torch.tensor([0])) == [[]]


@given(st.integers(0, 10_000), st.booleans())
def test_a_scan_pair_by_pair(seed: int, gap: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    lengths = [6, 3, 0]
    starts = torch.randint(0, 12, (2, 3, 6), generator=generator).double().sort(-1).values
    clips, texts = torch.stack(
        [starts, starts + torch.randint(0, 4, starts.shape, generator=generator)], -1
    )
    found = disjoint_chains(clips, texts, torch.tensor(lengths), gap=gap)
    wanted = [
        scanned(clips[sample], texts[sample], length, gap=gap)
        for sample, length in enumerate(lengths)
    ]
    assert found == wanted


def test_entries_spread_over_a_chain() -> None:
    assert spread(range(7), 5) == [0, 1, 3, 4, 6]
    assert spread(range(16), 5) == [0, 3, 7, 11, 15]
    assert spread([4, 8, 9], 3) == [4, 8, 9]
    assert spread([4, 8], 1) == [4]


def test_a_kitchen_narration_in_seconds(kitchen_root: Path) -> None:
    sampling = ClipSampling(num_clips=8, num_frames=2, whole=True)
    corpus = Kitchen(kitchen_root, "train", Reading(sampling=sampling, pixels=Pixels(size=8)))
    samples = [corpus[index] for index in range(3)]
    found = []
    for sample in samples:
        clips, texts, count = sample.clip_spans, sample.text_spans, len(sample.clips)
        for gap in (True, False):
            kept = disjoint_chains(clips[None], texts[None], torch.tensor([count]), gap=gap)[0]
            assert kept == scanned(clips, texts, count, gap=gap)
            ends, starts = texts[kept][:-1, 1], texts[kept][1:, 0]
            assert bool((starts > ends if gap else starts >= ends).all())
            found.append(len(kept))
    assert 1 < min(found) < max(found) <= 8  # captions overlap, but not all of them
