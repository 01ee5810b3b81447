from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import AdamW

from tests.interop import files
from tests.models import tiny_learner
from vtlearn.encoders.base import TextEncoder
from vtlearn.encoders.text import Bert, TinyText, Word2Vec
from vtlearn.encoders.video import S3D, TinyVideo, VideoCLIP
from vtlearn.errors import CheckpointError
from vtlearn.heads import S2DTW, InfoNCE, SoftDTW
from vtlearn.interop.conversion import convert
from vtlearn.interop.weights import load_weights, read_weights
from vtlearn.learner import VideoTextLearner

CAPTIONS = ["chop the carrot", "stir the soup"] * 5


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VT-TWINS's file."""
    return files.write(tmp_path_factory.mktemp("p") / "pretrained.pth.tar", files.vttwins())


@pytest.fixture(scope="module")
def words(published: Path) -> Path:
    return files.write_words(published.parent / "dict.npy")


@pytest.fixture(scope="module")
def folder(published: Path, words: Path) -> Path:
    """The same, converted with its words."""
    convert(published, published.parent / "model", vocabulary=words)
    return published.parent / "model"


def text_encoder(**options: Any) -> Word2Vec:
    return Word2Vec(**{"dim": 8, "hidden": 16, "embedding_dim": 6, **options})


def saved(path: Path, learner: VideoTextLearner) -> Path:
    content = {"hyper_parameters": dict(learner.hparams), "state_dict": learner.state_dict()}
    learner.on_save_checkpoint(content)
    torch.save(content, path)
    return path


def trained(learner: VideoTextLearner) -> VideoTextLearner:
    assert learner.text_encoder is not None
    learner.text_encoder.build(CAPTIONS)
    for parameter in learner.parameters():
        torch.nn.init.uniform_(parameter)
    return learner


def test_a_published_file_goes_with_the_models_words(published: Path, words: Path) -> None:
    video, text = S3D(dim=8), text_encoder(vocabulary=str(words))
    report, said = load_weights(read_weights(published), video, text, S2DTW())
    assert (len(report.matched), said) == (537, [])
    weights = files.s3d_weights()
    assert all(torch.equal(value, weights[name]) for name, value in video.state_dict().items())
    assert torch.equal(text.word_embd.weight, weights["text_module.word_embd.weight"])
    assert text.tokenize(["chop"]).ids[0, 0] == 1


def test_a_folder_brings_its_words(folder: Path) -> None:
    text = text_encoder()
    report, _ = load_weights(read_weights(folder), S3D(dim=8), text, S2DTW())
    assert report.complete()
    assert text.get_extra_state() == files.WORDS


def test_a_folder_without_words_leaves_the_models_own(
    published: Path, words: Path, tmp_path: Path
) -> None:
    convert(published, tmp_path / "model")
    text = text_encoder(vocabulary=str(words))
    load_weights(read_weights(tmp_path / "model"), S3D(dim=8), text, S2DTW())
    assert text.get_extra_state() == files.WORDS


def test_vectors_without_their_words_are_refused(published: Path, tmp_path: Path) -> None:
    weights = read_weights(published)
    text = text_encoder(vocabulary=str(tmp_path / "absent.npy"))
    with pytest.raises(
        CheckpointError, match=r"brings no vocabulary.*give its authors' dict\.npy by --m"
    ):
        load_weights(weights, S3D(dim=8), text, S2DTW())
    load_weights(weights, S3D(dim=8), text_encoder(), S2DTW(), reads_texts=False)


