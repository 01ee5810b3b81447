"""Made videos of every kind that has been seen to mislead a seek, for tests of random access."""

from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.media.video.videos import B_FRAMES, FIXED, OPEN_GOP, noise
from tests.media.video.writing import (
    edit_parts,
    forget_order,
    join_clocks,
    join_streams,
    shift_clock,
    write_palette,
    write_video,
)

__all__ = ["FILMS", "make_film"]

_FRAMES = 150
_VP9: dict[str, Any] = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}
_X265: dict[str, Any] = {
    "codec": "libx265",
    "options": {"preset": "ultrafast", "x265-params": "log-level=none"},
}
_X265_OPEN: dict[str, Any] = {
    "codec": "libx265",
    "options": {"preset": "medium", "x265-params": "log-level=none:open-gop=1:keyint=25"},
}
_REFRESHED = {"preset": "medium", "x264-params": "intra-refresh=1:scenecut=0"}
_INTERLACED = {**B_FRAMES, "x264-params": "scenecut=0:tff=1"}
_H264: dict[str, Any] = {"gop": 25, "b_frames": 2, "options": B_FRAMES}
_MPEG4: dict[str, Any] = {"gop": 25, "b_frames": 2, "codec": "mpeg4"}

Make = Callable[[Path], Path]


def _plain(count: int = _FRAMES, **options: Any) -> Make:
    """A file as FFmpeg writes it."""
    return lambda path: write_video(path, noise(count), **options)


def _shifted(seconds: float, suffix: str = "", **options: Any) -> Make:
    """A file whose clock starts at another time."""

    def make(path: Path) -> Path:
        before = write_video(_beside(path, suffix or path.suffix), noise(_FRAMES), **options)
        return shift_clock(before, path, seconds=seconds)

    return make


