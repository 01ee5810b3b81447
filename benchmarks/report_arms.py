"""What the methods report compares: heads, the parts of S2DTW, and narrators."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from vtlearn.heads import MILNCE, S2DTW, Aligner, CaliNCE, InfoNCE, SoftDTW, TempCLR
from vtlearn.kitchen import Narrator

VTTWINS = "S2DTW"
#: Each takes a temperature; the rest is as shipped in ``configs/``, but by cosine for all.
HEADS: Mapping[str, Callable[..., Aligner]] = {
    VTTWINS: S2DTW,
    "SoftDTW": SoftDTW,
    "TempCLR": partial(TempCLR, normalize=True, chain="all"),
    "Cali-NCE": CaliNCE,
    "MIL-NCE": partial(MILNCE, neighbours=1),
    "InfoNCE": InfoNCE,
}
#: What a dummy costs where dummies are used: at 0.5 no caption is skipped, since unrelated vectors
#: cost about 0; here about one in seven of the captions that are chatter is, and one in three.
USED = (-0.3, -0.6)
#: S2DTW, less or more one of its parts.
PARTS: Mapping[str, Callable[..., Aligner]] = {
    "no smoothing": partial(S2DTW, smoothing=False),
    "no dummies": partial(S2DTW, dummy=None),
    "no smoothing, no dummies": partial(S2DTW, smoothing=False, dummy=None),
    **{f"dummies at {cost}": partial(S2DTW, dummy=cost) for cost in USED},
    "permutations": partial(S2DTW, permute=True),
}
ARMS = {**HEADS, **PARTS}
#: What is tried on the validation split: the same for every head, and for every part.
TEMPERATURES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TRIED: Mapping[str, Sequence[float]] = {
    **dict.fromkeys(HEADS, TEMPERATURES),
    **dict.fromkeys(PARTS, TEMPERATURES[3:]),  # where that of S2DTW is
}

BASE = "shift 4"
#: Who tells of the training videos; the rest is Kitchen's default.
NARRATORS: Mapping[str, Narrator] = {
    "shift 0": Narrator(shift=0.0),
    "shift 2": Narrator(shift=2.0),
    BASE: Narrator(shift=4.0),
    "shift 8": Narrator(shift=8.0),
    "omitted 0": Narrator(shift=4.0, omitted=0.0),
    "omitted 0.5": Narrator(shift=4.0, omitted=0.5),
    "chatter 0": Narrator(shift=4.0, chatter=0.0),
    "chatter 1": Narrator(shift=4.0, chatter=1.0),
}
#: Where the parts of S2DTW are compared.
PARTS_AT = (BASE, "chatter 1")
PIXEL_HEADS = (VTTWINS, "MIL-NCE")
PIXELS_AT = ("shift 0", BASE)


class Series(NamedTuple):
    """Narrators that differ in one number.

    Attributes:
        label: What the number is.
        narrators: Their names, by it.
    """

    label: str
    narrators: Mapping[float, str]


SERIES: Sequence[Series] = (
    Series(
        "captions shifted in time, standard deviation (s)",
        {0: "shift 0", 2: "shift 2", 4: BASE, 8: "shift 8"},
    ),
    Series("steps not told of (%)", {0: "omitted 0", 20: BASE, 50: "omitted 0.5"}),
    Series("chatter, captions per step", {0: "chatter 0", 0.4: BASE, 1: "chatter 1"}),
)
