"""The device that a command computes on: the one that is named, or a GPU where there is one."""

import os

import torch

from vtlearn.errors import ArgumentError

__all__ = ["choose_device"]


def choose_device(name: str | None) -> torch.device:
    """Choose a device, and see that it can be used.

    Args:
        name: As torch calls it; None for a GPU where there is one, under torchrun and SLURM that of
            the process's local rank, and else the CPU.

    Returns:
        The device.

    Raises:
        ArgumentError: If it is not a device, or cannot be used.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if name is None:
        local = os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
        return torch.device(f"cuda:{local}" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        message = f"--device: expected a device such as cpu or cuda:0, got {name!r}"
        raise ArgumentError(message) from error
    try:
        torch.zeros(1, device=device).tolist()
    except (AssertionError, NotImplementedError, RuntimeError) as error:  # torch raises either
        reason = str(error).partition("\n")[0]
        message = f"--device {name} cannot be used ({reason}); leave it out, or give --device cpu"
        raise ArgumentError(message) from error
    return device