def _joined(*, cut: int = 0, **options: Any) -> Make:
    """Two recordings one behind the other, the second of which may lack its beginning."""

    def make(path: Path) -> Path:
        halves = noise(_FRAMES)[: _FRAMES // 2], noise(_FRAMES)[_FRAMES // 2 :]
        parts = [
            write_video(_beside(path, f".{number}{path.suffix}"), half, **options)
            for number, half in enumerate(halves)
        ]
        if cut:
            parts[1].write_bytes(parts[1].read_bytes()[cut:])
        return join_clocks(parts, path)

    return make


def _joined_from(seconds: float, **options: Any) -> Make:
    """Two recordings of which the first begins at a later time than the second."""

    def make(path: Path) -> Path:
        first = write_video(_beside(path, f".0{path.suffix}"), noise(_FRAMES)[:75], **options)
        second = write_video(_beside(path, f".1{path.suffix}"), noise(_FRAMES)[75:], **options)
        late = shift_clock(first, _beside(path, f".2{path.suffix}"), seconds=seconds)
        return join_clocks([late, second], path)

    return make


def _sound_later(path: Path) -> Path:
    """A recording whose second part has sound, so that another stream appears within it."""
    first = write_video(_beside(path, f".1{path.suffix}"), noise(75), **_H264)
    second = write_video(_beside(path, f".2{path.suffix}"), noise(75), sound=3, **_H264)
    return join_clocks([first, second], path)


def _without_order(**options: Any) -> Make:
    """Packets that say when they are decoded, and not when their frames are shown."""
    return lambda path: forget_order(
        write_video(_beside(path, ".h264"), noise(_FRAMES), **options), path
    )


def _cut(start: int, **options: Any) -> Make:
    """A file whose first bytes are lost, as a recording that begins anywhere."""

    def make(path: Path) -> Path:
        whole = write_video(_beside(path, path.suffix), noise(_FRAMES), **options)
        path.write_bytes(whole.read_bytes()[start:])
        return path

    return make


def _palette(codec: str, *, changing: bool = False, **options: Any) -> Make:
    """Pixels that are places in a palette."""
    levels = [number * 7 % 256 for number in range(_FRAMES)]
    return lambda path: write_palette(path, levels, codec, changing=changing, **options)


def _damaged(how: str, make: Make) -> Make:
    """A file of which some frames are not as they were, while its structure is left alone."""

    def make_damaged(path: Path) -> Path:
        make(path)
        content, rng = bytearray(path.read_bytes()), np.random.default_rng(len(path.name))
        with av.open(path) as container:
            packets = [(one.pos or 0, bytes(one)) for one in container.demux(video=0) if one.size]
        chosen = [packets[number] for number in rng.choice(np.arange(40, 145), 3, replace=False)]
        for place, packet in chosen:
            if path.suffix == ".ts":  # which cuts a frame into pieces: the end of its first
                damaged = slice(place + 120, place + 188)
            else:
                start = content.index(packet, place)
                damaged = slice(start + 4, start + len(packet))  # after the size
            old = np.frombuffer(bytes(content[damaged]), np.uint8)
            flips = (rng.random(old.size) < 0.1) * rng.integers(1, 256, old.size)
            new = {
                "zeroed": np.zeros(old.size),
                "flipped": old ^ flips,
                "random": rng.integers(0, 256, old.size),
            }
            content[damaged] = new[how].astype(np.uint8).tobytes()
        path.write_bytes(content)
        return path

    return make_damaged


def _edited(*parts: tuple[float, float]) -> Make:
    """A file that plays some of its parts: when each starts, and for how long."""
    return lambda path: edit_parts(
        write_video(_beside(path, ".mp4"), noise(_FRAMES), **_H264), path, parts
    )


def _two_streams(path: Path) -> Path:
    slow = write_video(_beside(path, ".1.mp4"), noise(6, 48), rate=1)
    film = write_video(_beside(path, ".2.mp4"), noise(_FRAMES), **_H264)
    return join_streams([slow, film], path, default=1)


def _unseekable(**options: Any) -> Make:
    """A file written in one go, as to a pipe: without an index, and without its duration."""

    def make(path: Path) -> Path:
        before = write_video(_beside(path, path.suffix), noise(_FRAMES), **options)
        pipe = _Pipe()
        with (
            av.open(before) as source,
            av.open(pipe, "w", format="matroska", options={"live": "1"}) as output,
        ):
            stream = source.streams.video[0]
            copy = output.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
        path.write_bytes(bytes(pipe.written))
        return path

    return make


class _Pipe:
    """What can be written to, and not sought in."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)


def _gif(path: Path) -> Path:
    frames = [Image.fromarray(picture).quantize(32) for picture in noise(60)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    return path


def _stamps(count: int = _FRAMES) -> list[int]:
    """Times of frames in milliseconds, of which some come soon and some late."""
    steps = [40, 20, 70, 300, 10, 33] * count
    return [0, *accumulate(steps[: count - 1])]


def _beside(path: Path, suffix: str) -> Path:
    folder = path.parent / "parts"
    folder.mkdir(exist_ok=True)
    return folder / f"{path.stem}{suffix}"


_MS: dict[str, Any] = {"time_base": Fraction(1, 1000)}

#: How each is made, by its name.
FILMS: dict[str, Make] = {
    "clock_reset.ts": _joined(**_H264),
    "clock_reset.flv": _joined(**_H264),
    "clock_reset_from_100.ts": _joined_from(100, **_H264),
    "clock_reset_from_100.flv": _joined_from(100, **_H264),
    "joined.mkv": _joined(**_H264),
    "joined.webm": _joined(gop=25, **_VP9),
    "before_0.mkv": _shifted(-0.5, **_H264),
    "before_0.webm": _shifted(-1.5, gop=25, **_VP9),
    "clock_reset_cut.ts": _joined(cut=188 * 40, **_H264),
    "sound_later.ts": _sound_later,
    "mpeg2_reset.mpg": _joined(codec="mpeg2video", gop=12, b_frames=2),
    "b_frames_without_order.avi": _without_order(**_H264),
    "b_frames_without_order.mp4": _without_order(**_H264),
    "b_frames_without_order.flv": _without_order(**_H264),
    "b_frames_later_without_order.avi": _without_order(plain=60, **_H264),
    "b_frames_later_without_order.mp4": _without_order(plain=60, **_H264),
    "b_frames_later_without_order.flv": _without_order(plain=60, **_H264),
    "b_frames_h264.avi": _plain(**_H264),
    "b_frames_mpeg4.avi": _plain(**_MPEG4),
    "palette_raw.avi": _palette("rawvideo"),
    "palette_changing_raw.avi": _palette("rawvideo", changing=True),
    "palette_rle.avi": _palette("msrle"),
    "palette_changing_rle.avi": _palette("msrle", changing=True),
    "palette_zmbv.avi": _palette("zmbv", changing=True),
    "palette_raw.mov": _palette("rawvideo"),
    "palette_smc.mov": _palette("smc", changing=True),
    "palette_png.mov": _palette("png", changing=True),
    "moving.gif": _gif,
    "two_streams.mkv": _two_streams,
    "two_streams.mp4": _two_streams,
    "late.mkv": _plain(pts=range(50, 50 + _FRAMES), sound=9, **_H264),
    "late.mp4": _plain(pts=range(50, 50 + _FRAMES), sound=9, **_H264),
    "late.ts": _plain(pts=range(50, 50 + _FRAMES), sound=9, **_H264),
    "variable.mp4": _plain(pts=_stamps(), **_MS, **_H264),
    "variable.mkv": _plain(pts=_stamps(), **_MS, **_H264),
    "variable.flv": _plain(pts=_stamps(), **_MS, **_H264),
    "plain.ts": _plain(**_H264),
    "plain.flv": _plain(**_H264),
    "plain_flv1.flv": _plain(codec="flv", gop=25),
    "at_100.ts": _shifted(100, **_H264),
    "at_100.mkv": _shifted(100, **_H264),
    "at_100.mp4": _shifted(100, **_H264),
    "at_100.flv": _shifted(100, **_H264),
    "wrapping.ts": _shifted(2**33 / 90000 - 4, **_H264),
    "edit_list.mp4": _shifted(-1.5, **_H264),
    "edit_list_keyframes.mp4": _shifted(-1.0, **_H264),
    "edit_list_cut.mp4": _edited((1.0, 1.0), (3.0, 1.0)),
    "edit_list_swapped.mp4": _edited((3.0, 1.0), (1.0, 1.0)),
    "edit_list_repeated.mp4": _edited((1.0, 1.0), (1.0, 1.0)),
    "edit_list_between.mp4": _edited((0.52, 1.5), (2.2, 0.8)),
    "fragmented.mp4": _plain(container={"movflags": "frag_keyframe+empty_moov"}, **_H264),
    "fragmented_dash.mp4": _plain(container={"movflags": "dash+global_sidx"}, **_H264),
    "fragmented_frames.mp4": _plain(container={"movflags": "frag_every_frame"}, **_H264),
    "without_index.mkv": _unseekable(**_H264),
    "without_index.webm": _unseekable(gop=25, **_VP9),
    "vp8.webm": _plain(gop=25, codec="libvpx", options={"cpu-used": "8", "auto-alt-ref": "1"}),
    "vp9.webm": _plain(gop=25, **_VP9),
    "vp9.mp4": _plain(gop=25, **_VP9),
    "av1.mp4": _plain(gop=25, codec="libsvtav1", options={"preset": "12"}),
    "interlaced.ts": _plain(
        codec="mpeg2video", gop=12, b_frames=2, options={"flags": "+ilme+ildct"}
    ),
    "interlaced.mp4": _plain(gop=25, b_frames=2, options=_INTERLACED),
    "interlaced.mkv": _plain(gop=25, b_frames=2, options=_INTERLACED),
    "odd_size.mp4": _plain(size=(35, 51), pix_fmt="yuv444p", gop=25, b_frames=2, options=B_FRAMES),
    "open_gop.mp4": _plain(gop=25, b_frames=3, options=OPEN_GOP),
    "open_gop.mkv": _plain(gop=25, b_frames=3, options=OPEN_GOP),
    "open_gop.ts": _plain(gop=25, b_frames=3, options=OPEN_GOP),
    "open_gop.avi": _plain(gop=25, b_frames=3, options=OPEN_GOP),
    "open_gop_cut.ts": _cut(188 * 40, gop=25, b_frames=3, options=OPEN_GOP),
    "hevc.mp4": _plain(gop=25, b_frames=3, **_X265),
    "hevc_open.mp4": _plain(gop=25, b_frames=3, **_X265_OPEN),
    "hevc_open.mkv": _plain(gop=25, b_frames=3, **_X265_OPEN),
    "hevc_open.ts": _plain(gop=25, b_frames=3, **_X265_OPEN),
    **{
        f"intra_refresh.{suffix}": _plain(count=450, gop=25, options=_REFRESHED)
        for suffix in ("mp4", "mkv", "ts", "flv", "avi")
    },
    "mpeg1.mpg": _plain(codec="mpeg1video", gop=12, b_frames=2),
    "mpeg2.mpg": _plain(codec="mpeg2video", gop=12, b_frames=2),
    "mpeg2.mkv": _plain(codec="mpeg2video", gop=12, b_frames=2),
    "mpeg4.mp4": _plain(**_MPEG4),
    "mpeg4.mkv": _plain(**_MPEG4),
    "fixed.mp4": _plain(codec="mpeg4", gop=25, options=FIXED),
    "wmv2.wmv": _plain(codec="wmv2", gop=25),
    "wmv2.asf": _plain(codec="wmv2", gop=25),
    "msmpeg4.avi": _plain(codec="msmpeg4v3", gop=25),
    "mjpeg.avi": _plain(codec="mjpeg", pix_fmt="yuvj420p"),
    "mjpeg.mov": _plain(codec="mjpeg", pix_fmt="yuvj420p"),
    "ffv1.mkv": _plain(codec="ffv1", gop=25),
    "prores.mov": _plain(codec="prores", pix_fmt="yuv422p10le"),
    "qtrle.mov": _plain(codec="qtrle", pix_fmt="rgb24", gop=25),
    "snow.avi": _plain(codec="snow", gop=25),
    "svq1.mov": _plain(codec="svq1", pix_fmt="yuv410p", gop=25),
    "cinepak.avi": _plain(codec="cinepak", pix_fmt="rgb24", gop=25),
    "msvideo1.avi": _plain(codec="msvideo1", pix_fmt="rgb555le", gop=25),
    "flashsv2.flv": _plain(codec="flashsv2", pix_fmt="bgr24", gop=25),
    "utvideo.avi": _plain(codec="utvideo", pix_fmt="yuv420p"),
    "raw.h264": _plain(**_H264),
    "raw.m4v": _plain(**_MPEG4),
    "raw.nut": _plain(**_H264),
    "raw.m2v": _plain(codec="mpeg2video", gop=12, b_frames=2),
    "faststart.mp4": _plain(container={"movflags": "+faststart"}, **_H264),
    "long_gop.mp4": _plain(gop=1000, b_frames=2, options=B_FRAMES),
    "long_gop.mkv": _plain(gop=1000, b_frames=2, options=B_FRAMES),
    **{
        f"{how}_payload.{suffix}": _damaged(how, _plain(**_H264))
        for how in ("zeroed", "flipped", "random")
        for suffix in ("mp4", "mkv", "ts", "flv", "avi", "mov")
    },
    **{
        f"{how}_payload_without_order.{suffix}": _damaged(how, _without_order(**_H264))
        for how in ("zeroed", "flipped", "random")
        for suffix in ("mp4", "flv", "avi")
    },
    **{
        f"{how}_payload_open_gop.{suffix}": _damaged(
            how, _plain(gop=25, b_frames=3, options=OPEN_GOP)
        )
        for how in ("zeroed", "flipped", "random")
        for suffix in ("mp4", "mkv", "ts")
    },
    **{
        f"{how}_payload_{codec}.{suffix}": _damaged(how, _plain(**options))
        for how in ("zeroed", "flipped", "random")
        for codec, suffix, options in (
            ("mpeg4", "mp4", _MPEG4),
            ("vp9", "webm", {"gop": 25, **_VP9}),
        )
    },
}


def make_film(folder: Path, name: str) -> Path:
    """Make one of :data:`FILMS`."""
    return FILMS[name](folder / name)