def refusal(path: Path, video: Any, text: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_weights(read_weights(path), video, text, S2DTW())
    return str(caught.value)


def test_the_stem_that_fits_is_named(published: Path, folder: Path, words: Path) -> None:
    for path in (published, folder):
        video = S3D(dim=8, stem="space_to_depth", num_frames=8)
        message = refusal(path, video, text_encoder(vocabulary=str(words)))
        assert f"{path} (vttwins) does not fit the model:\n536 matched" in message
        assert "1 reshaped: video_encoder.conv1.conv1.weight: (64, 3, 3, 7, 7) in" in message
        assert message.endswith(
            "\nIt fits a model with\n  --model.video_encoder.init_args.stem plain"
        )


def test_the_class_that_fits_is_named(published: Path) -> None:
    message = refusal(published, TinyVideo(dim=8), TinyText(dim=8))
    assert "  --model.video_encoder S3D\n  --model.text_encoder Word2Vec" in message


def test_the_sizes_that_fit_are_named(published: Path, words: Path) -> None:
    video, text = S3D(dim=16), text_encoder(dim=16, hidden=4, vocabulary=str(words))
    message = refusal(published, video, text)
    for hint in ("video_encoder.init_args.dim 8", "text_encoder.init_args.hidden 16"):
        assert f"\n  --model.{hint}" in message


def test_other_words_than_the_vectors_are_refused(published: Path, tmp_path: Path) -> None:
    words = files.write_words(tmp_path / "dict.npy", ["too", "few"])
    message = refusal(published, S3D(dim=8), text_encoder(vocabulary=str(words)))
    assert "text_encoder.word_embd.weight: (6, 6) in the file, (3, 6) in the model" in message
    assert "  --model.text_encoder.init_args.vocabulary FILE, its authors' dict.npy" in message


def test_what_weights_do_not_show_is_compared(published: Path, words: Path) -> None:
    video, text = S3D(dim=8, num_frames=8), text_encoder(vocabulary=str(words), lowercase=True)
    _, remarks = load_weights(read_weights(published), video, text, S2DTW())
    assert remarks == [
        "video_encoder: num_frames is 8, the weights were trained with 32",
        "text_encoder: lowercase is True, the weights were trained with False",
    ]


def test_a_checkpoint_brings_weights_and_vocabulary(tmp_path: Path) -> None:
    old, new = trained(tiny_learner()), tiny_learner()
    assert new.text_encoder is not None
    path = saved(tmp_path / "x.ckpt", old)
    load_weights(read_weights(path), new.video_encoder, new.text_encoder, new.head)
    assert not new.text_encoder.needs_vocabulary
    wanted = old.state_dict()
    for name, value in new.state_dict().items():
        same = torch.equal(value, wanted[name]) if torch.is_tensor(value) else value == wanted[name]
        assert same, name


def test_a_head_of_the_same_weights_is_loaded(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.ckpt", trained(tiny_learner(InfoNCE(learn_temperature=True))))
    wanted = torch.load(path, weights_only=True)["state_dict"]
    (name,) = [name for name in wanted if name.startswith("head.")]
    new = tiny_learner(InfoNCE(learn_temperature=True))
    report, said = load_weights(read_weights(path), new.video_encoder, new.text_encoder, new.head)
    assert said == []
    assert name in report.matched
    assert torch.equal(new.state_dict()[name], wanted[name])


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        (InfoNCE(learn_temperature=True), SoftDTW(), "the file has 1 that do not fit it"),
        (SoftDTW(), InfoNCE(learn_temperature=True), "the file has none for it"),
    ],
)
def test_a_head_of_other_weights_begins_as_configured(
    theirs: Any, ours: Any, words: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "x.ckpt", trained(tiny_learner(theirs)))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    new = tiny_learner(ours)
    report, said = load_weights(read_weights(path), new.video_encoder, new.text_encoder, new.head)
    assert report.complete()
    assert said == [f"head: its weights begin as configured; {words}"]
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())


def test_a_model_without_texts_leaves_them_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.ckpt", trained(tiny_learner()))
    video = tiny_learner().video_encoder
    report, _ = load_weights(read_weights(path), video, None, S2DTW())
    assert report.complete()
    assert "text_encoder.fc.weight" in report.dropped


def test_a_compiled_model_takes_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    old, new = trained(tiny_learner()), tiny_learner()
    path = saved(tmp_path / "x.ckpt", old)
    compiled: Any = torch.compile(new.video_encoder, backend="eager")
    load_weights(read_weights(path), compiled, new.text_encoder, new.head)
    weight = new.video_encoder.state_dict()["fc.weight"]
    assert torch.equal(weight, old.video_encoder.state_dict()["fc.weight"])


def test_a_damaged_file_is_reported(words: Path, tmp_path: Path) -> None:
    weights = dict(files.s3d_weights())
    del weights["fc.bias"]
    weights["classifier.bias"] = torch.ones(1)
    path = files.write(tmp_path / "x.pth", files.vttwins(weights))
    message = refusal(path, S3D(dim=8), text_encoder(vocabulary=str(words)))
    assert (
        "\n1 missing: video_encoder.fc.bias\n1 unexpected: video_encoder.classifier.bias" in message
    )
    assert "It is damaged, or of another model; `vtlearn convert` takes" in message


def test_what_is_not_there_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no such file or folder; expected one of\n.*\.ckpt"):
        read_weights(tmp_path / "absent.ckpt")
    with pytest.raises(CheckpointError, match=r"config\.json: No such file.*vtlearn convert"):
        read_weights(tmp_path)


