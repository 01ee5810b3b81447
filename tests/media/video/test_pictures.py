"""Pictures of every kind, and the ways in which they come broken."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.media.video.writing import write_video
from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video.pictures import PictureFile, is_picture
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader


def picture(seed: int = 0, height: int = 48, width: int = 64) -> Image.Image:
    rng = np.random.default_rng(seed)
    pixels = np.kron(rng.integers(0, 255, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    return Image.fromarray(pixels.astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shown(data: bytes, size: int = 16) -> np.ndarray:
    """What a reader shows of a picture, (size, size, 3), as ints."""
    clips = VideoReader().clips(VideoBytes("a", data), [0.0], num_frames=1, fps=1, size=size)
    assert clips.valid.all()
    return clips.frames[0, 0].permute(1, 2, 0).numpy().astype(int)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("left", [0.02, 1 / 6, 0.5, 0.9])
def test_a_picture_that_was_cut_off_is_unreadable(kind: str, left: float, tmp_path: Path) -> None:
    whole = encoded(picture(), kind)
    path = tmp_path / "3141592653"
    path.write_bytes(whole[: max(16, int(left * len(whole)))])
    for source in (path, VideoBytes("3141592653", path.read_bytes())):
        with pytest.raises(UnreadableVideoError, match="3141592653 cannot be read: ") as raised:
            VideoReader().clips(source, [0.0], num_frames=1, fps=1, size=16)
        assert raised.value.stage in ("open", "decode")
        with pytest.raises(UnreadableVideoError):
            VideoReader().probe(source)


def test_the_stage_says_how_far_reading_came() -> None:
    whole = encoded(picture(height=480, width=640), "JPEG")
    for data, stage in ((whole[: len(whole) // 2], "decode"), (whole[:20], "open")):
        with pytest.raises(UnreadableVideoError) as raised:
            VideoReader().probe(VideoBytes("a.jpg", data))
        assert raised.value.stage == stage


def test_a_process_that_can_be_killed_reads_pictures_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture(), "PNG"))
    arguments: dict[str, Any] = {"num_frames": 2, "fps": 1, "size": 16}
    with SubprocessVideoReader(60.0) as reader:
        clips = reader.clips(path, [0.0], **arguments)
        assert clips.frames.equal(VideoReader().clips(path, [0.0], **arguments).frames)
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(UnreadableVideoError, match="truncated"):
            reader.clips(path, [0.0], **arguments)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_pixels_become_white(kind: str) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, :16] = (200, 0, 0, 255)  # the right half is black, and transparent
    pixels[:8, 16:] = (0, 0, 0, 128)  # or half of it
    found = shown(encoded(Image.fromarray(pixels), kind, lossless=True), 32)
    assert np.abs(found[16:, :14] - (200, 0, 0)).max() < 8
    assert found[12:, 20:].min() > 250
    assert np.abs(found[:4, 20:] - 127).max() < 8


def test_a_transparent_colour_of_a_palette_becomes_white() -> None:
    palette = Image.new("P", (32, 32), 0)
    palette.putpalette([0, 0, 0, 0, 200, 0])
    palette.paste(1, (0, 0, 16, 32))
    found = shown(encoded(palette, "PNG", transparency=0), 32)
    assert np.abs(found[:, :14] - (0, 200, 0)).max() < 8
    assert found[:, 18:].min() > 250


def test_a_picture_too_large_for_memory_is_unreadable() -> None:
    whole = encoded(picture(), "PNG")
    header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + whole[24:29]
    data = whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]
    with pytest.raises(UnreadableVideoError, match=r"exceeds limit of \d+ pixels"):
        shown(data)


def test_of_an_animation_it_is_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    for kind in ("WEBP", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        assert np.abs(shown(data) - (255, 0, 0)).max() < 8
        path = tmp_path / "a"
        path.write_bytes(data)
        assert VideoReader().probe(path).duration == pytest.approx(0.04)


def test_a_gif_that_moves_is_a_video() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200)
    source = VideoBytes("a.gif", data)
    clips = VideoReader().clips(source, [0.0], num_frames=3, fps=5, size=16)
    assert clips.frames[0].float().mean((2, 3)).argmax(1).tolist() == [0, 1, 2]
    assert not is_picture(source)
    assert is_picture(VideoBytes("b.gif", encoded(frames[0], "GIF")))


@pytest.mark.parametrize("dtype", ["uint16", ">u2"])
def test_grey_levels_of_16_bits_are_scaled(dtype: str) -> None:
    levels = np.tile(np.linspace(0, 65535, 64).astype(dtype), (64, 1))
    found = shown(encoded(Image.fromarray(levels.astype("uint16")), "PNG"), 64)
    assert np.abs(found[..., 0] - np.linspace(0, 255, 64)).max() < 3


def test_four_inks_become_rgb() -> None:
    expected = np.asarray(picture().convert("CMYK").convert("RGB").resize((16, 12)))
    found = shown(encoded(picture().convert("CMYK"), "JPEG", quality=95))
    assert abs(found.mean() - expected.mean()) < 20


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_leaves_a_picture_as_it_is() -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12")
    assert np.array_equal(shown(data), shown(encoded(picture(), "JPEG")))


def test_a_picture_is_decoded_once_for_its_size_and_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bool] = []
    begin = PictureFile.begin

    def note(file: PictureFile) -> None:
        begun.append(file.is_as_new())
        begin(file)

    monkeypatch.setattr(PictureFile, "begin", note)
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(picture(), "JPEG"))
    reader = VideoReader()
    info = reader.probe(path)
    reader.clips(path, [0.0], num_frames=1, fps=1, size=16)
    assert (info.width, info.height, info.rotation) == (64, 48, 0)
    assert begun == [False, True]


def test_what_is_a_picture_is_told_by_its_content(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [0, 50])
    (tmp_path / "b.mp4").write_bytes(encoded(picture(), "JPEG"))  # goes to FFmpeg, as ever
    (tmp_path / "c").write_bytes(encoded(picture(), "JPEG"))
    (tmp_path / "d.jpg").write_text("<html>404</html>")
    found = [is_picture(tmp_path / name) for name in ("b.mp4", "c", "d.jpg", "absent", "\0")]
    assert found == [False, True, False, False, False]
    assert not is_picture(video)
    with pytest.raises(UnreadableVideoError, match=r"d\.jpg cannot be read: Invalid data"):
        VideoReader().probe(tmp_path / "d.jpg")
