import torch

from tests.pseudolabel.models import Brightness
from vtlearn.pseudolabel import FrameCaptioner


class Mute(FrameCaptioner):
    size, name = 4, "mute"

    def captions(self, frames: torch.Tensor) -> list[str]:
        return [""] * len(frames)


def test_a_captioner_of_ones_own_is_given_frames() -> None:
    frames = torch.full((2, 3, 8, 8), 160, dtype=torch.uint8)
    captioner = Brightness()
    assert captioner.captions(captioner.encode(frames)) == ["a room of brightness 10"] * 2


def test_by_default_it_cannot_tell_how_likely_a_text_is() -> None:
    frames = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    assert Mute().log_likelihood(Mute().encode(frames), ["a"]) is None
