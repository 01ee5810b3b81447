import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import vtlearn
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.__main__ import main
from vtlearn.batch import Encoded
from vtlearn.checkpoints import fit_names, hyperparameters, load_learner, read_checkpoint
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.heads import S2DTW, InfoNCE
from vtlearn.hyperparameters import Configurable
from vtlearn.learner import VideoTextLearner

WORDS = ["chop the carrot", "stir the soup"]


class Mirrored(TinyVideo):
    """An encoder of a user's own."""

    def forward(self, frames: torch.Tensor, frame_length: torch.Tensor | None = None) -> Encoded:
        return super().forward(frames.flip(-1), frame_length)


class Wrapped(Configurable):
    """Has arguments that a text could be taken for a class or a function in."""

    def __init__(
        self,
        inner: nn.Module | None = None,
        call: Callable[[int], int] | None = None,
        anything: Any = None,
        words: str = "",
        file: Path | None = None,
    ) -> None:
        super().__init__()
        self.inner, self.call, self.anything = inner, call, anything
        self.words, self.file = words, file


def save(path: Path, learner: VideoTextLearner, **changes: Any) -> Path:
    """Write a checkpoint as the Trainer does, with other hyperparameters where given."""
    parameters = dict(learner.hparams) | changes
    content = {
        "pytorch-lightning_version": "2.5.0",
        "hyper_parameters": parameters,
        "state_dict": learner.state_dict(),
    }
    learner.on_save_checkpoint(content)
    torch.save(content, path)
    return path


@pytest.fixture
def learner() -> VideoTextLearner:
    torch.manual_seed(0)
    learner = tiny_learner(S2DTW(gamma=0.2))
    assert learner.text_encoder is not None
    learner.text_encoder.build(WORDS * 4)
    return learner.eval()


def evil(folder: Path) -> None:
    """Put a module into the working folder that leaves a trace when it is imported."""
    (folder / "evilhead.py").write_text(
        "from pathlib import Path\nfrom vtlearn.heads import InfoNCE\n"
        "Path('ran').touch()\nclass Head(InfoNCE):\n    pass\n"
        "def run(*args):\n    pass\n"
    )


SPEC = {"class_path": "os.system", "init_args": {"command": "touch ran"}}
HIDDEN = json.dumps(SPEC)
#: The same for a parser of JSON, for one of YAML alone, and in what either takes for a list.
TEXTS = [
    HIDDEN,
    HIDDEN.replace(": ", ":\t"),
    HIDDEN.replace("class_path", "\\x63lass_path"),
    f"[{HIDDEN}]",
    "[evilhead.run]",
    "- evilhead.run",
    "evilhead.run",
]


def head(**arguments: Any) -> dict[str, Any]:
    return {"head": {"class_path": "S2DTW", "init_args": arguments}}


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


