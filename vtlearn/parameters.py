"""Which of a model's parameters train, how fast, and which are kept elsewhere.

Parameters and modules are named by prefixes: ``video_encoder``, ``video_encoder.conv1`` and so on,
as they stand in a checkpoint.
"""

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from vtlearn.errors import ArgumentError, CheckpointError

__all__ = [
    "are_weights_following",
    "drop_kept_elsewhere",
    "freeze",
    "frozen_by_themselves",
    "hold_in_eval_mode",
    "origins_of",
    "parameter_groups",
    "restore_kept_elsewhere",
    "weights_follow",
    "weights_sha256",
]

_FOLLOWING: ContextVar[bool] = ContextVar("following", default=False)


def freeze(model: nn.Module, prefixes: Iterable[str]) -> None:
    """Take parameters out of training: no gradient, in no optimiser.

    Args:
        model: Whose parameters.
        prefixes: Names of parameters or modules.

    Raises:
        ArgumentError: If a prefix names nothing.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> freeze(model, ["0"])
        >>> [name for name, p in model.named_parameters() if p.requires_grad]
        ['1.weight', '1.bias']
    """
    for prefix in prefixes:
        _require_known(model, prefix, "frozen")
        for name, parameter in model.named_parameters():
            if _is_under(name, prefix):
                parameter.requires_grad = False


def hold_in_eval_mode(model: nn.Module, prefixes: Iterable[str]) -> None:
    """Put frozen modules into evaluation mode: their dropout and statistics rest as well.

    Args:
        model: Whose modules.
        prefixes: As :func:`freeze` has them.
    """
    for name, module in model.named_modules():
        if any(_is_under(name, prefix) for prefix in prefixes):
            module.training = False


def parameter_groups(
    model: nn.Module, learning_rates: Mapping[str, float]
) -> list[dict[str, Any]] | list[nn.Parameter]:
    """Group the parameters that train by their learning rate, for an optimiser.

    Args:
        model: Whose parameters.
        learning_rates: A rate for each prefix; of several that fit, the longest counts.

    Returns:
        One group for what no prefix names, which trains at the optimiser's own rate, then one per
        prefix; the plain parameters where there is no prefix.

    Raises:
        ArgumentError: If a prefix names nothing that trains.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> [len(group["params"]) for group in parameter_groups(model, {"0.bias": 1e-4})]
        [3, 1]
    """
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not learning_rates:
        return list(trainable.values())
    groups: dict[str, list[nn.Parameter]] = {prefix: [] for prefix in ("", *learning_rates)}
    for name, parameter in trainable.items():
        fitting = [prefix for prefix in learning_rates if _is_under(name, prefix)]
        groups[max(fitting, key=len, default="")].append(parameter)
    for prefix in learning_rates:
        _require_known(model, prefix, "learning_rates")
        if not groups[prefix]:
            message = (
                f"learning_rates names {prefix}, of which nothing trains at that rate: it is "
                "frozen (model.frozen), or other prefixes name its parts"
            )
            raise ArgumentError(message)
    own_rate = [{"params": groups[""]}] if groups[""] else []
    return own_rate + [{"params": groups[p], "lr": rate} for p, rate in learning_rates.items()]


def frozen_by_themselves(model: nn.Module) -> list[str]:
    """Name the parts that have read their weights somewhere, and train none of them.

    Args:
        model: The model as it was built, before :func:`freeze`; a part says where it read its
            weights by ``origin``.

    Returns:
        Prefixes of what is frozen.
    """
    return [
        name
        for name, part in model.named_modules()
        if isinstance(getattr(part, "origin", None), str)
        and not any(parameter.requires_grad for parameter in part.parameters())
    ]


def origins_of(model: nn.Module, frozen: Sequence[str]) -> dict[str, dict[str, str]]:
    """Note where frozen weights came from, before any others are loaded.

    Args:
        model: The model as it was built; a part says where it read its weights by ``origin``, a
            file or hub name.
        frozen: The frozen prefixes.

    Returns:
        For each such part with frozen weights its ``origin`` and their ``sha256``.
    """
    state = model.state_dict()
    named = ((name, getattr(part, "origin", None)) for name, part in model.named_modules())
    return {
        part: {"origin": origin, "sha256": weights_sha256(weights)}
        for part, origin in named
        if isinstance(origin, str) and (weights := _frozen_of(part, frozen, state))
    }