TEXTS: dict[str, Callable[[], TextEncoder]] = {
    "TinyText": lambda: TinyText(dim=8, width=8, hidden=8, vocab_size=60),
    "Word2Vec": text_encoder,
    "Bert": lambda: Bert(width=8, layers=1, heads=2, feedforward=16, vocab_size=60),
}


@pytest.mark.parametrize(("theirs", "ours"), list(permutations(TEXTS, 2)))
def test_a_checkpoint_of_another_text_encoder_names_its_class(
    theirs: str, ours: str, tmp_path: Path
) -> None:
    video = TinyVideo(dim=8, num_frames=2, size=16, width=4)
    old = VideoTextLearner(video, TEXTS[theirs](), S2DTW(), optimizer=partial(AdamW, lr=1e-2))
    path = saved(tmp_path / "x.ckpt", trained(old))
    message = refusal(path, video, TEXTS[ours]())
    assert message.startswith(f"{path} (vtlearn) does not fit the model:\n")
    assert " missing: text_encoder." in message
    assert message.endswith(f"\nIt fits a model with\n  --model.text_encoder {theirs}")


def test_a_vocabulary_that_cannot_be_read_is_said_of_its_file(tmp_path: Path) -> None:
    learner = trained(tiny_learner())
    content = {"hyper_parameters": dict(learner.hparams), "state_dict": learner.state_dict()}
    content["state_dict"]["text_encoder._extra_state"] = ["not", "bytes"]
    path = files.write(tmp_path / "x.ckpt", content)
    new = tiny_learner()
    with pytest.raises(CheckpointError, match=r"x\.ckpt: expected the checkpoint's subwords to"):
        load_weights(read_weights(path), new.video_encoder, new.text_encoder, new.head)


SIZES: dict[str, int] = {"width": 64, "heads": 1, "feedforward": 32, "max_positions": 64}


def videoclip(**options: Any) -> VideoCLIP:
    sizes: dict[str, Any] = {"input_dim": 12, "layers": 2, "vocab_size": len(files.PIECES), **SIZES}
    return VideoCLIP(**{**sizes, **options})


def bert(**options: Any) -> Bert:
    sizes: dict[str, Any] = {"layers": 3, "vocab_size": len(files.PIECES), **SIZES}
    return Bert(**{**sizes, **options})


@pytest.mark.parametrize(
    ("options", "remark"),
    [
        ({"cls_id": 0}, "cls_id is 0, the weights were trained with 101"),
        ({"sep_id": 1}, "sep_id is 1, the weights were trained with 102"),
        ({"see_cls": False}, "see_cls is False, the weights were trained with True"),
        ({"heads": 4}, "heads is 4, the weights were trained with 1"),
    ],
)
def test_what_videoclips_weights_do_not_show_is_compared(
    options: dict[str, Any], remark: str, tmp_path: Path
) -> None:
    path = files.write(tmp_path / "x.pt", files.videoclip())
    text = bert(vocabulary=str(files.write_pieces(tmp_path / "vocab.txt")), dropout=0.0)
    _, remarks = load_weights(read_weights(path), videoclip(**options), text, InfoNCE())
    assert remarks == [f"video_encoder: {remark}"]


@pytest.mark.parametrize("make", [bert, text_encoder])
def test_a_vocabulary_that_is_not_there_is_named(
    make: Callable[..., TextEncoder], tmp_path: Path
) -> None:
    content, video = (
        (files.vttwins(), S3D(dim=8)) if make is text_encoder else (files.videoclip(), videoclip())
    )
    path = files.write(tmp_path / "x.pt", content)
    message = refusal(path, video, make(vocabulary="nope.txt"))
    assert "brings no vocabulary, and nope.txt, which the model was to read, is not" in message


class Elsewhere(TinyVideo):
    """Says where its weights are kept."""

    origin = "hub/name"


def test_weights_kept_elsewhere_are_those_of_their_class(tmp_path: Path) -> None:
    video = Elsewhere(dim=8, num_frames=2, size=16, width=4)
    text = TEXTS["TinyText"]()
    optimizer = partial(AdamW, lr=1e-2)
    old = VideoTextLearner(video, text, S2DTW(), optimizer=optimizer, frozen=["video_encoder"])
    text.build(CAPTIONS)
    path = saved(tmp_path / "x.ckpt", old)
    message = refusal(path, TinyVideo(dim=8, num_frames=2, size=16, width=4), text)
    assert message.endswith("\nIt fits a model with\n  --model.video_encoder Elsewhere")
    with torch.no_grad():
        next(video.parameters()).add_(1)
    assert refusal(path, video, text).startswith(f"{path}: the frozen weights of video_encoder")
