"""What the pages say is true: code runs, commands are understood, links lead somewhere."""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from tests.cli.parsed import parsed, understood
from tests.conftest import SMALL
from tests.doc_pages import (
    DOCS,
    INCLUDED,
    PAGES,
    ROOT,
    Command,
    anchors,
    blocks,
    commands,
    links,
    name,
    nav,
    transcripts,
)
from tests.media.features.stores import fill_store
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.__main__ import main
from vtlearn.cli.commands import tree
from vtlearn.cli.config_files import shipped_configs

LIGHTNING = ("fit", "validate", "test", "predict")
#: Options of which the files are looked at alone: every configuration is fitted elsewhere.
FILES = ("--config", "--data", "--ckpt_path")
COMMANDS = [command for page in PAGES for command in commands(page)]
TRANSCRIPTS = [command for page in PAGES for command in transcripts(page)]


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.fixture(scope="session")
def checkpoint(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as wide as the demo's, after one step on a small Kitchen."""
    folder = tmp_path_factory.mktemp("demo")
    trainer = quiet_trainer(folder, max_steps=1, limit_val_batches=0)
    trainer.fit(tiny_learner(dim=128), datamodule=tiny_kitchen(kitchen_root, dict(SMALL)))
    trainer.save_checkpoint(folder / "x.ckpt")
    return folder / "x.ckpt"


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path, kitchen_root: Path
) -> Path:
    """Where a reader of the pages works: a checkpoint, a video, features, the configurations."""
    shutil.copy(checkpoint, tmp_path / "x.ckpt")
    shutil.copy(min((kitchen_root / "videos").glob("*")), tmp_path / "x.mp4")
    shutil.copy(tmp_path / "x.mp4", tmp_path / "talk.mp4")
    (tmp_path / "talk.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nchop the carrot\n")
    (tmp_path / "configs").symlink_to(shipped_configs())
    (tmp_path / "empty").mkdir()
    (tmp_path / "videos").mkdir()
    for video in sorted((kitchen_root / "videos").glob("*"))[:6]:
        (tmp_path / "videos" / video.name).symlink_to(video)
    (tmp_path / "transcripts").symlink_to(kitchen_root / "captions")
    (tmp_path / "broken.ckpt").write_text("an error page")
    fill_store(tmp_path / "features", {"x": 3.0})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # of vtlearn search
    return tmp_path


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def of_option(words: Sequence[str], option: str) -> list[str]:
    return [value for word, value in pairwise(words) if word == option]


# -- pages and links


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        text = INCLUDED.get(target.name) if target.parent == ROOT else None
        shown = next((ROOT / x for x, stub in INCLUDED.items() if stub == target), target)
        if not target.exists() or (anchor and anchor not in anchors(shown)):
            missing.append(link)
        assert page.parent == ROOT or DOCS in target.parents or text, f"{link} is not of the site"
    assert not missing


def test_every_page_is_in_the_navigation() -> None:
    assert nav() == {page for page in PAGES if DOCS in page.parents}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, new = set[Path](), [ROOT / "README.md"]
    while new:
        page = new.pop()
        reached.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
        new += [x for x in targets if x.suffix == ".md" and x.is_file() and x not in reached]
    pages = {page for page in PAGES if page.parent.name != "api" and page not in INCLUDED.values()}
    shown = {next((ROOT / x for x, stub in INCLUDED.items() if stub == p), p) for p in reached}
    assert not sorted(name(page) for page in pages - shown)


def test_the_readme_is_two_screens() -> None:
    assert len(read(ROOT / "README.md").splitlines()) <= 110


def test_every_corpus_and_every_configuration_has_its_place() -> None:
    text = "".join(re.sub("```console.*?```", "", read(page), flags=re.DOTALL) for page in PAGES)
    words = re.findall(r"configs/[\w/{},.]+\.yaml", text)
    named = {expanded for word in words for expanded in _expanded(word)}
    absent = sorted(word for word in named if not (ROOT / word).is_file())
    assert not absent
    methods = {f"configs/{path.name}" for path in shipped_configs().glob("*.yaml")}
    assert not sorted(methods - named)


