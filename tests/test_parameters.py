from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.parameters import (
    are_weights_following,
    drop_kept_elsewhere,
    freeze,
    frozen_by_themselves,
    hold_in_eval_mode,
    origins_of,
    parameter_groups,
    restore_kept_elsewhere,
    weights_follow,
    weights_sha256,
)


class Backbone(nn.Sequential):
    """Says where its weights came from."""

    origin = "weights.pth"


def model(seed: int = 0) -> nn.ModuleDict:
    torch.manual_seed(seed)
    backbone = Backbone(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    return nn.ModuleDict({"video": backbone, "head": nn.Linear(3, 1), "header": nn.Linear(1, 1)})


def test_frozen_parts_have_no_gradient_and_rest() -> None:
    net = model()
    freeze(net, ["video", "head.bias"])
    hold_in_eval_mode(net.train(), ["video", "head.bias"])
    trained = [name for name, p in net.named_parameters() if p.requires_grad]
    assert trained == ["head.weight", "header.weight", "header.bias"]
    assert not any(module.training for module in net["video"].modules())
    assert net["head"].training
    assert net["header"].training


@pytest.mark.parametrize(
    "refuse", [lambda net: freeze(net, ["vide"]), lambda net: parameter_groups(net, {"vide": 1.0})]
)
def test_a_prefix_that_names_nothing_is_refused(refuse: Callable[[nn.Module], Any]) -> None:
    with pytest.raises(ArgumentError, match=r"names vide, .* did you mean video\?"):
        refuse(model())


def test_a_rate_for_what_is_frozen_is_refused() -> None:
    net = model()
    freeze(net, ["video"])
    with pytest.raises(ArgumentError, match="learning_rates names video, of which nothing"):
        parameter_groups(net, {"video": 0.1})


def test_the_longest_prefix_gives_the_rate() -> None:
    net = model()
    optimizer = torch.optim.SGD(
        parameter_groups(net, {"video": 0.1, "video.0.bias": 0.2, "head": 0.3}), lr=0.4
    )
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: rates[id(p)] for name, p in net.named_parameters()}
    assert found == {
        "video.0.weight": 0.1,
        "video.0.bias": 0.2,
        "video.1.weight": 0.1,
        "video.1.bias": 0.1,
        "head.weight": 0.3,
        "head.bias": 0.3,
        "header.weight": 0.4,
        "header.bias": 0.4,
    }


def test_without_prefixes_there_is_one_plain_group() -> None:
    net = model()
    assert parameter_groups(net, {}) == list(net.parameters())


def test_a_part_may_have_frozen_itself_as_a_whole() -> None:
    net = model()
    assert frozen_by_themselves(net) == []
    net["head"].requires_grad_(False)  # it names no origin
    net["video"].get_submodule("0").requires_grad_(False)
    assert frozen_by_themselves(net) == []
    net["video"].requires_grad_(False)
    assert frozen_by_themselves(net) == ["video"]


def test_frozen_weights_with_an_origin_are_kept_there() -> None:
    net, frozen = model(), ["video", "head"]
    kept, origins = drop_kept_elsewhere(origins_of(net, frozen), frozen, net.state_dict())
    assert not any(name.startswith("video.") for name in kept)
    assert {"head.weight", "header.weight"} <= kept.keys()  # the head names no origin
    assert origins["video"]["origin"] == "weights.pth"
    restored = restore_kept_elsewhere(model(), origins, kept)
    assert weights_sha256(dict(sorted(restored.items()))) == weights_sha256(
        dict(sorted(net.state_dict().items()))
    )
    with pytest.raises(CheckpointError, match=r"frozen weights of video .* from weights\.pth"):
        restore_kept_elsewhere(model(seed=1), origins, kept)


def test_only_what_is_frozen_is_left_out() -> None:
    net = model()
    kept, origins = drop_kept_elsewhere(origins_of(net, ["video.0"]), ["video.0"], net.state_dict())
    assert {name for name in net.state_dict() if name not in kept} == {
        "video.0.weight",
        "video.0.bias",
    }
    assert origins.keys() == {"video"}
    everything, none = drop_kept_elsewhere({}, [], net.state_dict())
    assert (everything.keys(), none) == (net.state_dict().keys(), {})


def test_weights_that_were_replaced_are_kept() -> None:
    net = model()
    origins = origins_of(net, ["video"])
    net.load_state_dict(model(seed=1).state_dict())  # fine-tuned, say, and frozen after that
    kept, left_out = drop_kept_elsewhere(origins, ["video"], net.state_dict())
    assert kept.keys() == net.state_dict().keys()
    assert left_out == {}


def test_weights_differ_by_name_type_and_value() -> None:
    base = weights_sha256({"a": torch.zeros(2)})
    assert base == weights_sha256({"a": torch.zeros(4)[::2]})
    others: list[dict[str, Any]] = [
        {"b": torch.zeros(2)},
        {"a": torch.zeros(2).half()},
        {"a": torch.ones(2)},
        {"a": "x"},
    ]
    assert len({base, *(weights_sha256(other) for other in others)}) == 5


def test_weights_follow_until_the_parts_are_built() -> None:
    with weights_follow():
        with weights_follow(False):
            assert not are_weights_following()
        assert are_weights_following()
        with pytest.raises(ArgumentError), weights_follow(False):
            raise ArgumentError
        assert are_weights_following()
    assert not are_weights_following()
