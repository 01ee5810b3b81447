"""Small videos for tests, whose grey level tells which frame is shown."""

import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.typing import NDArray

__all__ = [
    "edit_parts",
    "forget_order",
    "grey",
    "join_clocks",
    "join_programs",
    "join_streams",
    "shift_clock",
    "write_audio",
    "write_palette",
    "write_video",
]

_FLV_HEADER = 13  # bytes before the first tag
_TS_PACKET = 188  # bytes


def grey(level: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture of one grey level, (height, width, 3)."""
    return np.full((height, width, 3), level, np.uint8)


def write_video(
    path: Path,
    pictures: Sequence[int] | NDArray[np.uint8],
    *,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (32, 32),
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    gop: int = 250,
    b_frames: int = 0,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    mirror: bool = False,
    options: Mapping[str, str] | None = None,
    container: Mapping[str, str] | None = None,
    sound: float = 0,
    plain: int = 0,
) -> Path:
    """Encode pictures, or grey levels, to a video file.

    ``size`` is (height, width) of pictures given as levels; ``pts`` are in units of ``time_base``,
    frame numbers over the rate unless given; ``rotation`` is counter-clockwise and takes place when
    the file is shown, ``mirror`` after it; ``sound`` is how many seconds of silence there are,
    ``plain`` how many of the first frames are no B-frames.
    """
    frames = pictures if isinstance(pictures, np.ndarray) else [grey(i, *size) for i in pictures]
    unit = time_base or 1 / Fraction(rate)
    with av.open(path, "w", options=dict(container or {})) as output:
        stream = output.add_stream(codec, rate=Fraction(rate), options=_options(codec, options))
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.time_base = unit
        stream.time_base = unit
        stream.codec_context.thread_count = 1
        if rotation or mirror:
            stream.set_display_rotation(rotation, hflip=mirror)
        silence = output.add_stream("libopus", rate=48000) if sound else None
        for number in range(round(sound * 50) if silence else 0):  # the muxer interleaves
            assert silence is not None
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), "s16", "stereo")
            heard.sample_rate, heard.pts = 48000, number * 960
            output.mux(silence.encode(heard))
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number if pts is None else pts[number]
            frame.time_base = unit
            if 0 < number < plain:
                frame.pict_type = PictureType.P
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if silence is not None:
            output.mux(silence.encode(None))
    return path


def shift_clock(path: Path, shifted: Path, *, seconds: float) -> Path:
    """Copy the packets of a video to another file, whose clock starts so much later."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(path) as source, av.open(shifted, "w", options=options) as output:
        copies = {
            stream.index: output.add_stream_from_template(stream)
            for stream in (*source.streams.video, *source.streams.audio)
        }
        for packet in source.demux():
            if packet.size and packet.time_base:
                ticks = round(seconds / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts + ticks
                packet.dts = None if packet.dts is None else packet.dts + ticks
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
    return shifted


def forget_order(path: Path, forgetful: Path) -> Path:
    """Copy a video of 25 frames per second, without when its frames are shown, only decoded."""
    with av.open(path) as source, av.open(forgetful, "w") as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        for number, packet in enumerate(packets):
            packet.time_base = Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.duration = 1
            packet.stream = copy
            output.mux(packet)
    return forgetful


def edit_parts(path: Path, edited: Path, parts: Sequence[tuple[float, float]]) -> Path:
    """Copy an MP4 file of one stream, to play some parts: when each starts, and for how long."""
    content = bytearray(path.read_bytes())
    boxes = {name: content.index(name) - 4 for name in (b"moov", b"mvhd", b"trak", b"tkhd")}
    boxes |= {name: content.index(name) - 4 for name in (b"edts", b"elst", b"mdhd")}
    assert content.index(b"mdat") < boxes[b"moov"]  # or what comes later would move

    def number(box: bytes, place: int) -> int:
        (found,) = struct.unpack_from(">I", content, boxes[box] + place)
        return int(found)

    scale, ticks, old = number(b"mvhd", 20), number(b"mdhd", 20), number(b"elst", 0)
    delay = number(b"elst", 20)  # of decoding, which parts count with
    entries = [(round(s * scale), round(t * ticks) + delay, 1 << 16) for t, s in parts]
    body = b"".join(struct.pack(">IiI", *entry) for entry in entries)
    new = struct.pack(">I4sII", 16 + len(body), b"elst", 0, len(parts)) + body
    for box, place in ((b"mvhd", 24), (b"tkhd", 28)):
        whole = round(sum(seconds for _, seconds in parts) * scale)
        struct.pack_into(">I", content, boxes[box] + place, whole)
    for box in (b"moov", b"trak", b"edts"):
        struct.pack_into(">I", content, boxes[box], number(box, 0) + len(new) - old)
    content[boxes[b"elst"] : boxes[b"elst"] + old] = new
    edited.write_bytes(content)
    return edited


def join_clocks(parts: Sequence[Path], joined: Path) -> Path:
    """Put one MPEG-TS or FLV file behind another, so that the clock starts again within it."""
    skipped = _FLV_HEADER if joined.suffix == ".flv" else 0
    first, *others = [part.read_bytes() for part in parts]
    joined.write_bytes(b"".join([first, *(other[skipped:] for other in others)]))
    return joined


def join_streams(
    parts: Sequence[Path], joined: Path, *, default: int | None = None, cover: int | None = None
) -> Path:
    """Put the videos of several files beside one another, as the streams of one.

    ``default`` is the number of the stream that is marked so, ``cover`` of the one marked as cover
    art; of Matroska, cover art is a JPEG that is attached, last.
    """
    marks: list[Disposition] = [Disposition(0) for _ in parts]
    if default is not None:
        marks[default] |= Disposition.default
    if cover is not None:
        marks[cover] |= Disposition.attached_pic
    attached = cover if joined.suffix == ".mkv" else None
    with ExitStack() as opened, av.open(joined, "w") as output:
        packets: list[tuple[float, av.Packet[VideoStream]]] = []
        for number, (part, mark) in enumerate(zip(parts, marks, strict=True)):
            source = opened.enter_context(av.open(part))
            stream = source.streams.video[0]
            mine = [packet for packet in source.demux(stream) if packet.size]
            if number == attached:
                output.add_attachment("cover.jpg", "image/jpeg", bytes(mine[0]))
                continue
            copy = output.add_stream_from_template(stream)
            copy.disposition = mark
            for packet in mine:
                assert packet.dts is not None
                assert packet.time_base is not None
                packets.append((float(packet.dts * packet.time_base), packet))
                packet.stream = copy
        for _, packet in sorted(packets, key=lambda timed: timed[0]):
            output.mux(packet)
    return joined


def join_programs(parts: Sequence[Path], joined: Path) -> Path:
    """Make one MPEG-TS file of several, one program each.

    They have to be written with different ``mpegts_service_id``, ``mpegts_pmt_start_pid`` and
    ``mpegts_start_pid``.
    """
    packets = [
        [content[at : at + _TS_PACKET] for at in range(0, len(content), _TS_PACKET)]
        for content in (part.read_bytes() for part in parts)
    ]
    tables = [next(one for one in each if _pid(one) == 0) for each in packets]
    entries = b"".join(table[13:17] for table in tables)  # one each: a program and the place of its
    section = b"\x00" + struct.pack(">H", 0xB000 | (9 + len(entries))) + tables[0][8:13] + entries
    section += struct.pack(">I", _crc32_mpeg(section))
    table = (tables[0][:5] + section).ljust(_TS_PACKET, b"\xff")
    own = [[one for one in each if _pid(one) not in (0, 0x11)] for each in packets]
    spread = [
        (number / len(each), which, one)
        for which, each in enumerate(own)
        for number, one in enumerate(each)
    ]
    joined.write_bytes(b"".join([table, *(one for _, _, one in sorted(spread))]))
    return joined


def _pid(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def _crc32_mpeg(data: bytes) -> int:
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C11DB7 if rest >> 31 else 0)) & 0xFFFFFFFF
    return rest


def write_palette(
    path: Path, levels: Sequence[int], codec: str, *, gop: int = 25, changing: bool = False
) -> Path:
    """Encode 16x16 grey levels as places in a palette, 25 frames per second.

    The palette is the same for all frames, or every 40 frames another one.
    """
    greys = np.arange(256, dtype=np.uint8)[:, None].repeat(4, 1)
    greys[:, 0] = 255
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt, stream.gop_size = 16, 16, "pal8", gop
        for number, level in enumerate(levels):
            turn = number // 40 * 50 if changing else 0
            places = np.full((16, 16), (level + turn) % 256, np.uint8)
            palette = np.roll(greys, turn, 0)  # at each place is the level less the turn
            frame = av.VideoFrame.from_ndarray((places, palette), format="pal8")  # type: ignore[arg-type]
            frame.pts = number
            frame.time_base = Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _options(codec: str, options: Mapping[str, str] | None) -> dict[str, str]:
    if codec == "libx264":
        fine = {"preset": "ultrafast", "crf": "10"}
    else:
        fine = {"qmax": "2"} if codec.startswith("mpeg") else {}
    return fine | dict(options or {})


def write_audio(path: Path, seconds: int = 1) -> Path:
    """Encode silence to a file without video."""
    with av.open(path, "w") as output:
        stream = output.add_stream("aac", rate=8000)
        for number in range(seconds * 8):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1000), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate = 8000
            frame.pts = number * 1000
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
