import importlib
import pkgutil

import pytest

import vtlearn

MODULES = [module.name for module in pkgutil.walk_packages(vtlearn.__path__, "vtlearn.")]


@pytest.mark.parametrize("name", ["vtlearn", *MODULES])
def test_all_names_exist_and_are_documented(name: str) -> None:
    if name.startswith("vtlearn.alignment.gpu."):
        pytest.importorskip("triton")
    module = importlib.import_module(name)
    assert module.__doc__
    for exported in module.__all__:
        value = getattr(module, exported)
        if callable(value) and getattr(value, "__module__", "").startswith("vtlearn"):
            assert value.__doc__, f"{name}.{exported} has no docstring"


def test_class_names_are_unique_because_yaml_gives_no_path() -> None:
    from vtlearn.datamodules import VideoTextData
    from vtlearn.hyperparameters import Configurable

    def below(base: type) -> list[type]:
        kinds: list[type] = base.__subclasses__()
        found = [kind for kind in kinds if kind.__module__.startswith("vtlearn.")]
        return found + [lower for kind in found for lower in below(kind)]

    bases: tuple[type, ...] = (Configurable, VideoTextData)
    for base in bases:
        names = [kind.__name__ for kind in below(base)]
        assert len(names) == len(set(names))
