from pathlib import Path

from tests.interop import files
from vtlearn.encoders.video import S3D
from vtlearn.heads import MILNCE
from vtlearn.hyperparameters import to_config
from vtlearn.interop.milnce import recognizes, translate
from vtlearn.interop.reading import find_weights


def test_weights_under_state_dict_are_recognized() -> None:
    assert recognizes(find_weights(Path("x"), files.milnce()))
    assert not recognizes(find_weights(Path("x"), files.vttwins()))


def test_the_model_is_that_of_the_paper() -> None:
    published = translate(find_weights(Path("x"), files.milnce()))
    video, text, head = published.video_encoder(), published.text_encoder(), published.head()
    assert isinstance(video, S3D)
    assert (video.stem, video.num_frames) == ("plain", 16)
    assert to_config(text)["init_args"]["lowercase"] is False
    assert isinstance(head, MILNCE)
    assert to_config(head)["init_args"]["positives_in_denominator"] == 2
    assert published.clips is not None
    assert published.clips["fps"] == 5.0
