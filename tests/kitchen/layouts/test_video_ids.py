import re

import numpy as np
import pytest

from vtlearn.kitchen.layouts.video_ids import draw_video_ids, video_url


def test_ids_are_like_youtubes() -> None:
    ids = draw_video_ids(np.random.default_rng(3), 500)
    assert len(set(ids)) == 500
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{11}", one) for one in ids)
    assert ids == draw_video_ids(np.random.default_rng(3), 500)
    assert not set(ids) & set(draw_video_ids(np.random.default_rng(4), 500))


@pytest.mark.parametrize("count", [3, 4, 8])
def test_few_ids_hold_every_trap(count: int) -> None:
    ids = draw_video_ids(np.random.default_rng(0), count)
    assert len(ids) == count
    assert ids[0].startswith("_")
    assert ids[1].startswith("-")
    assert "_" in ids[2][1:-1]


def test_the_address_names_the_video() -> None:
    assert video_url("_uAZw6L_R5g") == "https://www.youtube.com/watch?v=_uAZw6L_R5g"
