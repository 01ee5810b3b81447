import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.cli.parsed import parsed
from tests.cli.workplaces import TINY_MODEL
from tests.interop import files
from vtlearn.__main__ import main
from vtlearn.checkpoints import load_learner
from vtlearn.encoders.video import S3D
from vtlearn.heads import CaliNCE, TextDecoder
from vtlearn.media.features.reader import FeatureReader
from vtlearn.parameters import weights_sha256


def results(folder: Path) -> list[dict[str, object]]:
    (path,) = sorted(folder.rglob("results.json"))[-1:]
    records: list[dict[str, object]] = json.loads(path.read_text())
    return records


def test_fit_then_test_the_best_without_a_model_configuration(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    checkpoint = next(workplace.rglob("best.ckpt"))
    content = torch.load(checkpoint, weights_only=True)
    assert content["hyper_parameters"]["head"]["init_args"]["gamma"] == 0.2
    argv = ["test", "--ckpt_path", str(checkpoint), "--config", "quiet.yaml", "--data", "data.yaml"]
    assert main(argv) == 0
    output = capsys.readouterr().out
    assert "kitchen-retrieval" in output
    assert "alignment picture: " in output
    first = results(workplace)
    assert main(["test", "--config", "tiny.yaml", "--ckpt_path", "best"]) == 0
    again = results(workplace)
    assert [record["metrics"] for record in again] == [record["metrics"] for record in first]


@pytest.mark.slow
def test_a_part_of_a_head_is_chosen_by_name_and_kept_in_the_checkpoint(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["fit", "--config", "tiny.yaml", "--model.head", "CaliNCE"]
    argv += ["--model.head.init_args.predictor", "TextDecoder"]
    argv += ["--model.head.init_args.predictor.init_args.width", "16"]
    assert main(argv) == 0
    checkpoint = next(workplace.rglob("best.ckpt"))
    opened = load_learner(checkpoint)
    assert isinstance(opened.head, CaliNCE)
    assert isinstance(opened.head.predictor, TextDecoder)
    assert opened.head.predictor.arguments["width"] == 16
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    for name, value in opened.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, weights[name])
    assert not opened.head.needs_vocabulary
    clip = opened.head.embed(torch.randn(8))
    assert opened.head.match(clip, opened.encode_text(["chop the carrot", "stir"])).shape == (2,)
    argv = ["test", "--ckpt_path", str(checkpoint), "--config", "quiet.yaml", "--data", "data.yaml"]
    assert main(argv) == 0
    assert "kitchen-retrieval" in capsys.readouterr().out


@pytest.mark.slow
def test_overlapping_clips_are_set_by_a_file(
    workplace: Path, kitchen_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = yaml.safe_load((workplace / "data.yaml").read_text())["init_args"]
    arguments["overlap"] = {"num_clips": 4, "words": [3, 9], "seconds": [1, 3]}
    named = {"class_path": "Kitchen", "init_args": arguments}
    loading = {key: arguments[key] for key in ("sampling", "pixels", "overlap")}
    folders = {name: str(kitchen_root / name) for name in ("captions", "videos")}
    for data in (
        named,
        {"class_path": "HowTo100M", "init_args": {**loading, **folders, "batch_size": 4}},
    ):
        (workplace / "overlap.yaml").write_text(yaml.safe_dump(data))
        assert main(["fit", "--config", "tiny.yaml", "--data", "overlap.yaml"]) == 0
        last = max(workplace.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
        clips = torch.load(last, weights_only=True)["clips"]
        assert clips["overlap"] == {**arguments["overlap"], "max_seconds": 256.0}
    argv = ["fit", "--config", "tiny.yaml", "--data", "overlap.yaml"]
    assert main([*argv, "--data.init_args.sampling.candidates", "2"]) == 2
    assert "sampling.candidates=2 is about the clip of one caption" in capsys.readouterr().err


def test_training_goes_on_from_the_last(workplace: Path) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    argv = ["fit", "--config", "tiny.yaml", "--ckpt_path", "last", "--trainer.max_epochs", "3"]
    assert main(argv) == 0
    last = max(workplace.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
    content = torch.load(last, weights_only=True)
    assert content["global_step"] == 6
    (schedule,) = content["lr_schedulers"]
    assert schedule["_last_lr"] == [0.0]  # planned anew for three epochs, of which this is the end


@pytest.mark.usefixtures("workplace")
def test_a_training_that_is_over_may_be_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["fit", "--config", "tiny.yaml"]
    assert main(argv) == 0
    capsys.readouterr()
    assert main([*argv, "--ckpt_path", "last"]) == 0  # it has a best model, and no score of it
    assert "Logging error" not in capsys.readouterr().err


@pytest.mark.slow
def test_best_is_refused_where_the_newest_run_has_no_validation_split(
    workplace: Path, kitchen_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    assert "validation split" not in capsys.readouterr().err
    arguments = yaml.safe_load((workplace / "data.yaml").read_text())["init_args"]
    arguments = {key: arguments[key] for key in ("sampling", "pixels") if key in arguments}
    arguments |= {name: str(kitchen_root / name) for name in ("captions", "videos")}
    data = {"class_path": "HowTo100M", "init_args": {**arguments, "batch_size": 4}}
    (workplace / "unscored.yaml").write_text(yaml.safe_dump(data))
    assert main(["fit", "--config", "tiny.yaml", "--data", "unscored.yaml"]) == 0
    error = " ".join(capsys.readouterr().err.split())
    assert error.count("HowTo100M has no validation split") == 1
    assert "only last.ckpt is kept" in error
    assert "last model: runs/t/version_1/checkpoints/last.ckpt" in error
    argv = ["validate", "--config", "tiny.yaml", "--ckpt_path"]
    assert main([*argv, "best"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "the newest run, runs/t/version_1, kept only last.ckpt" in error
    assert "such as runs/t/version_0/checkpoints/best.ckpt of an earlier run" in error
    assert main([*argv, "last"]) == 0  # which leaves a folder without checkpoints
    assert main([*argv, "runs/t/version_0/checkpoints/best.ckpt"]) == 0
    assert main([*argv, "best"]) == 2


@pytest.mark.usefixtures("workplace")
def test_features_are_predicted_and_found_whole(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["predict", "--config", "tiny.yaml", "--features.folder", "store"]
    argv += ["--features.mean", "[0.5, 0.5, 0.5]", "--features.std", "[0.25, 0.25, 0.25]"]
    for _ in range(2):  # the second time there is nothing left to do
        assert main(argv) == 0
        assert "vectors of 13 videos in store" in " ".join(capsys.readouterr().out.split())
    reader = FeatureReader("store")
    assert len(reader.ids) == 13
    assert reader.spec.std == (0.25, 0.25, 0.25)


def test_a_model_with_an_encoder_of_ones_own(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(workplace)
    (workplace / "strange.py").write_text(
        "from vtlearn.encoders.video import TinyVideo\nclass Mine(TinyVideo):\n    pass\n"
    )
    own = {"model": {"video_encoder": {"class_path": "strange.Mine"}}}
    (workplace / "own.yaml").write_text(yaml.safe_dump(own))
    assert main(["fit", "--config", "tiny.yaml", "--config", "own.yaml"]) == 0
    checkpoint = next(workplace.rglob("best.ckpt"))
    spec = torch.load(checkpoint, weights_only=True)["hyper_parameters"]["video_encoder"]
    assert spec["class_path"] == "strange.Mine"
    argv = ["test", "--ckpt_path", str(checkpoint), "--config", "quiet.yaml", "--data", "data.yaml"]
    for extra, code in (
        ([], 2),
        (["--trust_checkpoint"], 0),
        (["--config", "own.yaml"], 0),
        (["--model.video_encoder", "strange.Mine"], 0),
    ):
        sys.modules.pop("strange", None)
        assert main([*argv, *extra]) == code
        error = capsys.readouterr().err
        assert ("names the class 'strange.Mine'" in error) is (code == 2)
    assert type(load_learner(checkpoint).video_encoder).__name__ == "Mine"  # imported by now


def scored(*argv: str) -> list[dict[str, Any]]:
    assert main(["test", "--config", "tiny.yaml", *argv]) == 0
    newest = max(Path().rglob("results.json"), key=lambda path: path.stat().st_mtime)
    records: list[dict[str, Any]] = json.loads(newest.read_text())
    return records


@pytest.mark.slow
def test_weights_of_ones_own_are_what_a_model_begins_with(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    path = next(workplace.rglob("best.ckpt")).relative_to(workplace)
    as_checkpoint = scored("--ckpt_path", str(path))
    as_weights = scored("--weights", str(path))
    assert [one["metrics"] for one in as_weights] == [one["metrics"] for one in as_checkpoint]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for checkpoint, weights in zip(as_checkpoint, as_weights, strict=True):
        record = {"path": str(path), "sha256": digest}
        assert (checkpoint["checkpoint"], checkpoint["weights"]) == (record, None)
        assert weights["weights"] == record
        assert weights["checkpoint"] == {"path": None, "sha256": None}
    error = capsys.readouterr().err
    assert f"weights: {path}\n" in error
    assert " matched: video_encoder." in error
    assert "\n0 missing\n0 unexpected\n0 reshaped\n0 dropped\n" in error


def test_training_begins_with_weights_and_their_vocabulary(workplace: Path) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    path = next(workplace.rglob("last.ckpt"))
    content = torch.load(path, weights_only=True)
    argv = ["fit", "--config", "tiny.yaml", "--weights", str(path)]
    argv += ["--model.text_encoder.init_args.vocab_size", "50"]  # captions would give fewer words
    argv += ["--model.optimizer", "SGD", "--model.optimizer.init_args.lr", "0.0"]
    assert main(argv) == 0
    last = max(workplace.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
    assert last != path
    state = torch.load(last, weights_only=True)["state_dict"]
    for name in ("video_encoder.fc.weight", "text_encoder.embedding.weight"):
        assert torch.equal(state[name], content["state_dict"][name])
    vocabulary = "text_encoder._extra_state"
    assert torch.equal(state[vocabulary], content["state_dict"][vocabulary])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with VT-TWINS's file and words, one that fairseq pickled and one of a friend's."""
    root = tmp_path_factory.mktemp("published")
    files.write(root / "pretrained.pth.tar", files.vttwins())
    files.write(root / "pickled.pt", {"args": files.Options(), **files.milnce()})
    files.write_words(root / "dict.npy")
    return root


PUBLISHED = [
    *("--model.video_encoder", "S3D", "--model.video_encoder.init_args.num_frames", "2"),
    *("--model.video_encoder.init_args.size", "16", "--model.video_encoder.init_args.dim", "8"),
    *("--model.video_encoder.init_args.width", "1"),
    *("--model.text_encoder", "Word2Vec", "--model.text_encoder.init_args.hidden", "16"),
    *("--model.text_encoder.init_args.embedding_dim", "6", "--trainer.limit_test_batches", "1"),
]


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_a_published_file_is_converted_on_the_fly(published: Path) -> None:
    words = ["--model.text_encoder.init_args.vocabulary", str(published / "dict.npy")]
    file = str(published / "pretrained.pth.tar")
    on_the_fly = scored(*PUBLISHED, *words, "--weights", file)
    assert {record["weights"]["path"] for record in on_the_fly} == {file}
    argv = ["convert", file, "--to", "model", "--vocabulary", str(published / "dict.npy")]
    assert main(argv) == 0
    converted = scored(*PUBLISHED, "--weights", "model")
    assert [one["metrics"] for one in converted] == [one["metrics"] for one in on_the_fly]
    assert {record["weights"]["path"] for record in converted} == {"model"}


@pytest.mark.usefixtures("workplace")
def test_features_need_no_vocabulary(published: Path) -> None:
    argv = ["predict", "--config", "tiny.yaml", *PUBLISHED[:-2], "--features.folder", "store"]
    assert main([*argv, "--weights", str(published / "pretrained.pth.tar")]) == 0
    video = S3D(dim=8, num_frames=2, size=16)
    weights = files.s3d_weights()
    video.load_state_dict({k: v for k, v in weights.items() if "text_module" not in k})
    assert FeatureReader("store").spec.weights_sha256 == weights_sha256(video.state_dict())


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("argv", "sentences"),
    [
        (["--weights", "absent"], ["--weights absent: there is no such file or folder; expected"]),
        (
            ["--weights", "{root}/dict.npy", "--ckpt_path", "x.ckpt"],
            ["dict.npy would be overwritten by --ckpt_path x.ckpt: give one of them"],
        ),
        (["--weights", "{root}/dict.npy"], ["dict.npy cannot be read as a checkpoint"]),
        (
            ["--weights", "{root}/pretrained.pth.tar"],
            ["(vttwins) does not fit the model:\n", "\n  --model.video_encoder S3D\n"],
        ),
        (
            [*PUBLISHED, "--weights", "{root}/pretrained.pth.tar"],
            ["(vttwins) brings no vocabulary", "give its authors' dict.npy by --model.text_enc"],
        ),
        (
            [
                *(*PUBLISHED, "--model.video_encoder.init_args.stem", "space_to_depth"),
                *("--weights", "{root}/pretrained.pth.tar"),
            ],
            [
                "\n1 reshaped: video_encoder.conv1.conv1.weight: (64, 3, 3, 7, 7) in the file, (64",
                "\nIt fits a model with\n  --model.video_encoder.init_args.stem plain\n",
            ],
        ),
        (
            ["--weights", "{root}/pickled.pt"],
            ["files.Options is pickled in it", "`vtlearn convert` read it with --trust-pickle"],
        ),
    ],
)
def test_weights_that_do_not_fit(
    argv: list[str], sentences: list[str], published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(Path())
    words = [word.format(root=published) for word in argv]
    assert main(["test", "--config", "tiny.yaml", *words]) == 2
    error = capsys.readouterr().err
    for sentence in sentences:
        assert sentence in error
    assert "Traceback" not in error


USERS = {
    "config.yaml": "trainer: {max_epochs: 7}",
    "results.json": '{"accuracy": 1}',
    "alignment/test.png": "mine",
    "alignment/epoch-000.png": "mine",
    "checkpoints/best.ckpt": "mine",
    "checkpoints/last.ckpt": "mine",
}


@pytest.mark.filterwarnings("ignore:.* directory .* exists and is not empty:UserWarning")
@pytest.mark.parametrize(
    ("logger", "save_dir"),
    [
        pytest.param("CSVLogger", "../{name}", marks=pytest.mark.slow),
        ("TensorBoardLogger", "."),
        pytest.param("CSVLogger", ".", marks=pytest.mark.slow),
        pytest.param("false", "", marks=pytest.mark.slow),
    ],
)
def test_no_file_in_the_working_directory_is_overwritten(
    logger: str, save_dir: str, workplace: Path
) -> None:
    for name, text in USERS.items():
        (workplace / name).parent.mkdir(exist_ok=True)
        (workplace / name).write_text(text)
    options = ["--config", "tiny.yaml", "--trainer.logger", logger]
    if save_dir:
        where = {"save_dir": save_dir.format(name=workplace.name), "name": "", "version": ""}
        for name, value in where.items():
            options += [f"--trainer.logger.init_args.{name}", value]
    assert main(["fit", *options]) == 0
    best = next((workplace / "runs").rglob("best.ckpt"))
    assert main(["test", *options, "--ckpt_path", str(best)]) == 0
    assert {name: (workplace / name).read_text() for name in USERS} == USERS
    assert not list((workplace / "runs").rglob("config.yaml"))
    written = {path.name for path in (workplace / "runs").rglob("*") if path.is_file()}
    assert written >= {"best.ckpt", "last.ckpt", "epoch-000.png", "test.png", "results.json"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning")
def test_the_configuration_is_kept_in_the_loggers_folder(workplace: Path) -> None:
    options = ["fit", "--config", "tiny.yaml", "--trainer.logger.init_args.version", "0"]
    for gamma in ("0.3", "0.4"):  # the second run replaces what the first one wrote
        assert main([*options, "--model.head.init_args.gamma", gamma]) == 0
    (path,) = workplace.glob("runs/**/config.yaml")
    assert path == workplace / "runs" / "t" / "version_0" / "config.yaml"
    content = yaml.safe_load(path.read_text())
    assert content["model"]["head"]["init_args"]["gamma"] == 0.4


def saved(folder: Path) -> Path:
    path = folder / "x.ckpt"
    torch.save({"hyper_parameters": TINY_MODEL, "state_dict": {}}, path)
    return path


def test_command_line_over_file_over_checkpoint(workplace: Path) -> None:
    (workplace / "over.yaml").write_text("model: {head: {init_args: {gamma: 0.3}}}")
    ckpt = ["test", "--ckpt_path", str(saved(workplace)), "--data", "data.yaml"]
    over = ["--config", "over.yaml"]
    typed = ["--model.head.init_args.gamma", "0.4"]
    for extra, wanted in (([], 0.2), (over, 0.3), (over + typed, 0.4)):
        model = parsed(*ckpt, *extra)["model"]
        assert model["head"]["init_args"]["gamma"] == wanted
    other = parsed(*ckpt, "--model.head", "InfoNCE")["model"]
    assert other["head"]["class_path"] == "vtlearn.heads.InfoNCE"


@pytest.mark.usefixtures("workplace")
def test_a_width_is_typed_once() -> None:
    typed = ["--model.video_encoder.dim", "12"]
    model = parsed("fit", "--config", "tiny.yaml", "--model.text_encoder", "Word2Vec", *typed)
    assert model["model"]["video_encoder"]["init_args"]["dim"] == 12
    assert model["model"]["text_encoder"]["init_args"]["dim"] == 12


@pytest.mark.usefixtures("workplace")
def test_new_data_keep_nothing_of_the_old() -> None:
    config = parsed(
        "fit",
        "--config",
        "tiny.yaml",
        "--data",
        "HowTo100M",
        "--data.init_args.videos",
        "v",
        "--data.init_args.captions",
        "c",
    )
    arguments = config["data"]["init_args"]
    assert arguments["batch_size"] == 16
    assert "root" not in arguments


@pytest.mark.usefixtures("workplace")
def test_a_second_config_lays_itself_over_the_first() -> None:
    config = parsed("fit", "--config", "vttwins.yaml", "--config", "trainer/ddp.yaml")
    assert config["trainer"]["strategy"] == "ddp"
    assert config["trainer"]["max_epochs"] > 1


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--config", "a.yaml", "fit"], "vtlearn fit --config a.yaml"),
        (["train"], "there is no command 'train'"),
        (["predict", "--config", "tiny.yaml"], "give --features.folder DIR"),
        (["fit", "--config", "a.yaml"], "there is no file a.yaml"),
        (["test", "--config", "tiny.yaml", "--ckpt_path", "x.ckpt"], "there is no such file"),
        (
            ["fit", "--config", "tiny.yaml", "--trainer.use_distributed_sampler", "true"],
            "count them twice",
        ),
        (["fit", "--config", "tiny.yaml", "--data.init_args.shift", "9"], "shift"),
        (
            ["fit", "--config", "tiny.yaml", "--model.text_encoder.dim", "5"],
            "dim=5, but videos have dim=8",
        ),
        (
            ["fit", "--config", "tiny.yaml", "--data.init_args.batch_size", "100"],
            "more than the 8 samples of the corpus: set data.init_args.batch_size to 8 at most",
        ),
        (
            [
                *("fit", "--config", "tiny.yaml", "--model.head", "CaliNCE"),
                *("--model.head.init_args.predict", "mlm"),
            ],
            "predict=mlm needs model.head.init_args.predictor",
        ),
        (
            [
                "fit",
                "--config",
                "tiny.yaml",
                "--data",
                "configs/data/howto100m.yaml",
                "--data.init_args.sampling.num_frames",
                "2",
                "--data.init_args.pixels.size",
                "16",
            ],
            "HowTo100M was not found. Expected:",
        ),
    ],
)
@pytest.mark.usefixtures("workplace")
def test_a_mistake_is_one_sentence(
    capsys: pytest.CaptureFixture[str], argv: list[str], sentence: str
) -> None:
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "vtlearn: error: " in error
    assert sentence in error
    assert "Traceback" not in error


def test_help_does_not_need_torch() -> None:
    code = "import sys; from vtlearn.__main__ import main; main(['--help']); "
    code += "sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_a_checkpoint_of_another_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    argv = [
        "test",
        "--config",
        "tiny.yaml",
        "--ckpt_path",
        "last",
        "--model.video_encoder.init_args.width",
        "6",
    ]
    assert main(argv) == 2
    assert "the checkpoint is one of another model" in capsys.readouterr().err


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("command", ["fit", "test"])
def test_what_a_datamodule_refuses_is_a_sentence(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--config", "tiny.yaml", "--data.init_args.batch_size", "0"]) == 2
    assert capsys.readouterr().err == "vtlearn: error: batch_size must be positive, but is 0\n"


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["YouCook2", "CrossTask"])
def test_benchmarks_are_scored_alike_by_several_processes(
    corpus: str, workplace: Path, youcook2_root: Path, crosstask_root: Path
) -> None:
    root = {"YouCook2": youcook2_root, "CrossTask": crosstask_root}[corpus]
    loading = {"sampling": {"num_frames": 2, "fps": 4.0}, "pixels": {"size": 16}}
    content = yaml.safe_load((workplace / "tiny.yaml").read_text())
    content["data"] = {
        "class_path": corpus,
        "init_args": {"root": str(root), "batch_size": 2, **loading},
    }
    if corpus == "CrossTask":
        content["data"]["init_args"]["train_per_task"] = 2
    (workplace / "benchmark.yaml").write_text(yaml.safe_dump(content))
    assert main(["fit", "--config", "benchmark.yaml"]) == 0
    last = str(next(workplace.rglob("last.ckpt")))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    figures = []
    for world in (1, 2, 3):
        launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={world}", "--standalone"]
        argv = ["test", "--config", "benchmark.yaml", "--ckpt_path", last]
        command = [sys.executable, *(launcher if world > 1 else []), "-m", "vtlearn", *argv]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        newest = max(workplace.rglob("results.json"), key=lambda path: path.stat().st_mtime)
        records = json.loads(newest.read_text())
        assert {record.pop("world_size") for record in records} == {world}
        figures.append(json.dumps(records))
    assert figures[0] == figures[1] == figures[2]


@pytest.mark.ddp
@pytest.mark.slow
def test_each_of_several_processes_loads_the_weights(workplace: Path) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    last = str(next(workplace.rglob("last.ckpt")))
    wanted = scored("--ckpt_path", last)
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    argv = ["-m", "vtlearn", "test", "--config", "tiny.yaml", "--weights", last]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *argv]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    newest = max(workplace.rglob("results.json"), key=lambda path: path.stat().st_mtime)
    records = json.loads(newest.read_text())
    assert [one["metrics"] for one in records] == [one["metrics"] for one in wanted]
    assert {(one["world_size"], one["weights"]["path"]) for one in records} == {(2, last)}
    assert done.stderr.count(f"weights: {last}\n") == 1


@pytest.mark.ddp
@pytest.mark.slow
def test_one_and_two_processes_train_and_score_alike(workplace: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def vtlearn(world: int, *argv: str) -> None:
        launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={world}", "--standalone"]
        command = [sys.executable, *(launcher if world > 1 else []), "-m", "vtlearn", *argv]
        subprocess.run(command, check=True, env=environment, capture_output=True)

    vtlearn(2, "fit", "--config", "tiny.yaml")
    figures = []
    for world in (1, 2, 3):
        vtlearn(world, "test", "--config", "tiny.yaml", "--ckpt_path", "best")
        newest = max(workplace.rglob("results.json"), key=lambda path: path.stat().st_mtime)
        records = json.loads(newest.read_text())
        assert {record.pop("world_size") for record in records} == {world}
        figures.append(json.dumps(records))
    assert figures[0] == figures[1] == figures[2]


@pytest.mark.slow
def test_what_is_typed_wins_over_weights_and_checkpoints_of_a_configuration(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    path = str(next(workplace.rglob("last.ckpt")).relative_to(workplace))
    assert main(["fit", "--config", "tiny.yaml", "--weights", path]) == 0
    config = str(Path("runs/t/version_1/config.yaml"))
    assert yaml.safe_load(Path(config).read_text())["weights"] == path
    last = str(Path("runs/t/version_1/checkpoints/last.ckpt"))
    argv = ["fit", "--config", config, "--trainer.max_epochs", "2"]
    assert main([*argv, "--ckpt_path", "last"]) == 0
    error = capsys.readouterr().err
    assert f"weights={path} of a configuration is left out: --ckpt_path last is given\n" in error
    resumed_config = yaml.safe_load(Path("runs/t/version_2/config.yaml").read_text())
    assert (resumed_config["weights"], resumed_config["ckpt_path"]) == (None, last)
    assert main(["test", "--config", config, "--ckpt_path", last]) == 0
    assert f"weights={path} of a configuration is left out: --ckp" in capsys.readouterr().err
    Path("resumed.yaml").write_text(yaml.safe_dump({"ckpt_path": last}))
    resumed = ["--config", "tiny.yaml", "--config", "resumed.yaml"]
    assert main(["test", *resumed, "--weights", path]) == 0
    error = capsys.readouterr().err
    assert f"ckpt_path={last} of a configuration is left out: --weights {path} is given\n" in error
    assert f"\nweights: {path}\n" in error
    Path("both.yaml").write_text(yaml.safe_dump({"ckpt_path": last, "weights": path}))
    assert main(["test", "--config", "tiny.yaml", "--config", "both.yaml"]) == 2
    assert f"--weights {path} would be overwritten by --ckpt" in capsys.readouterr().err
    assert main(["test", "--config", "tiny.yaml", "--ckpt_path", last, "--weights", path]) == 2


@pytest.mark.slow
def test_a_logger_without_pictures_keeps_everything_in_files(workplace: Path) -> None:
    logger = ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "runs"]
    assert main(["fit", "--config", "tiny.yaml", *logger, "--trainer.logger.name", "csv"]) == 0
    folder = workplace / "runs" / "csv" / "version_0"
    assert "val/primary" in (folder / "metrics.csv").read_text()
    assert (folder / "config.yaml").is_file()
    assert list(folder.glob("alignment/*.png"))
    checkpoint = str(folder / "checkpoints" / "best.ckpt")
    data = ["--config", "quiet.yaml", "--data", "data.yaml"]
    argv = ["test", "--ckpt_path", checkpoint, *data, *logger, "--trainer.logger.name", "csv"]
    assert main(argv) == 0
    assert (workplace / "runs" / "csv" / "version_1" / "results.json").is_file()
