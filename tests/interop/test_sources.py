from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.interop import files
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.interop.reading import find_weights
from vtlearn.interop.sources import translate


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (files.vttwins, "vttwins"),
        (files.milnce, "milnce"),
        (files.s3d, "s3d"),
        (files.videoclip, "videoclip"),
    ],
)
def test_the_kind_is_told_by_container_and_names(make: Callable[[], Any], kind: str) -> None:
    assert translate(find_weights(Path("x"), make())).kind == kind


def test_a_kind_that_is_named_overrules() -> None:
    file = find_weights(Path("x"), files.milnce())  # VT-TWINS's training writes the same
    assert translate(file, "vttwins").kind == "vttwins"


def test_no_such_kind() -> None:
    file = find_weights(Path("x"), files.milnce())
    with pytest.raises(ArgumentError, match="there is no kind 'vttwin'; did you mean vttwins"):
        translate(file, "vttwin")


def test_a_file_of_something_else_is_said() -> None:
    file = find_weights(Path("x.pt"), {"backbone.layer1.weight": torch.ones(2)})
    with pytest.raises(CheckpointError, match=r"x\.pt is not a .*1 weights .* backbone\.layer1"):
        translate(file)
    with pytest.raises(CheckpointError, match=r"conv1\.conv1\.weight is missing"):
        translate(file, "s3d")


def test_weights_that_are_not_finite_are_named() -> None:
    weights = dict(files.s3d_weights())
    weights["fc.bias"] = torch.full((8,), float("nan"))
    weights["conv1.bn1.running_var"] = torch.full((64,), float("inf"))
    with pytest.raises(
        CheckpointError,
        match=r"^x\.pt holds NaN or infinity in 2 weights: video_encoder\.conv1\.bn1\.running_var, "
        r"video_encoder\.fc\.bias\. Download it again",
    ):
        translate(find_weights(Path("x.pt"), files.vttwins(weights)))


def test_weights_that_are_not_dense_are_left_to_loading() -> None:
    weights = {**files.s3d_weights(), "fc.bias": torch.ones(8).to_sparse()}
    assert translate(find_weights(Path("x.pt"), files.vttwins(weights))).kind == "vttwins"
