"""The arrows between the folders, read off the imports."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vtlearn

ROOT = Path(vtlearn.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))

#: What a folder may import of vtlearn beside itself and the files at the top that know nobody.
ALLOWED = {
    "alignment": set(),
    "media": set(),
    "kitchen": {"media"},
    "storage": set(),
    "encoders": set(),
    "heads": {"alignment", "encoders"},
    "datasets": {"kitchen", "media"},
    "evaluation": {"alignment"},
    "datamodules": {"data_source", "datasets", "encoders", "evaluation", "kitchen", "media"},
    "callbacks": {
        *("checkpoints", "datamodules", "datasets", "heads", "learner", "media", "plotting"),
    },
    "cli": {
        *("alignment", "callbacks", "checkpoints", "datamodules", "datasets", "encoders"),
        *("compatibility", "evaluation", "heads", "inference", "interop", "kitchen", "learner"),
        *("media", "model_folder", "pages", "plotting", "pseudolabel", "transcription"),
    },
    "inference": {
        *("alignment", "checkpoints", "datasets", "encoders", "encoding", "heads", "learner"),
        *("media", "model_folder"),
    },
    "pages": {"plotting"},
    "plotting": {"evaluation", "heads"},
    "pseudolabel": {
        *("checkpoints", "datasets", "encoders", "encoding", "heads", "learner", "media"),
    },
    "transcription": {"datasets", "media"},
    "learner": {
        "checkpoints",
        "compatibility",
        "data_source",
        "encoders",
        "encoding",
        "evaluation",
        "heads",
        "large_batches",
        "nonfinite",
        "scoring",
    },
    "large_batches": {"heads"},
    "nonfinite": {"saved_module"},
    "saved_module": {"checkpoints", "learner"},
    "scoring": {"encoders", "evaluation", "heads"},
    "compatibility": {"encoders", "heads"},
    "data_source": {"evaluation"},
    "encoding": {"encoders", "large_batches"},
    "checkpoints": {"class_paths", "learner", "model_folder"},
    "interop": {"checkpoints", "encoders", "heads", "model_folder"},
    "model_folder": set(),
    "class_paths": {"encoders", "heads"},
}
FREE = {
    *("__init__", "batch", "checks", "distributed", "errors", "hyperparameters"),
    *("padding", "parameters", "run_folder", "schedule", "storage", "subwords", "suggestions"),
    "unicode",
}
WITHOUT_LIGHTNING = {
    *("alignment", "heads", "encoders", "interop", "media", "kitchen", "datasets"),
    "transcription",
}


def imports(name: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield str(node.module)


def room(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("name", FILES)
def test_arrows_point_one_way(name: str) -> None:
    here = room(name)
    if here not in ALLOWED:
        return
    reached = {module.split(".")[1] for module in imports(name) if module.startswith("vtlearn.")}
    assert reached <= ALLOWED[here] | FREE | {here}


@pytest.mark.parametrize("name", [name for name in FILES if room(name) in WITHOUT_LIGHTNING])
def test_these_know_nothing_of_lightning(name: str) -> None:
    assert not {module for module in imports(name) if "lightning" in module}


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("torch.distributed", {"distributed.py"}),
        (
            "av",
            {
                "media/video/clock.py",
                "media/video/duration.py",
                "media/video/file.py",
                "media/video/opening.py",
                "media/video/pictures.py",
                "media/video/reader.py",
                "media/video/sound.py",
                "media/video/sound_clock.py",
                "media/video/survey.py",
                "media/video/transform.py",
                "kitchen/writer.py",
            },
        ),
        ("numba", {name for name in FILES if name.startswith("alignment/cpu/")}),
        ("triton", {"alignment/gpu/soft_dtw.py"}),
    ],
)
def test_one_file_knows_a_package(package: str, allowed: set[str]) -> None:
    def uses(name: str) -> bool:
        found = set(imports(name))
        return any(module == package or module.startswith(f"{package}.") for module in found)

    assert {name for name in FILES if uses(name)} <= allowed


def test_no_file_but_a_kernel_is_long() -> None:
    kernels = ("alignment/cpu/", "alignment/gpu/")
    lines = {name: (ROOT / name).read_text(encoding="utf-8").count("\n") for name in FILES}
    assert {name for name in FILES if lines[name] > 400 and not name.startswith(kernels)} == set()


def test_every_module_has_a_test_at_the_mirrored_path() -> None:
    tests = Path(__file__).parent
    modules = [Path(name) for name in FILES if not name.endswith("__init__.py")]
    wanted = [tests / path.parent / f"test_{path.stem.strip('_')}.py" for path in modules]
    assert [str(path.relative_to(tests)) for path in wanted if not path.exists()] == []


# What a folder keeps to itself


def exported(path: Path) -> list[str]:
    """The names in a module's ``__all__``."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == "__all__":
            return list(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return []


def names_read(text: str) -> Iterator[tuple[str, str]]:
    """Modules and names that code reads of them, by ``from m import name`` or as ``m.name``."""
    tree = ast.parse(text)
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("vtlearn"):
            for alias in node.names:
                yield str(node.module), alias.name
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield modules.get(node.value.id, ""), node.attr


def names_shown() -> set[tuple[str, str]]:
    """Names that the pages, notebooks and benchmarks import."""
    pages = [ROOT.parent / "README.md", ROOT.parent / "CONTRIBUTING.md"]
    pages += [*(ROOT.parent / "notebooks").glob("*.ipynb"), *(ROOT.parent / "benchmarks").glob("*")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    return {
        (module, name.strip())
        for module, names in re.findall(r"from (vtlearn[\w.]*) import \(?([\w, ]+)", text)
        for name in names.split(",")
    }


def test_what_only_its_own_folder_uses_is_private() -> None:
    """Not in ``__all__``, that is; a command's module is read by ``tree`` as a whole."""
    users: dict[tuple[str, str], set[Path]] = {}
    for name in FILES:
        for read in names_read((ROOT / name).read_text(encoding="utf-8")):
            users.setdefault(read, set()).add((ROOT / name).parent)
    shown = names_shown()
    private = [
        f"{name}: {public}"
        for name in FILES
        if "/" in name and not name.endswith("__init__.py") and "cli/commands/" not in name
        for public in exported(ROOT / name)
        if (module := "vtlearn." + name.removesuffix(".py").replace("/", "."))
        and (module, public) not in shown
        and not users.get((module, public), set()) - {(ROOT / name).parent}
        and public not in exported((ROOT / name).parent / "__init__.py")
    ]
    assert private == []