FORGERIES: list[dict[str, Any]] = [
    {"head": {"class_path": "vtlearn.datasets.base.os.system", "init_args": {"command": "x"}}},
    {"head": {"class_path": "evilhead.Head", "init_args": {}}},
    {"head": {"class_path": "x.ckpt", "init_args": {}}},
    {"head": "evilhead.Head"},
    {"head": {"class_path": "S2DTW", "init_args": {}, "dict_kwargs": {"inner": SPEC}}},
    {"head": {"class_path": "S2DTW", "init_args": HIDDEN}},
    {"head": {"class_path": "nn.Module", "init_args": {}}},
    {"head": {"class_path": "..", "init_args": {}}},
    {"head.class_path": "evilhead.Head"},
    {"video_encoder": {"class_path": "tests.test_checkpoints.Wrapped", "init_args": {}}},
    head(gamma=SPEC),
    head(gamma="1.0"),
    head(gamma=deep(50)),
    head(gamma=[0] * 20_000),
    head(gamma={1: 2}),
    {"head": {"class_path": "S2DTW", "init_args": {1: 2}}},
    {"head": {"class_path": "S2DTW", "init_args": {"gamma.class_path": "os.system"}}},
]
TRAINING_FORGERIES: list[dict[str, Any]] = [
    {"optimizer": SPEC},
    {"scheduler": SPEC},
    {"scheduler": {"class_path": "vtlearn.datasets.base.os.system", "init_args": SPEC}},
    *({"optimizer": text} for text in TEXTS),
    *({"scheduler": {"class_path": "LambdaLR", "init_args": {"lr_lambda": x}}} for x in TEXTS),
]


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with modules that leave a trace, which none may have left in the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    evil(tmp_path)
    (tmp_path / "x.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    yield tmp_path
    assert not {"evilhead", "x"} & sys.modules.keys()
    assert not Path("ran").exists()


def identity(forged: dict[str, Any]) -> str:
    return repr(forged)[:60]


@pytest.mark.usefixtures("trap")
@pytest.mark.parametrize("forged", FORGERIES, ids=identity)
@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_forged_model_runs_nothing(
    forged: dict[str, Any],
    command: str,
    learner: VideoTextLearner,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = save(Path("x.ckpt"), learner, **forged)
    assert main([command, "--config", "vttwins.yaml", "--ckpt_path", str(path)]) == 2
    error = capsys.readouterr().err
    assert "vtlearn: error: x.ckpt names " in error or "vtlearn: error: x.ckpt holds " in error
    assert "Traceback" not in error
    with pytest.raises(CheckpointError, match=r"x\.ckpt (names|holds) "):
        load_learner(path)


@pytest.mark.usefixtures("trap")
@pytest.mark.parametrize("forged", TRAINING_FORGERIES, ids=identity)
def test_a_forged_optimiser_runs_nothing(
    forged: dict[str, Any], learner: VideoTextLearner, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(Path("x.ckpt"), learner, **forged)
    assert main(["fit", "--data", "Kitchen", "--ckpt_path", str(path)]) == 2
    assert "vtlearn: error: x.ckpt " in capsys.readouterr().err
    # what does not train has no use for it
    assert {"optimizer", "scheduler"}.isdisjoint(hyperparameters(path))
    assert load_learner(path).encode_text(WORDS).shape == (2, 8)


@pytest.mark.parametrize("value", [SPEC, *TEXTS, [SPEC], {"k": SPEC}])
@pytest.mark.parametrize("argument", ["inner", "call", "anything", "words"])
def test_nested_arguments_are_resolved_by_their_annotations(
    argument: str, value: Any, learner: VideoTextLearner, tmp_path: Path
) -> None:
    wrapped = {"class_path": f"{__name__}.Wrapped", "init_args": {argument: value}}
    path = save(tmp_path / "x.ckpt", learner, head=holding(wrapped))
    is_text = argument == "words" and isinstance(value, str)
    if is_text or (argument == "anything" and value == "evilhead.run"):
        part = load_learner(path).head.part
        assert isinstance(part, Wrapped)
        assert value in (part.words, part.anything)  # a text, and stays one
        return
    with pytest.raises(CheckpointError, match=r"x\.ckpt (names|holds) "):
        hyperparameters(path)
    with pytest.raises(CheckpointError, match=r"x\.ckpt (names|holds) "):
        load_learner(path)


def holding(part: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": f"{__name__}.Holding", "init_args": {"part": part}}


class Holding(InfoNCE):
    """A head with a part of its own."""

    def __init__(self, part: Configurable) -> None:
        super().__init__()
        self.part = part


def test_files_and_short_names_stay_what_they_are(
    learner: VideoTextLearner, tmp_path: Path
) -> None:
    given = {"file": "words/list.txt", "words": "{x: class_path} [\\w]", "inner": None}
    wrapped = {"class_path": f"{__name__}.Wrapped", "init_args": given}
    path = save(tmp_path / "x.ckpt", learner, head=holding(wrapped))
    part = load_learner(path).head.part
    assert isinstance(part, Wrapped)
    assert (part.file, part.words) == (Path("words/list.txt"), given["words"])
    config = hyperparameters(path)["head"]["init_args"]["part"]["init_args"]
    assert config == given


def test_a_model_is_loaded_from_python_alone(learner: VideoTextLearner, tmp_path: Path) -> None:
    path = save(tmp_path / "best.ckpt", learner)
    wanted = learner.encode_text(WORDS)
    for found in (
        vtlearn.load(path).learner,
        vtlearn.load(str(path)).learner,
        VideoTextLearner.load_from_checkpoint(path),
    ):
        assert not found.training
        assert torch.equal(found.encode_text(WORDS), wanted)
        assert torch.linalg.vector_norm(found.encode_text(WORDS), dim=1).allclose(torch.ones(2))
    assert found.hparams["head"]["class_path"] == "vtlearn.heads.S2DTW"
    assert found.hparams["head"]["init_args"]["gamma"] == 0.2


@pytest.mark.parametrize("texts", ["chop the carrot", [1]])
def test_texts_are_a_list_of_strings(texts: Any, learner: VideoTextLearner) -> None:
    with pytest.raises(ArgumentError, match="expected a list of strings, got "):
        learner.encode_text(texts)


@pytest.mark.parametrize(
    "moved", ["vtlearn.heads.s2dtw.S2DTW", "vtlearn.somewhere.else_.S2DTW", "S2DTW"]
)
def test_old_paths_open_for_ever(moved: str, learner: VideoTextLearner, tmp_path: Path) -> None:
    head = {"class_path": moved, "init_args": {"gamma": 0.2}}
    path = save(tmp_path / "x.ckpt", learner, head=head)
    assert isinstance(load_learner(path).head, S2DTW)
    assert hyperparameters(path)["head"]["class_path"] == "vtlearn.heads.S2DTW"


def test_an_encoder_of_ones_own_is_known_once_imported(
    learner: VideoTextLearner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Mirrored(dim=8, num_frames=2, size=16, width=4)
    own = VideoTextLearner(encoder, learner.text_encoder, S2DTW())
    path = save(tmp_path / "x.ckpt", own)
    assert type(load_learner(path).video_encoder) is Mirrored
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "strangers.py").write_text(
        "from vtlearn.encoders.video import TinyVideo\nclass Mine(TinyVideo):\n    pass\n"
    )
    arguments = {"dim": 8, "num_frames": 2, "size": 16, "width": 4}
    spec = {"class_path": "strangers.Mine", "init_args": arguments}
    path = save(tmp_path / "y.ckpt", learner, video_encoder=spec)
    with pytest.raises(
        CheckpointError, match=r"y.ckpt names the class 'strangers.Mine'.*trust=True"
    ):
        load_learner(path)
    assert "strangers" not in sys.modules
    named = hyperparameters(path, named=["strangers.Mine"])
    assert named["video_encoder"] == spec
    assert type(load_learner(path, trust=True).video_encoder).__name__ == "Mine"
    del sys.modules["strangers"]


def test_a_class_of_ones_own_is_not_taken_for_one_of_ours(
    learner: VideoTextLearner, tmp_path: Path
) -> None:
    path = save(tmp_path / "x.ckpt", learner, head={"class_path": "mine.S2DTW", "init_args": {}})
    with pytest.raises(CheckpointError, match=r"names the class 'mine\.S2DTW'"):
        load_learner(path)


def test_clips_are_kept_outside_of_the_hyperparameters(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    learner = tiny_learner()
    trainer = quiet_trainer(tmp_path)
    trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    wanted = {"num_frames": 2, "fps": 4.0, "size": 16, "crop": "center", "pad": "edge"}
    assert read_checkpoint(tmp_path / "x.ckpt")["clips"] == wanted
    assert load_learner(tmp_path / "x.ckpt").clips == wanted


@pytest.mark.parametrize("compiled", ["saved", "loaded"])
def test_compilation_renames_no_weight(
    compiled: str, learner: VideoTextLearner, tmp_path: Path
) -> None:
    def wrap(model: VideoTextLearner) -> VideoTextLearner:
        encoder: Any = torch.compile(model.video_encoder, backend="eager")
        return VideoTextLearner(encoder, model.text_encoder, model.head)

    if compiled == "saved":
        path = save(tmp_path / "x.ckpt", wrap(learner))
        assert any("_orig_mod." in name for name in read_checkpoint(path)["state_dict"])
        found = load_learner(path)
        weights = {k.replace("_orig_mod.", ""): v for k, v in found.state_dict().items()}
    else:
        fresh = wrap(tiny_learner(S2DTW(gamma=0.2)))
        fresh.load_state_dict(learner.state_dict())
        weights = {k.replace("_orig_mod.", ""): v for k, v in fresh.state_dict().items()}
    for name, value in learner.state_dict().items():
        assert torch.equal(weights[name], value)


def test_names_differ_by_compilation_alone() -> None:
    assert fit_names(["_orig_mod.a.b"], {"a.b": 1, "c": 2}) == {"_orig_mod.a.b": 1, "c": 2}


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {}},
        {"hyper_parameters": {}, "state_dict": 3},
        {"hyper_parameters": {}, "state_dict": {1: 2}},
        [1, 2],
        "hello",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"x\.ckpt is not a vtlearn checkpoint"):
        load_learner(path)


def test_importing_vtlearn_is_light() -> None:
    code = "import sys, vtlearn; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"head": None},
        {"head": 3},
        {"extra": 1},
        {"head": {"class_path": "S2DTW", "init_args": {"absent": 1}}},
        {"head": {"class_path": "S2DTW", "init_args": {"gamma": -1.0}}},
        {"head": {"class_path": "Aligner", "init_args": {}}},
        {"video_encoder": {"class_path": "TinyVideo", "init_args": {"width": 10**12}}},
    ],
    ids=identity,
)
def test_a_model_that_cannot_be_built_is_one_error(
    changes: dict[str, Any], learner: VideoTextLearner, tmp_path: Path
) -> None:
    path = save(tmp_path / "x.ckpt", learner, **changes)
    with pytest.raises(CheckpointError, match=r"x\.ckpt(:| names)"):
        load_learner(path)


def test_published_weights_are_told_where_they_are_read(tmp_path: Path) -> None:
    torch.save({"module.fc.weight": torch.ones(1)}, tmp_path / "x.pth.tar")
    with pytest.raises(CheckpointError, match="published are read by vtlearn convert, and by --w"):
        load_learner(tmp_path / "x.pth.tar")
