"""Time the decoding of clips against those of others: one run, one file, the sides in turn.

    python benchmarks/decode.py

Every side returns 32 frames at 10 fps, 224 x 224 RGB: the square in the middle of a 360p H.264
file. All of them, with whatever processes and threads they start, share the same cores, and get as
many decoding threads as there are cores. The peers (``pip install 'vtlearn[bench]'``):

- one FFmpeg process a clip, as the published loaders of MIL-NCE and VT-TWINS start it;
- decord, which scales the shorter side to 224 itself and leaves only the cropping to numpy;
- OpenCV, which seeks, skips frames by ``grab``, and converts no frame but those returned.
"""

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import av  # noqa: TID251 - looks at the file
import numpy as np
import torch
from av.container import InputContainer  # noqa: TID251
from av.video.stream import VideoStream  # noqa: TID251
from made_video import HEIGHT, RATE, WIDTH, encode
from measuring import header, line, machine
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

try:
    import cv2
    import decord
    import imageio_ffmpeg
except ImportError as error:
    message = f"{error}: the peers come with pip install 'vtlearn[bench]'"
    raise SystemExit(message) from error

FRAMES, FPS, SIZE = 32, 10, 224
SPAN = FRAMES / FPS

NEAREST = "FFmpeg process a clip"  # the filter that the published loaders use rounds times

Pixels = NDArray[np.uint8]
Side = Callable[[Path, list[float], int], Pixels]  # (clips, frames, SIZE, SIZE, 3)


def main() -> None:
    """Print the machine, the file, and a table for each question."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--video", type=Path, help="a file to use instead of one encoded here")
    parser.add_argument("--seconds", type=int, default=60, help="how long the encoded one is")
    parser.add_argument("--rounds", type=int, default=20, help="clips that each side reads")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="and as many cores")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    print(f"Machine: {machine(len(cores))}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.video or encode(Path(folder, "bench.mp4"), arguments.seconds)
        print(f"File: {describe(path)}\n")
        print(f"Resident memory, opening 2000 times: {growth(path):.2f} kB a file at the end\n")
        for threads in arguments.threads:
            os.sched_setaffinity(0, cores[:threads])
            torch.set_num_threads(threads)
            compare(path, threads, arguments.rounds)
        os.sched_setaffinity(0, cores)
        watch(path, arguments.rounds)
        load(path, 4 * arguments.rounds, len(cores))


def compare(path: Path, threads: int, rounds: int) -> None:
    """Print a table of single clips, and one of eight clips of a video at a time."""
    singles: dict[str, Side] = {
        "vtlearn, file opened for each clip": vtlearn_anew,
        "vtlearn, file kept open": VTLearnKept(),
        NEAREST: ffmpeg_process,
        "decord": decord_reader,
        "OpenCV": opencv_capture,
    }
    eights: dict[str, Side] = {"vtlearn": vtlearn_anew, "decord": decord_reader}
    for clips, sides in ((1, singles), (8, eights)):
        print(f"{clips} of {FRAMES} frames a call, {threads} thread(s) on as many core(s):\n")
        report(alternate(path, sides, clips, threads, max(5, rounds // clips)), clips)


def alternate(
    path: Path, sides: dict[str, Side], clips: int, threads: int, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Give every side the same random starts, each in turn; note wall and CPU seconds of each."""
    rng = np.random.default_rng(0)
    end = VideoReader().probe(path).duration - SPAN - 0.2
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    names = list(sides)
    for number in range(-1, rounds):
        starts = rng.uniform(0, end, clips).tolist()
        seen: dict[str, Pixels] = {}
        for name in names[number % len(names) :] + names[: number % len(names)]:
            before = time.perf_counter(), cpu_seconds()
            seen[name] = sides[name](path, starts, threads)
            after = time.perf_counter(), cpu_seconds()
            if number >= 0:  # the first round warms up
                taken[name].append((after[0] - before[0], after[1] - before[1]))
        check(seen, path, starts)
    return taken


def check(seen: dict[str, Pixels], path: Path, starts: list[float]) -> None:
    """See that all sides return the same frames: scaled otherwise, but nearer than neighbours."""
    with av.open(str(path), "r") as container:
        step = float(1 / (watched(container).average_rate or RATE))
    shifted = {by: vtlearn_anew(path, [at + by * step for at in starts], 1) for by in range(-2, 3)}
    for name, pixels in seen.items():
        if pixels.shape != shifted[0].shape:
            message = f"{name} returned {pixels.shape} instead of {shifted[0].shape}"
            raise SystemExit(message)
        far = {by: np.abs(pixels - each.astype(int)).mean() for by, each in shifted.items()}
        allowed = range(-2, 3) if name == NEAREST else range(1)
        if min(far.values()) < min(far[by] for by in allowed) or min(far.values()) > 8:
            shown = ", ".join(f"{by:+d}: {each:.1f}" for by, each in far.items())
            message = f"{name} returned other frames; grey levels from ours, by frames: {shown}"
            raise SystemExit(message)


