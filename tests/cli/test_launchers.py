import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from tests.models import TINY_ENCODERS
from vtlearn.cli.config_files import shipped_configs
from vtlearn.cli.launchers import Launched, find_launched, use_launched
from vtlearn.kitchen import KitchenCorpus

SLURM = {
    "SLURM_JOB_ID": "4242",
    "SLURM_JOB_NAME": "vttwins",
    "SLURM_NTASKS": "8",
    "SLURM_NTASKS_PER_NODE": "4",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "5",
}
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1"}


@pytest.mark.parametrize(
    ("environment", "launched"),
    [
        ({}, None),
        (TORCHRUN, Launched(local=1, nodes=2, rank=1)),
        (SLURM, Launched(local=4, nodes=2, rank=5)),
        (SLURM | TORCHRUN, Launched(local=1, nodes=2, rank=1)),
        (SLURM | {"SLURM_NTASKS_PER_NODE": "4(x2)"}, Launched(local=4, nodes=2, rank=5)),
        (SLURM | {"SLURM_JOB_NAME": "bash"}, None),
        ({"SLURM_JOB_ID": "4242"}, None),
    ],
)
def test_what_is_launched_is_found_in_the_environment(
    environment: Mapping[str, str], launched: Launched | None
) -> None:
    assert find_launched(environment) == launched


@pytest.mark.parametrize("devices", ["auto", -1, "-1"])
def test_all_devices_are_as_many_as_were_launched(devices: int | str) -> None:
    trainer = SimpleNamespace(devices=devices, num_nodes=1)
    use_launched(trainer, SLURM)
    assert (trainer.devices, trainer.num_nodes) == (4, 2)


def test_what_was_asked_for_stays() -> None:
    trainer = SimpleNamespace(devices=2, num_nodes=4)
    use_launched(trainer, SLURM)
    assert (trainer.devices, trainer.num_nodes) == (2, 4)
    use_launched(trainer, {})
    assert (trainer.devices, trainer.num_nodes) == (2, 4)


# -- trainings of two processes, by each launcher


@pytest.fixture
def folder(tmp_path: Path, kitchen_root: Path, small: dict[str, int]) -> Path:
    """Where commands run, with what is small about the trainings."""
    loading = {"sampling": {"num_clips": 3, "num_frames": 2, "fps": 4.0}, "pixels": {"size": 16}}
    arguments = {"root": str(kitchen_root), "batch_size": 4, **loading, **small}
    trainer = {
        "accelerator": "cpu",
        "precision": "32-true",
        "max_epochs": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    model = {**TINY_ENCODERS, "head": {"class_path": "InfoNCE"}}
    data = {"class_path": "tests.cli.counted.CountedKitchen", "init_args": arguments}
    content = {"model": model, "data": data, "trainer": trainer}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def fit(config: str) -> list[str]:
    configs = [str(shipped_configs() / "trainer" / config), "tiny.yaml"]
    return ["-m", "vtlearn", "fit", *(word for path in configs for word in ("--config", path))]


def run_all(folder: Path, commands: Sequence[Sequence[str]], *environments: dict[str, str]) -> None:
    """Run commands at once, each in its environment; show what one said that failed."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "MASTER"))}
    own |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=own | (environments[number] if environments else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number, command in enumerate(commands)
    ]
    said = [each.communicate()[0] for each in running]
    assert [each.returncode for each in running] == [0] * len(running), "\n".join(said)


def trained(folder: Path) -> tuple[dict[str, Any], int]:
    """Return the weights of the only training there was, and its steps."""
    (path,) = folder.rglob("last.ckpt")
    content = torch.load(path, weights_only=True)
    return content["state_dict"], content["global_step"]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        port: int = one.getsockname()[1]
        return port


def by_torchrun(folder: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    run_all(folder, [[*launcher, *fit("ddp.yaml")]])


def by_torchrun_on_two_nodes(folder: Path) -> None:
    nodes = ["--nnodes=2", "--nproc_per_node=1", "--rdzv_backend=c10d"]
    nodes += [f"--rdzv_endpoint=localhost:{free_port()}", "--local_addr=localhost"]
    command = ["-m", "torch.distributed.run", *nodes, *fit("multinode.yaml")]
    run_all(folder, [command, command])


def by_slurm(folder: Path) -> None:
    """As srun starts two tasks, on a node each, or as they think."""
    job = {
        "SLURM_JOB_ID": str(free_port()),
        "SLURM_JOB_NAME": "vttwins",
        "SLURM_NODELIST": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "SLURM_NNODES": "2",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
    }
    tasks = [
        {"SLURM_PROCID": rank, "SLURM_NODEID": rank, "SLURM_LOCALID": "0"} for rank in ("0", "1")
    ]
    run_all(folder, [fit("slurm.yaml")] * 2, *(job | task for task in tasks))


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_train_alike_however_they_are_launched(folder: Path) -> None:
    weights = []
    for launch, nodes in ((by_torchrun, 1), (by_torchrun_on_two_nodes, 2), (by_slurm, 2)):
        launch(folder)
        prepared = list(folder.glob("prepared-*"))
        assert len(prepared) == nodes, "data are prepared by one process on each machine"
        state, steps = trained(folder / "runs")
        assert steps == 2  # of 8 videos in batches of 4, over both processes
        for path in (*prepared, folder / "runs"):
            path.rename(folder / f"{launch.__name__}-{path.name}")
        weights.append({k: v for k, v in state.items() if isinstance(v, torch.Tensor)})
    for others in weights[1:]:
        torch.testing.assert_close(others, weights[0])


@pytest.mark.slow
@pytest.mark.ddp
def test_thirteen_videos_are_scored_alike_by_one_to_three_processes(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sizes = {"train": 4, "validation": 1, "test": 13, "size": 32}
    root = KitchenCorpus(tmp_path_factory.mktemp("thirteen") / "kitchen", **sizes).prepare()
    content = yaml.safe_load((folder / "tiny.yaml").read_text())
    content["data"]["class_path"] = "Kitchen"
    content["data"]["init_args"] |= {**sizes, "root": str(root), "evaluation_batch_size": 2}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    config = ["--config", "tiny.yaml"]
    run_all(folder, [["-m", "vtlearn", "fit", *config]])
    names = (root / "splits" / "test.csv").read_text().split()[1:]
    assert len(names) == 13
    options = ["--ckpt_path", "best", "--data.init_args.max_unreadable"]
    for damaged in ([], [names[2], names[9]]):
        for name in damaged:
            (root / "videos" / name).write_bytes(b"")
        figures = []
        for world in (1, 2, 3):
            launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={world}"]
            command = ["-m", "vtlearn", "test", *config, *options, "100"]
            run_all(folder, [[*(launcher if world > 1 else []), *command]])
            newest = max(folder.rglob("results.json"), key=lambda path: path.stat().st_mtime_ns)
            records = json.loads(newest.read_text())
            assert {record.pop("world_size") for record in records} == {world}
            assert all(record.pop("code") for record in records)  # commits come while it runs
            (aligned,) = (x for x in records if x["protocol"] == "kitchen-alignment")
            assert aligned["coverage"]["evaluated"] == 13 - len(damaged)
            figures.append(records)
        assert figures[0] == figures[1] == figures[2]
