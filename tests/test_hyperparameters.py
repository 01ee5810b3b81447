import copy
import pickle
from functools import partial

import torch

from vtlearn.heads import S2DTW, InfoNCE
from vtlearn.hyperparameters import Configurable, factory_to_config, to_config


class Nest(Configurable):
    def __init__(self, inner: Configurable, *, scale: float = 1.0, **options: int) -> None:
        super().__init__()
        self.inner = inner
        self.scale = scale
        self.options = options


def test_nested_parts_are_described_by_what_they_were_given() -> None:
    nest = Nest(InfoNCE(temperature=0.5), scale=2.0, more=3)
    assert to_config(nest) == {
        "class_path": f"{__name__}.Nest",
        "init_args": {
            "inner": {
                "class_path": "vtlearn.heads.InfoNCE",
                "init_args": {"temperature": 0.5},
            },
            "scale": 2.0,
            "more": 3,
        },
    }


def test_description_survives_copying_and_pickling() -> None:
    head = S2DTW(gamma=0.3)
    for copied in (copy.deepcopy(head), pickle.loads(pickle.dumps(head))):  # noqa: S301 - our own bytes
        assert to_config(copied) == to_config(head)


def test_factories() -> None:
    wanted = {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.1}}
    assert factory_to_config(partial(torch.optim.AdamW, lr=0.1)) == wanted
    assert factory_to_config(lambda parameters: torch.optim.AdamW(parameters, lr=0.1)) is None