def _expanded(word: str) -> Iterator[str]:
    braces = re.search(r"\{([^}]*)\}", word)
    for part in braces[1].split(",") if braces else [""]:
        yield word[: braces.start()] + part + word[braces.end() :] if braces else word


# -- Python


@pytest.mark.parametrize("page", pages_with("python"), ids=name)
@pytest.mark.usefixtures("folder")
def test_what_pages_show_in_python_runs(page: Path) -> None:
    names: dict[str, object] = {"torch": torch}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)  # noqa: S102  # our own text


# -- commands


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 100
    assert TRANSCRIPTS


def words_of(command: Command) -> tuple[str, ...]:
    """Return the words behind ``vtlearn``, however it is started; none for other programs."""
    words = command.words
    if words[0] in ("torchrun", "srun"):
        words = words[words.index("vtlearn") :]
    return words[1:] if words[0] == "vtlearn" else ()


def test_programs_are_known() -> None:
    known = {"vtlearn", "make", "pip", "python", "torchrun", "tensorboard"}
    assert {command.words[0] for command in COMMANDS} <= known


def test_what_make_is_asked_for_is_in_the_makefile() -> None:
    makefile = read(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = "".join(read(page) for page in PAGES)
    asked = {
        word for command in COMMANDS if command.words[0] == "make" for word in command.words[1:]
    }
    assert asked | set(re.findall(r"`make ([a-z-]+)`", text)) <= targets


def test_what_pip_is_asked_for_is_an_extra() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    text = "".join(read(page) for page in PAGES)
    asked = re.findall(r"(?:vtlearn|'\.)\[([\w,]+)\]", text)
    assert asked
    assert {x for one in asked for x in one.split(",")} <= set(project["optional-dependencies"])


def test_files_that_commands_are_given_exist() -> None:
    given = [x for c in COMMANDS for option in FILES[:2] for x in of_option(c.words, option)]
    files = {x for x in given if x.endswith(".yaml")}
    assert files
    assert not sorted(file for file in files if not (ROOT / file).is_file())


OWN = [c for c in COMMANDS if words_of(c) and words_of(c)[0] not in LIGHTNING]
LIGHTNINGS = [c for c in COMMANDS if words_of(c) and words_of(c)[0] in LIGHTNING]


@pytest.mark.parametrize("command", OWN, ids=str)
def test_own_commands_are_understood(command: Command) -> None:
    words = words_of(command)
    called = tree.command_of(words)
    assert called is not None
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    tree._load(called).add_arguments(parser)
    _, unknown = parser.parse_known_args(words[len(called.split()) :])
    assert not unknown


def once(found: Iterable[Command]) -> list[Command]:
    """Leave out what an earlier page shows as well."""
    return list({command.words: command for command in found}.values())


def with_new_options(found: Iterable[Command]) -> list[Command]:
    """Take what has an option that none before has: parsing all of them takes long."""
    known, new = set(FILES), []
    for command in found:
        options = {word for word in command.words if word.startswith("--")}
        if not options <= known:
            new.append(command)
        known |= options
    return new


def parse_in(command: Command) -> None:
    """Parse a command of Lightning's, where a reader has the checkpoint that it names."""
    words = list(words_of(command))
    for option in ("--ckpt_path", "--weights"):
        if option in words:
            words[words.index(option) + 1] = "x.ckpt"
    if not any(word.endswith(".help") for word in words):
        understood(words)
        return
    with pytest.raises(SystemExit) as stopped:
        understood(words)
    assert not stopped.value.code


@pytest.mark.parametrize("command", with_new_options(LIGHTNINGS), ids=str)
@pytest.mark.usefixtures("folder")
def test_options_of_commands_are_understood(command: Command) -> None:
    parse_in(command)


@pytest.mark.slow
@pytest.mark.parametrize("command", once(LIGHTNINGS), ids=str)
@pytest.mark.usefixtures("folder")
def test_all_commands_are_understood(command: Command) -> None:
    parse_in(command)


# -- commands, carried out

#: What is small about a run, whatever it is of.
RUN = {
    "accelerator": "cpu",
    "devices": "1",
    "max_epochs": "1",
    "limit_train_batches": "1",
    "limit_val_batches": "1",
    "check_val_every_n_epoch": "1",
    "num_sanity_val_steps": "0",
    "enable_progress_bar": "false",
    "enable_model_summary": "false",
}
#: What a command cannot do here, and why; such commands are parsed above.
NOT_HERE = {
    "configs/paper/": "S3D at 224 px, or weights of the hub",
    "configs/data/paper/": "windows of 224 px by the hundred",
    "configs/trainer/": "a GPU",
    "vtlearn convert": "published files",
    "vtlearn transcribe": "a Whisper model",
    "vtlearn score": "vectors, or captions, of all of a corpus",
    "vtlearn data import": "others' features",
    "--captioner x.ckpt": "a captioner",
    "--data.root mine": "a reader's pictures",
    "--data.init_args.root own": "a reader's list",
    "data check own": "a reader's list",
    "data check mine": "a reader's pictures",
    "--data Episodes": "labels of a reader's videos",
    "--data.init_args.kitchen false": "labels of a reader's videos",
    "--weights weights/": "published files",
    "--trainer.num_nodes": "several machines",
    "torchrun": "several processes",
}


def not_here(command: Command) -> bool:
    line = " ".join(command.words)
    return words_of(command) == () or any(word in line for word in NOT_HERE)


@pytest.fixture(scope="session")
def demo(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of the demo's training, of a step."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["fit", "--config", str(shipped_configs() / "vttwins.yaml")]
    words += ["--data.init_args.root", str(kitchen_root)]
    words += ["--trainer.logger.init_args.save_dir", str(folder / "runs")]
    assert main(small_run(words)) == 0
    return folder / "runs"


@pytest.fixture
def reader(
    folder: Path,
    demo: Path,
    kitchen_root: Path,
    msrvtt_root: Path,
    youcook2_root: Path,
    crosstask_root: Path,
    webvid_root: Path,
    msvd_root: Path,
    vatex_root: Path,
    ucf101_root: Path,
    hmdb51_root: Path,
    coco_root: Path,
    cc_root: Path,
    img2dataset_root: Path,
) -> Path:
    """The folder of a reader who has every corpus, in a small copy, and those of Kitchen."""
    corpora = [msrvtt_root, youcook2_root, crosstask_root, webvid_root, msvd_root, vatex_root]
    corpora += [ucf101_root, hmdb51_root, coco_root, cc_root, img2dataset_root]
    shutil.copytree(demo, folder / "runs")
    (checkpoint,) = demo.rglob("best.ckpt")
    shutil.copy(checkpoint, folder / "x.ckpt")
    (folder / "features").rename(folder / "other-features")  # predict writes them
    (folder / "data").mkdir()
    for root in corpora:
        (folder / "data" / root.name).symlink_to(root)
        (folder / "data" / f"kitchen-{root.name}").symlink_to(root)
    for name_of_root in ("kitchen", "howto100m"):
        (folder / "data" / name_of_root).symlink_to(kitchen_root)
    return folder


def as_words(section: str, options: Mapping[str, object]) -> list[str]:
    """Write options as a command line has them."""
    names = [f"--{section}.{key}" if section else f"--{key}" for key in options]
    return [word for pair in zip(names, map(str, options.values()), strict=True) for word in pair]


def small(command: Command) -> list[str]:
    """Return a command with what makes it small."""
    words = [x.removeprefix("/") if x.startswith("/data/") else x for x in words_of(command)]
    if words[:2] == ["data", "kitchen"]:
        sizes = {"train": 16, "ingredients": 2, "size": 32} if "--layout" in words else SMALL
        return [*words, *as_words("", sizes)]
    is_run = words[0] in LIGHTNING and not any(word.endswith(".help") for word in words)
    return small_run(words) if is_run else words


def small_run(words: list[str]) -> list[str]:
    """Return a run with what makes it small: of the model, nothing."""
    data = parsed(*words)["data"]
    sources = data["init_args"].get("sources") or {}
    mixed = {f"data.init_args.sources.{key}": source for key, source in sources.items()}
    for section, source in (mixed or {"data": data}).items():
        options = {"num_workers": 0, "batch_size": 4, "pixels.crop_pixels": 32}
        options |= SMALL if source["class_path"].endswith(".Kitchen") else {}
        options |= {"train_per_task": 2} if source["class_path"].endswith(".CrossTask") else {}
        words = [*words, *as_words(f"{section}.init_args", options)]
    return [*words, *as_words("trainer", RUN)]


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("sh"), ids=name)
@pytest.mark.usefixtures("reader")
def test_commands_of_a_page_work_one_after_the_other(page: Path) -> None:
    for command in commands(page):
        if not_here(command):
            continue
        try:
            code = main(small(command))
        except SystemExit as stopped:
            code = int(str(stopped.code or 0))
        assert code == 0, str(command)


# -- what is printed


def is_run(command: Command) -> bool:
    return command.words[1] in LIGHTNING


@pytest.mark.parametrize(
    "command",
    [pytest.param(c, marks=pytest.mark.slow if is_run(c) else ()) for c in TRANSCRIPTS],
    ids=str,
)
def test_transcripts_are_what_is_printed(
    command: Command,
    folder: Path,
    kitchen_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "kitchen").symlink_to(kitchen_root)
    if "faster_whisper" in command.output and find_spec("faster_whisper"):
        pytest.skip("faster-whisper is installed here")
    words = list(words_of(command))
    if any(word.startswith("--data.init_args.") for word in words):
        words += as_words("data.init_args", SMALL)
    try:
        code = main(words)
    except SystemExit as stopped:
        code = int(str(stopped.code))
    assert code == 2
    assert capsys.readouterr().err == command.output


# -- messages


def texts_of_package() -> list[str]:
    """Return the strings in the package's code; what is filled in is ``...``."""
    trees = [ast.parse(read(path)) for path in (ROOT / "vtlearn").rglob("*.py")]
    found = []
    for node in (node for one in trees for node in ast.walk(one)):
        if isinstance(node, ast.JoinedStr):
            parts = (x.value if isinstance(x, ast.Constant) else "..." for x in node.values)
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


@pytest.mark.slow
def test_messages_that_are_explained_exist() -> None:
    rows = re.findall(r"^\| `([^|]+)` \|", read(DOCS / "troubleshooting.md"), re.MULTILINE)
    assert len(rows) > 8
    package = texts_of_package()
    for row in rows:
        parts = [re.escape(part) for part in re.split(r"\s*\.\.\.\s*", row) if part]
        pattern = re.compile(".*".join(parts), re.DOTALL)
        assert any(pattern.search(text) for text in package), row


# -- the site


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    if find_spec("mkdocs") is None:
        pytest.skip("the site is built by mkdocs: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    shown = {page.relative_to(DOCS).with_suffix(".html") for page in nav()}
    assert shown <= {page.relative_to(tmp_path) for page in tmp_path.rglob("*.html")}
    for page in tmp_path.rglob("*.html"):  # nothing is fetched
        text = re.sub(r'<a\s[^>]*>|<link[^>]*rel="canonical"[^>]*>', "", read(page))
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text), page.name
    reference = read(tmp_path / "api" / "alignment.html")
    assert "soft_dtw" in reference
    assert '<span class="gp">&gt;&gt;&gt; </span>' in reference  # examples are code