def report(taken: dict[str, list[tuple[float, float]]], clips: int) -> None:
    """Print a table; a ratio is what a side takes over what the first one takes, round by round."""
    header("side", "clips/s", "ms a clip: median (least)", "CPU ms a clip", "vtlearn is faster by")
    ours = next(iter(taken.values()))
    for name, times in taken.items():
        wall, cpu = ([each[i] / clips * 1e3 for each in times] for i in (0, 1))
        ratio = statistics.median(a[0] / b[0] for a, b in zip(times, ours, strict=True))
        cpu_ratio = sum(cpu) / sum(each[1] / clips * 1e3 for each in ours)
        line(
            name,
            f"{1e3 / statistics.median(wall):.2f}",
            f"{statistics.median(wall):.1f} ({min(wall):.1f})",
            f"{statistics.mean(cpu):.1f}",
            f"{ratio:.2f} (CPU time: {cpu_ratio:.2f})",
        )
    print()


def cpu_seconds() -> float:
    """Return what this process and those it waited for have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


# The sides


def vtlearn_anew(path: Path, starts: list[float], threads: int) -> Pixels:
    """Open the file, as a loader does that meets another video each time."""
    return VTLearnKept()(path, starts, threads)


class VTLearnKept:
    """Read with one reader, which keeps its last file open."""

    def __init__(self) -> None:
        self.readers: dict[int, VideoReader] = {}

    def __call__(self, path: Path, starts: list[float], threads: int) -> Pixels:
        """Return channels last, as a view: that is how the others return them."""
        reader = self.readers.setdefault(threads, VideoReader(threads))
        clips = reader.clips(path, starts, num_frames=FRAMES, fps=FPS, size=SIZE)
        pixels: Pixels = clips.frames.permute(0, 1, 3, 4, 2).numpy()
        return pixels


def ffmpeg_process(path: Path, starts: list[float], threads: int) -> Pixels:
    """Start FFmpeg with the options that the published loaders give it."""
    clips = []
    filters = f"fps=fps={FPS},crop=min(iw\\,ih):min(iw\\,ih),scale={SIZE}:{SIZE}"
    for start in starts:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error"]
        command += ["-threads", str(threads), "-ss", str(start), "-t", str(SPAN + 0.1)]
        command += ["-i", str(path), "-vf", filters, "-filter_threads", str(threads)]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        clips.append(np.frombuffer(done.stdout, np.uint8).reshape(-1, SIZE, SIZE, 3)[:FRAMES])
    return np.stack(clips)


def decord_reader(path: Path, starts: list[float], threads: int) -> Pixels:
    """Have decord scale the shorter side; which costs it less than scaling in numpy would."""
    width = round(SIZE * WIDTH / HEIGHT / 2) * 2
    reader = decord.VideoReader(str(path), width=width, height=SIZE, num_threads=threads)
    frames = frame_numbers(starts, reader.get_avg_fps())
    pixels = reader.get_batch(frames.ravel()).asnumpy()
    left = (width - SIZE) // 2
    square = np.ascontiguousarray(pixels[:, :, left : left + SIZE])
    return square.reshape(*frames.shape, SIZE, SIZE, 3)


def opencv_capture(path: Path, starts: list[float], threads: int) -> Pixels:
    """Seek, grab what is not returned, and scale only the square."""
    cv2.setNumThreads(threads)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    clips = np.empty((len(starts), FRAMES, SIZE, SIZE, 3), np.uint8)
    left = (WIDTH - HEIGHT) // 2
    for clip, numbers in zip(
        clips, frame_numbers(starts, capture.get(cv2.CAP_PROP_FPS)), strict=True
    ):
        capture.set(cv2.CAP_PROP_POS_FRAMES, float(numbers[0]))
        position = numbers[0] - 1
        for slot, number in zip(clip, numbers, strict=True):
            while position < number:
                capture.grab()
                position += 1
            _, picture = capture.retrieve()
            square = cv2.resize(picture[:, left : left + HEIGHT], (SIZE, SIZE))
            cv2.cvtColor(square, cv2.COLOR_BGR2RGB, dst=slot)
    capture.release()
    return clips


def frame_numbers(starts: Sequence[float], rate: float) -> NDArray[np.int64]:
    """Count frames, which is possible in a file of constant rate that begins at 0."""
    times = np.asarray(starts)[:, None] + np.arange(FRAMES) / FPS
    return (times * rate).astype(np.int64)


# Beyond the sides


def growth(path: Path, times: int = 2000) -> float:
    """Open, sample and close; return by how many kB a file memory grows in the second half."""

    def resident() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1024

    sizes = []
    end = VideoReader().probe(path).duration
    for start in np.random.default_rng(2).uniform(0, end, times):
        reader = VideoReader()
        reader.clips(path, [start], num_frames=1, fps=1, size=32)
        reader.close()
        sizes.append(resident())
    half = times // 2
    return float(np.polyfit(np.arange(half), sizes[half:], 1)[0])


def watch(path: Path, rounds: int) -> None:
    """Print what decoding in a child process costs."""
    with SubprocessVideoReader(600.0) as watched:

        def read(path: Path, starts: list[float], _: int) -> Pixels:
            clips = watched.clips(path, starts, num_frames=FRAMES, fps=FPS, size=SIZE)
            pixels: Pixels = clips.frames.permute(0, 1, 3, 4, 2).numpy()
            return pixels

        sides: dict[str, Side] = {"VideoReader": VTLearnKept(), "SubprocessVideoReader": read}
        taken = alternate(path, sides, 1, 1, 2 * rounds)
    alone, watched_times = ([wall for wall, _ in each] for each in taken.values())
    ratio = statistics.median(b / a for a, b in zip(alone, watched_times, strict=True))
    print(
        "With a time budget, decoding in a child process: "
        f"{statistics.median(watched_times) * 1e3:.1f} ms a clip, "
        f"{statistics.median(alone) * 1e3:.1f} without; {ratio - 1:+.1%} round by round\n"
    )


class RandomClips(Dataset[Tensor]):
    """Clips at random starts of one file, opened anew for each."""

    def __init__(self, path: Path, count: int) -> None:
        self.path = path
        end = VideoReader().probe(path).duration - SPAN
        self.starts = np.random.default_rng(1).uniform(0, end, count).tolist()

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Tensor:
        start = self.starts[index]
        return VideoReader().clips(self.path, [start], num_frames=FRAMES, fps=FPS, size=SIZE).frames


def load(path: Path, count: int, cores: int) -> None:
    """Print clips a second against the workers of a loader."""
    print(f"Loader of single clips, on {cores} core(s):\n")
    header("workers", "clips/s")
    for workers in range(cores + 1):
        loader = DataLoader(RandomClips(path, count), batch_size=4, num_workers=workers)
        batches = iter(loader)
        next(batches)  # the workers have started
        start = time.perf_counter()
        rest = sum(len(batch) for batch in batches)
        line(str(workers), f"{rest / (time.perf_counter() - start):.2f}")
    print()


# The file


def describe(path: Path) -> str:
    """Say what a file is like, as far as it matters for decoding."""
    with av.open(str(path), "r") as container:
        stream = watched(container)
        packets = [packet for packet in container.demux(stream) if packet.size]
        keys = sum(packet.is_keyframe for packet in packets)
        seconds = float((stream.duration or 0) * (stream.time_base or 0))
        rate = sum(packet.size for packet in packets) * 8 / seconds / 1000
        sound = len(container.streams.audio)
        name, profile = stream.codec_context.name, stream.codec_context.profile
        size = f"{stream.width}x{stream.height}, {float(stream.average_rate or 0):.2f} fps"
    unused = 1 - len(decoded(path, "NONREF")) / len(types := decoded(path, "DEFAULT"))
    return (
        f"{name} {profile}, {size}, {seconds:.0f} s, {rate:.0f} kbit/s, {sound} audio stream(s), a "
        f"keyframe every {seconds / keys:.1f} s on average, {types.count(3) / len(types):.0%} B "
        f"frames, {unused:.0%} of the frames needed by no other"
    )


def watched(container: InputContainer) -> VideoStream:
    """Return the stream that every side reads."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        message = f"{container.name} has no video stream"
        raise SystemExit(message)
    return stream


def decoded(path: Path, skipped: Literal["DEFAULT", "NONREF"]) -> list[int]:
    """Return the types of the frames that are decoded: 1, 2 and 3 are I, P and B."""
    with av.open(str(path), "r") as container:
        stream = watched(container)
        stream.codec_context.skip_frame = skipped
        return [int(frame.pict_type) for frame in container.decode(stream)]


if __name__ == "__main__":
    main()