def drop_kept_elsewhere(
    origins: Mapping[str, dict[str, str]], frozen: Sequence[str], state_dict: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Leave frozen weights out of a checkpoint where their part can read them again.

    Weights that are no longer what their origin gave, since others were loaded, are kept.

    Args:
        origins: What :func:`origins_of` noted when the model was built.
        frozen: The frozen prefixes.
        state_dict: The model's weights.

    Returns:
        The weights to keep; and of the parts whose weights are left out, what was noted.
    """
    kept, left_out = dict(state_dict), {}
    for part, record in origins.items():
        weights = _frozen_of(part, frozen, state_dict)
        if weights_sha256(weights) == record["sha256"]:
            left_out[part] = record
            kept = {name: value for name, value in kept.items() if name not in weights}
    return kept, left_out


def restore_kept_elsewhere(
    model: nn.Module, origins: Mapping[str, Mapping[str, str]], state_dict: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete a checkpoint's weights by those that the model's parts have read themselves.

    Args:
        model: The model, built as the checkpoint says.
        origins: What :func:`drop_kept_elsewhere` said of them.
        state_dict: The checkpoint's weights.

    Returns:
        All weights.

    Raises:
        CheckpointError: If a part has other weights now than the checkpoint was made with.
    """
    own, complete = model.state_dict(), dict(state_dict)
    for part, record in origins.items():
        missing = {k: v for k, v in own.items() if _is_under(k, part) and k not in state_dict}
        if weights_sha256(missing) != record["sha256"]:
            message = (
                f"the frozen weights of {part} are not in the checkpoint; they came from "
                f"{record['origin']}, which cannot be read or holds others now (SHA-256 "
                f"{record['sha256']} was expected): bring that file back, or train with "
                "keep_frozen=true"
            )
            raise CheckpointError(message)
        complete |= missing
    return complete


@contextmanager
def weights_follow(given: bool = True) -> Iterator[None]:
    """Say to the parts that are built within it that a checkpoint brings all their weights.

    They need not read published ones then, which may be large, or out of reach.

    Args:
        given: Whether it does; not where some are kept elsewhere.

    Example:
        >>> with weights_follow():
        ...     are_weights_following()
        True
        >>> are_weights_following()
        False
    """
    before = _FOLLOWING.set(given)
    try:
        yield
    finally:
        _FOLLOWING.reset(before)


def are_weights_following() -> bool:
    """Tell whether a checkpoint brings all weights of what is built now."""
    return _FOLLOWING.get()


def weights_sha256(state_dict: Mapping[str, Any]) -> str:
    """Hash names, types, shapes and values of weights and buffers.

    Args:
        state_dict: What a module's ``state_dict`` returns.

    Returns:
        SHA-256 in hexadecimal.

    Example:
        >>> weights_sha256({"a": torch.zeros(2)})[:8]
        '1815de51'
    """
    digest = hashlib.sha256()
    for name, value in state_dict.items():
        if isinstance(value, Tensor):
            digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
            values = value.detach().cpu().contiguous().reshape(-1)
            digest.update(values.view(torch.uint8).numpy().tobytes())
        else:
            digest.update(json.dumps([name, repr(value)]).encode())
    return digest.hexdigest()


def _frozen_of(part: str, frozen: Sequence[str], state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in state.items()
        if _is_under(name, part) and any(_is_under(name, prefix) for prefix in frozen)
    }


def _is_under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _require_known(model: nn.Module, prefix: str, argument: str) -> None:
    names = [name for name, _ in model.named_parameters()]
    if any(_is_under(name, prefix) for name in names):
        return
    parts = (name.split(".") for name in names)
    known = {".".join(path[: depth + 1]) for path in parts for depth in range(len(path))}
    near = difflib.get_close_matches(prefix, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    message = f"{argument} names {prefix}, but the model has no parameter below that name{hint}"
    raise ArgumentError(message)
