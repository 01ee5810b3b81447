import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from vtlearn import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, made of the source distribution, as installers make it."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_the_configurations(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = [*ROOT.glob("vtlearn/**/*.py"), ROOT / "vtlearn" / "py.typed"]
    assert {path.relative_to(ROOT).as_posix() for path in package} <= names
    configs = list(ROOT.glob("configs/**/*.yaml"))
    assert configs
    assert {f"vtlearn/{path.relative_to(ROOT).as_posix()}" for path in configs} <= names
    assert not [name for name in names if name.startswith(("tests/", "data/", "runs/"))]


@pytest.mark.slow
def test_the_metadata_say_where_the_project_is(dist: Path) -> None:
    (path,) = dist.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        (name,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(wheel.read(name).decode())
    assert (metadata["Name"], metadata["Version"]) == ("vtlearn", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    urls = dict(each.split(", ", 1) for each in metadata.get_all("Project-URL", []))
    assert {"Homepage", "Documentation", "Issues", "Changelog"} <= set(urls)
    assert all(url.startswith("https://github.com/vtlearn/vtlearn") for url in urls.values())
    classifiers = metadata.get_all("Classifier", [])
    for start in ("Development Status", "Intended Audience", "Operating System", "Typing"):
        assert any(each.startswith(f"{start} ::") for each in classifiers)
    assert metadata["Keywords"]


@pytest.mark.slow
def test_the_source_distribution_holds_the_tests_and_nothing_that_was_made(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        top = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"vtlearn", "configs", "tests", "pyproject.toml", "README.md", "LICENSE"} <= top
    assert not top & {"data", "runs", "dist", ".venv", ".git"}
