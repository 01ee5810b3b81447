from pathlib import Path

from tests.interop import files
from vtlearn.encoders.video import S3D
from vtlearn.heads import S2DTW
from vtlearn.hyperparameters import to_config
from vtlearn.interop.reading import find_weights
from vtlearn.interop.vttwins import recognizes, translate


def test_only_a_flat_file_with_a_prefix_is_one() -> None:
    assert recognizes(find_weights(Path("x"), files.vttwins()))
    assert not recognizes(find_weights(Path("x"), files.s3d()))
    assert not recognizes(find_weights(Path("x"), files.milnce()))


def test_the_model_is_that_of_the_paper() -> None:
    published = translate(find_weights(Path("x"), files.vttwins()))
    video, text, head = published.video_encoder(), published.text_encoder(), published.head()
    assert isinstance(video, S3D)
    assert (video.stem, video.num_frames) == ("plain", 32)
    assert to_config(text)["init_args"]["lowercase"] is False
    assert isinstance(head, S2DTW)
    assert to_config(head)["init_args"]["direction"] == "text_to_video"
    assert published.clips is not None
    assert (published.clips["fps"], published.clips["num_frames"]) == (10.0, 32)
