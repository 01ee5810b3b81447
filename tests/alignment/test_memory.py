import pytest
import torch

from vtlearn.alignment import memory
from vtlearn.alignment.memory import floats_per_pair
from vtlearn.alignment.options import SoftDTWOptions

PLAIN, WEAK = SoftDTWOptions(0.1), SoftDTWOptions(0.1, 0.5, smoothing=True)


@pytest.mark.parametrize("kernel", ["numba", "triton", "torch"])
def test_dummies_and_smoothing_take_what_a_kernel_keeps_of_them(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "kernel_for", lambda _: kernel)
    like = torch.zeros(1)
    plain, weak, larger = (
        floats_per_pair(like, clips, captions, options)
        for clips, captions, options in ((8, 6, PLAIN), (8, 6, WEAK), (16, 6, WEAK))
    )
    assert 8 * 6 < plain <= weak < larger <= 2 * weak
    assert (plain == weak) == (kernel == "numba")
    if kernel == "torch":
        assert plain > 3 * floats_per_pair(like, 4, 6, PLAIN) / 2
        assert weak > 15 * 17 * 13


@pytest.mark.parametrize(
    ("dtype", "gamma"), [(torch.float64, 0.1), (torch.float32, 0.0)], ids=["float64", "hard"]
)
def test_what_the_fast_kernel_leaves_to_a_table_takes_more(
    dtype: torch.dtype, gamma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "kernel_for", lambda _: "numba")
    fast = floats_per_pair(torch.zeros(1), 8, 8, PLAIN)
    assert floats_per_pair(torch.zeros(1, dtype=dtype), 8, 8, SoftDTWOptions(gamma)) > 3 * fast
