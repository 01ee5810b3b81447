from pathlib import Path

import pytest
import torch

from tests.interop import files
from vtlearn.encoders.text import Word2Vec
from vtlearn.encoders.video import S3D
from vtlearn.encoders.video.s3d import Stem
from vtlearn.errors import CheckpointError
from vtlearn.heads import MILNCE
from vtlearn.hyperparameters import to_config
from vtlearn.interop import sources
from vtlearn.interop.reading import find_weights
from vtlearn.interop.s3d import recognizes, translate


@pytest.mark.parametrize("kind", ["vttwins", "milnce", "s3d"])
@pytest.mark.parametrize("stem", ["plain", "space_to_depth"])
def test_a_first_layer_that_was_not_released_is_remarked(kind: str, stem: Stem) -> None:
    remark = sources.translate(find_weights(Path("x"), files.s3d_weights(stem)), kind).remark
    assert remark.startswith(f"S3D's first layer: stem={stem}")
    released = "space_to_depth" if kind == "s3d" else "plain"
    assert (f"; its authors released one with stem={released}," in remark) == (stem != released)


@pytest.mark.parametrize("stem", ["plain", "space_to_depth"])
def test_the_model_is_read_off_the_weights(stem: Stem) -> None:
    weights = files.s3d_weights(stem)
    file = find_weights(Path("s3d_howto100m.pth"), files.s3d(weights))
    assert recognizes(file)
    published = translate(file)
    video, text, head = published.video_encoder(), published.text_encoder(), published.head()
    assert isinstance(video, S3D)
    assert (video.stem, video.dim, video.num_frames, video.size) == (stem, 8, 32, 224)
    assert isinstance(text, Word2Vec)
    assert to_config(text)["init_args"]["lowercase"] is True  # of all three, this one alone
    assert not text.word_embd.weight.requires_grad
    assert isinstance(head, MILNCE)
    assert (head.normalize, head.temperature) == (False, 1.0)
    video.load_state_dict(files.s3d_weights(stem), strict=False)
    assert {name.split(".")[0] for name in published.weights} == {"video_encoder", "text_encoder"}
    for name, value in weights.items():
        ours = name.replace("text_module.", "text_encoder.") if "text" in name else name
        ours = ours if "text" in name else f"video_encoder.{name}"
        assert torch.equal(published.weights[ours], value)


def test_another_first_layer_is_refused() -> None:
    weights = {"conv1.conv1.weight": torch.zeros(64, 3, 3, 3, 3)}
    with pytest.raises(CheckpointError, match=r"is \(64, 3, 3, 3, 3\), but the first layer of S3D"):
        translate(find_weights(Path("x"), weights))
