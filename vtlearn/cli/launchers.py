"""What torchrun and SLURM have started already, which the trainer has to be told."""

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__: list[str] = []

_ALL = ("auto", -1, "-1")  # devices
_INTERACTIVE = ("bash", "interactive")  # jobs of these names Lightning takes for a shell


class Launched(NamedTuple):
    """The processes that a launcher started.

    Attributes:
        local: How many run on each machine.
        nodes: On how many machines.
        rank: Which of all this one is, from 0.
    """

    local: int
    nodes: int
    rank: int


def find_launched(environment: Mapping[str, str]) -> Launched | None:
    """Tell what torchrun or SLURM's srun says of the processes it has started.

    Args:
        environment: Variables of the process.

    Returns:
        The processes; None where nothing has started them.

    Example:
        >>> find_launched({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"})
        Launched(local=2, nodes=2, rank=3)
    """
    if {"RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"} <= environment.keys():  # also inside of SLURM
        world, local = int(environment["WORLD_SIZE"]), int(environment["LOCAL_WORLD_SIZE"])
        return Launched(local, world // local, int(environment["RANK"]))
    is_shell = environment.get("SLURM_JOB_NAME") in _INTERACTIVE
    if is_shell or not {"SLURM_PROCID", "SLURM_NTASKS"} <= environment.keys():
        return None
    nodes = int(environment.get("SLURM_NNODES", "1"))
    each = environment.get("SLURM_NTASKS_PER_NODE", "")
    local = int(each) if each.isdecimal() else int(environment["SLURM_NTASKS"]) // nodes
    return Launched(local, nodes, int(environment["SLURM_PROCID"]))


def use_launched(trainer: Any, environment: Mapping[str, str]) -> None:
    """Have the trainer use the processes that were started, unless it was told how many.

    Args:
        trainer: Its options; ``devices`` and ``num_nodes`` are filled in.
        environment: Variables of the process.
    """
    launched = find_launched(environment)
    if launched is None:
        return
    if trainer.devices in _ALL:
        trainer.devices = launched.local
    if trainer.num_nodes == 1:
        trainer.num_nodes = launched.nodes
