import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from tests.media.video.videos import open_files
from tests.media.video.writing import write_video
from vtlearn.errors import ArgumentError, UnreadableVideoError, VTLearnError
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video import subprocess_reader as module
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

ASKED: dict[str, Any] = {"num_frames": 3, "fps": 5, "size": 16}


@pytest.fixture(scope="module")
def reader() -> Iterator[SubprocessVideoReader]:
    with SubprocessVideoReader(60.0) as reader:
        yield reader


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "a.mp4", range(0, 250, 5), gop=10)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file whose opening never returns, as long as nobody writes to it."""
    path = tmp_path / "endless.mp4"
    os.mkfifo(path)
    return path


def pid_of(reader: SubprocessVideoReader) -> int:
    assert reader._child is not None
    return reader._child.process.pid


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; a zombie has not been reaped."""
    return not Path(f"/proc/{pid}").exists()


def goes(pid: int) -> bool:
    """Wait for a process to end that nothing here waits for otherwise, or for a minute in vain."""
    end = time.monotonic() + 60
    while not is_gone(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return is_gone(pid)


@pytest.mark.parametrize(("pad", "frame_at"), [("edge", "screen"), ("black", "nearest")])
def test_gives_what_a_video_reader_gives(
    pad: Any, frame_at: Any, reader: SubprocessVideoReader, video: Path
) -> None:
    content = VideoBytes("a", video.read_bytes())
    crop = [(0, 0, 32, 32), (3, 4, 20, 20), (1, 1, 9, 9)]
    sources: list[Source] = [video, str(video), content, content, VideoBytes("b", content.data)]
    for source in sources:
        for starts in ([9.0, 0.1, 1.2], np.array([0.4, 0.3, 0.2])):
            asked = {"crop": crop, "pad": pad, "frame_at": frame_at, **ASKED}
            alone = VideoReader().clips(source, starts, **asked)
            watched = reader.clips(source, starts, **asked)
            assert torch.equal(watched.frames, alone.frames)
            assert torch.equal(watched.valid, alone.valid)
        assert reader.probe(source) == VideoReader().probe(source)
        assert reader.hash_frames(source) == VideoReader().hash_frames(source)
    assert reader.clips(video, [], **ASKED).frames.shape == (0, 3, 3, 16, 16)


def test_what_a_video_reader_raises_is_raised_here(
    reader: SubprocessVideoReader, video: Path
) -> None:
    reader.probe(video)
    pid = pid_of(reader)
    with pytest.raises(ArgumentError, match="leaves the picture"):
        reader.clips(video, [0.0], crop=[(0, 0, 99, 99)], **ASKED)
    with pytest.raises(ArgumentError, match="fps must be positive"):
        reader.clips(video, [0.0], **{**ASKED, "fps": 0})
    with pytest.raises(UnreadableVideoError, match="Invalid data") as caught:
        reader.probe(VideoBytes("text", b"Chop the carrot.\n" * 99))
    assert caught.value.stage == "open"
    with pytest.raises(UnreadableVideoError, match="No such file"):
        reader.clips(video.with_name("absent.mp4"), [0.0], **ASKED)
    with pytest.raises(UnreadableVideoError, match="No such file"):
        reader.hash_frames(video.with_name("absent.mp4"))
    assert pid_of(reader) == pid
    for given, message in (({"pad": "nonsense"}, "pad must be"), ({"num_frames": 2.5}, "whole")):
        with pytest.raises(ArgumentError, match=message):
            reader.clips(video, [0.0], **ASKED | given)
    with pytest.raises(UnreadableVideoError, match="null"):
        reader.probe("a\0b.mp4")
    far = reader.clips(video, [1e18], **ASKED)
    assert torch.equal(far.frames, VideoReader().clips(video, [1e18], **ASKED).frames)


def test_native_frames_are_a_video_readers(reader: SubprocessVideoReader, video: Path) -> None:
    asked: dict[str, Any] = {"num_frames": 4, "fps": "native", "size": 16}
    clips = reader.clips(video, [0.0, 0.4], **asked)
    assert torch.equal(clips.frames, VideoReader().clips(video, [0.0, 0.4], **asked).frames)
    assert len(clips.frames[0].unique(dim=0)) == 4


@pytest.mark.parametrize("time_budget", [0.0, float("nan"), float("inf"), 2e6])
def test_a_budget_that_cannot_be_kept_is_refused(time_budget: float) -> None:
    with pytest.raises(ArgumentError, match="time_budget must be"):
        SubprocessVideoReader(time_budget)


def test_the_longest_budget_can_be_kept(video: Path) -> None:
    with SubprocessVideoReader(1e6) as reader:
        assert reader.probe(video) == VideoReader().probe(video)


def test_nothing_is_not_the_video_before(reader: SubprocessVideoReader, video: Path) -> None:
    reader.probe(video)
    nothing: Any = None
    with pytest.raises(TypeError):
        reader.probe(nothing)
    with pytest.raises(TypeError):
        reader.clips(nothing, [0.0], **ASKED)
    assert reader.probe(video) == VideoReader().probe(video)


def test_a_child_that_died_idle_is_no_videos_fault(video: Path) -> None:
    with SubprocessVideoReader(60.0) as reader:
        content = VideoBytes("a", video.read_bytes())
        wanted = reader.probe(content)
        pid = pid_of(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has noticed
        assert reader.probe(content) == wanted
        assert pid_of(reader) != pid


def test_sending_counts(video: Path) -> None:
    with SubprocessVideoReader(60.0) as reader:
        reader.probe(video)
        pid = pid_of(reader)
        os.kill(pid, signal.SIGSTOP)
        reader.time_budget = 0.5
        start = time.monotonic()
        with pytest.raises(UnreadableVideoError, match=r"time budget of 0\.5 s") as caught:
            reader.probe(VideoBytes("large", bytes(5_000_000)))
        assert time.monotonic() - start >= 0.5
        assert caught.value.stage == "time"
        assert is_gone(pid)
        reader.time_budget = 60.0
        assert reader.probe(video) == VideoReader().probe(video)


def test_what_never_returns_is_ended_in_time_and_reading_goes_on(
    video: Path, endless: Path
) -> None:
    with SubprocessVideoReader(60.0) as reader:
        reader.probe(video)
        pid = pid_of(reader)
        reader.time_budget = 0.5
        start = time.monotonic()
        with pytest.raises(UnreadableVideoError, match=r"time budget of 0\.5 s") as caught:
            reader.clips(endless, [0.0], **ASKED)
        assert time.monotonic() - start >= 0.5
        assert caught.value.stage == "time"
        assert is_gone(pid)
        reader.time_budget = 60.0
        assert reader.probe(video) == VideoReader().probe(video)
        assert pid_of(reader) != pid


@contextmanager
def being_read(endless: Path) -> Iterator[None]:
    """Wait until something reads the file, and keep it reading."""
    end = time.monotonic() + 60
    with ExitStack() as held:
        while time.monotonic() < end:
            try:
                writer = os.open(endless, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nothing reads it yet
                time.sleep(0.02)
            else:
                held.callback(os.close, writer)
                break
        yield


def kill_while_it_reads(endless: Path, pid: int) -> None:
    with being_read(endless):
        os.kill(pid, signal.SIGSEGV)


def test_a_decoder_that_dies_is_an_unreadable_video(video: Path, endless: Path) -> None:
    with SubprocessVideoReader(60.0) as reader:
        reader.probe(video)
        pid = pid_of(reader)
        threading.Thread(target=kill_while_it_reads, args=(endless, pid)).start()
        with pytest.raises(UnreadableVideoError, match=r"died \(SIGSEGV\)") as caught:
            reader.probe(endless)
        assert caught.value.stage == "decode"
        assert is_gone(pid)
        assert reader.probe(video) == VideoReader().probe(video)


def test_the_start_of_the_child_does_not_count() -> None:
    with SubprocessVideoReader(1e-6) as reader:  # in which no process starts
        assert reader._living_child().is_idle


def test_a_child_that_does_not_start_is_said_so(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BOOT", "raise SystemExit(3)")
    with SubprocessVideoReader(1.0) as reader:
        for _ in range(2):
            with pytest.raises(VTLearnError, match=r"did not start \(exit code 3\)"):
                reader.probe(video)


PARENT = """
import json, sys, time
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader
video, endless = sys.argv[1:]
reader = SubprocessVideoReader(3600.0)
reader.probe(video)
print(reader._child.process.pid, flush=True)
if endless:
    reader.probe(endless)
time.sleep(3600)
"""


@pytest.mark.parametrize("hangs", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_child_ends_with_a_parent_that_is_killed(
    hangs: bool, video: Path, endless: Path
) -> None:
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(video), str(endless) if hangs else ""],
        stdout=subprocess.PIPE,
        env=os.environ | path,
    )
    with parent:
        assert parent.stdout is not None
        child = json.loads(parent.stdout.readline())
        with being_read(endless) if hangs else nullcontext():
            parent.kill()
            assert goes(child)


def test_a_copy_has_a_child_of_its_own(reader: SubprocessVideoReader, video: Path) -> None:
    wanted = reader.probe(video)
    pid = pid_of(reader)
    copy = pickle.loads(pickle.dumps(reader))  # noqa: S301
    assert copy._child is None
    assert copy.time_budget == reader.time_budget
    forked = os.fork()
    if forked == 0:  # leave by _exit alone, or pytest would go on twice
        try:
            same = reader.probe(video) == wanted and pid_of(reader) != pid
            reader.close()
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    assert reader.probe(video) == wanted
    assert pid_of(reader) == pid


def test_frames_are_memory_of_this_process_and_are_freed(
    reader: SubprocessVideoReader, video: Path
) -> None:
    reader.probe(video)
    before = open_files()
    frames = reader.clips(video, [1.0], **ASKED).frames
    forked = os.fork()
    if forked == 0:
        frames.zero_()
        os._exit(0)
    os.waitpid(forked, 0)
    assert frames.any()
    frames += 1  # it can be written to
    assert open_files() == before
    assert "memfd:clips" in Path("/proc/self/maps").read_text()
    del frames
    assert "memfd:clips" not in Path("/proc/self/maps").read_text()


def test_threads_may_share_a_reader(reader: SubprocessVideoReader, video: Path) -> None:
    found: dict[int, float] = {}

    def read(number: int) -> None:
        clips = reader.clips(video, [number / 25], num_frames=1, fps=1, size=8)
        found[number] = round(clips.frames.double().mean().item() / 5)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(0, 50, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(0, 50, 7)}


class Probed(Dataset[tuple[str, int]]):
    """What becomes of reading each of some videos, and the worker's decoding process."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.reader = SubprocessVideoReader(60.0)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[str, int]:
        self.reader.time_budget = 0.5 if self.paths[index].is_fifo() else 60.0
        try:
            frames = self.reader.clips(self.paths[index], [0.0], **ASKED).frames
        except UnreadableVideoError as error:
            return error.stage, 0
        return str(tuple(frames.shape)), pid_of(self.reader)


@pytest.mark.parametrize(
    "start",
    ["fork", *(pytest.param(each, marks=pytest.mark.slow) for each in ("spawn", "forkserver"))],
)
def test_works_in_a_loaders_workers(start: str, video: Path, endless: Path) -> None:
    data = Probed([video, endless, video])
    loader = DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=start)
    read = list(loader)
    assert [what for what, _ in read] == ["(1, 3, 3, 16, 16)", "time", "(1, 3, 3, 16, 16)"]
    assert all(goes(pid) for _, pid in read if pid)
