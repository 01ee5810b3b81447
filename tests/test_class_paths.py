# ruff: noqa: ARG002
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NewType

import pytest
import torch
from torch import nn

from vtlearn.class_paths import ClassFinder, resolve_arguments
from vtlearn.errors import CheckpointError
from vtlearn.heads import InfoNCE
from vtlearn.hyperparameters import Configurable

if TYPE_CHECKING:
    from fractions import Fraction

Word = NewType("Word", str)


class Many(Configurable):
    """Arguments of all kinds."""

    def __init__(  # type: ignore[no-untyped-def]
        self,
        text: str | None = None,
        literal: Literal["a.b", "c"] = "c",
        word: Word | None = None,
        file: str | Path = "",
        some: Sequence[str] = (),
        bare: list = [],  # type: ignore[type-arg]  # noqa: B006
        number: float = 0.0,
        unsaid=None,  # noqa: ANN001
        anything: Any = None,
        head: InfoNCE | None = None,
        head_or_text: InfoNCE | str = "",
        call: Callable[[int], int] | None = None,
        kind: type | None = None,
        module: nn.Module | None = None,
        odd: "Fraction | None" = None,
    ) -> None:
        super().__init__()


def resolved(**arguments: Any) -> dict[str, Any]:
    return resolve_arguments(Many, arguments, ClassFinder(Path("x.ckpt")))


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "a.b"},
        {"text": "{class_path: os.system}"},
        {"literal": "a.b"},
        {"word": "a.b"},
        {"file": "data/words.txt"},
        {"some": ["a.b", "[c]"]},
        {"bare": ["bert-base", 1, None]},
        {"unsaid": "bert-base-uncased v1.0 (2019)"},
        {"anything": {"deep": ["x/y.z", True]}},
        {"head_or_text": "mean"},
        {"number": float("inf")},
    ],
    ids=repr,
)
def test_what_can_only_be_a_value_stays_one(arguments: dict[str, Any]) -> None:
    assert resolved(**arguments) == arguments


@pytest.mark.parametrize(
    "arguments",
    [
        {"number": "1"},
        {"unsaid": "{class_path: os.system}"},
        {"unsaid": "- os.system"},
        {"anything": "a: b"},
        {"bare": ["[os.system]"]},
        {"head": "os.system"},
        {"head_or_text": "os.system"},
        {"call": "os.system"},
        {"call": "system"},
        {"kind": "os.system"},
        {"module": "os.system"},
        {"module": {"class_path": "os.system"}},
        {"odd": "a"},
        {"text": {"class_path": "os.system"}},
        {"text": torch.zeros(1)},
        {"anything": {"class_path+": "os.system"}},
    ],
    ids=repr,
)
def test_what_could_be_taken_for_more_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"^x\.ckpt (holds|names) "):
        resolved(**arguments)


def test_classes_are_found_by_their_last_word_and_base() -> None:
    spec = {"class_path": "vtlearn.heads.InfoNCE", "init_args": {"temperature": 2.0}}
    old = {"class_path": "vtlearn.old.place.InfoNCE", "init_args": {"temperature": 2.0}}
    assert resolved(head=old, module=old) == {"head": spec, "module": spec}
    assert resolved(head="InfoNCE")["head"] == {**spec, "init_args": {}}
    with pytest.raises(CheckpointError, match="names the class 'S3D', which is not a InfoNCE"):
        resolved(head={"class_path": "S3D"})


def test_more_than_a_model_has_is_refused() -> None:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    shared: Any = [1]
    for _ in range(40):
        shared = [shared, shared]
    endless: dict[str, Any] = {}
    endless["a"] = endless
    for value in (deep, shared, endless, [0] * 20_000):
        with pytest.raises(CheckpointError, match="too many or too deeply nested"):
            resolved(anything=value)
