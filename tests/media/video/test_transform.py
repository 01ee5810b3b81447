import hashlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from tests.media.video.videos import NUMBERED, noise, note_calls, numbers, plain
from tests.media.video.writing import write_video
from vtlearn.errors import ArgumentError
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.transform import FrameTransform


def test_colours(tmp_path: Path) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 200, 90]])
    pictures = np.broadcast_to(colours[:, None, None], (5, 32, 48, 3)).astype(np.uint8)
    path = write_video(tmp_path / "a.mp4", pictures)
    clips = VideoReader().clips(path, [0.0], num_frames=5, fps=25, size=16)
    found = clips.frames[0].double().mean((2, 3)).numpy()
    assert np.abs(found - colours).max() < 4


def test_the_centre_is_cropped_before_scaling(tmp_path: Path) -> None:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, 16:48] = 200
    path = write_video(tmp_path / "a.mp4", picture[None])
    clips = VideoReader().clips(path, [0.0], num_frames=1, fps=1, size=16)
    assert (clips.frames.double() - 200).abs().max() <= 4


def test_boxes_are_cropped_exactly_and_one_a_clip(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(30, 48), pix_fmt="yuv444p")
    _, pictures = plain(path)
    boxes = torch.tensor([[0, 0, 20, 20], [5, 7, 20, 20], [28, 28, 20, 20]])
    clips = VideoReader().clips(path, [0.4, 0.4, 1.0], num_frames=1, fps=1, size=20, crop=boxes)
    for clip, number, (top, left, _, _) in zip(
        clips.frames[:, 0], [10, 10, 25], boxes, strict=True
    ):
        assert torch.equal(clip, pictures[number, :, top : top + 20, left : left + 20])


def test_a_box_that_leaves_the_picture_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [100])
    with pytest.raises(ArgumentError, match="32 pixels high and 32 wide"):
        VideoReader().clips(path, [0.0], num_frames=1, fps=1, size=8, crop=[(0, 1, 32, 32)])


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_and_mirrored_files_come_out_upright(
    rotation: int, mirror: bool, tmp_path: Path
) -> None:
    picture = noise(1, 32)[:, :, :24]
    _, (recorded,) = plain(write_video(tmp_path / "plain.mp4", picture, pix_fmt="yuv444p"))
    path = write_video(
        tmp_path / "a.mp4", picture, pix_fmt="yuv444p", rotation=rotation, mirror=mirror
    )
    upright = recorded.rot90(rotation // 90, (1, 2))
    upright = upright.flip(2) if mirror else upright
    info = VideoReader().probe(path)
    assert (info.height, info.width) == upright.shape[1:]
    assert mirror or info.rotation == rotation
    boxes = [(1, 2, 20, 20), (0, 4, 20, 20)]
    clips = VideoReader().clips(path, [0.0, 0.0], num_frames=1, fps=1, size=20, crop=boxes)
    assert torch.equal(clips.frames[0, 0], upright[:, 1:21, 2:22])
    assert torch.equal(clips.frames[1, 0], upright[:, 0:20, 4:24])


def test_a_frame_shown_often_is_converted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    transformed = note_calls(monkeypatch, FrameTransform, "_transform")
    clips = VideoReader().clips(path, [0.0, 0.0, 0.04], num_frames=10, fps=250, size=8)
    assert len(transformed) == 2
    np.testing.assert_array_equal(numbers(clips.frames), [[0] * 10, [0] * 10, [1] * 10])


@pytest.mark.parametrize("size", [17, 24, 32, 40, 88, 120])
def test_what_is_not_scaled_is_converted_whole(size: int, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:120, :120]
    picture = np.stack([rows * 2, columns * 2, 240 - rows - columns], -1).astype(np.uint8)
    path = write_video(tmp_path / "a.mp4", picture[None])
    with av.open(path) as container:
        whole = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    clips = VideoReader().clips(
        path, [0.0], num_frames=1, fps=1, size=size, crop=[(0, 0, size, size)]
    )
    difference = np.abs(clips.frames[0, 0].permute(1, 2, 0).numpy() - whole[:size, :size])
    assert difference.mean((0, 2)).max() < 3  # in every column


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p"])
def test_full_range_is_not_taken_for_the_narrow_one(pix_fmt: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 125, 250], pix_fmt=pix_fmt)
    clips = VideoReader().clips(path, [0.0], num_frames=3, fps=25, size=16)
    assert numbers(clips.frames)[0].tolist() == [0, 25, 50]


STILLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
    "jpeg_420": ("JPEG", "RGB", {"quality": 95}),
    "jpeg_progressive": ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "progressive": True}),
    "jpeg_grey": ("JPEG", "L", {"quality": 95}),
    "jpeg_turned": ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "orientation": 6}),
    "jpeg_mirrored": ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "orientation": 5}),
    "png": ("PNG", "RGB", {}),
    "png_palette": ("PNG", "P", {}),
    "png_alpha": ("PNG", "RGBA", {}),
    "webp": ("WEBP", "RGB", {"lossless": True}),
    "webp_lossy": ("WEBP", "RGB", {"quality": 95}),
}


@pytest.mark.parametrize("name", STILLS)
def test_a_still_picture_is_a_video_of_one_frame(name: str, tmp_path: Path) -> None:
    kind, mode, options = STILLS[name]
    rows, columns = np.mgrid[:90, :120]
    picture = np.stack([rows * 2.8, columns * 2.1, 255 - rows - columns], -1)
    picture[20:40, 30:60], picture[40:60, 30:60] = (255, 255, 255), (0, 0, 0)
    exif = Image.Exif()
    exif[0x112] = options.pop("orientation", 1)
    path = tmp_path / f"%d.{kind.lower()}"  # no pattern
    Image.fromarray(picture.astype(np.uint8)).convert(mode).save(path, kind, exif=exif, **options)
    whole = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")).astype(int)
    height, width, _ = whole.shape
    box = [(height - 72) // 2, (width - 72) // 2, 72, 72]
    wanted = whole[box[0] : box[0] + 72, box[1] : box[1] + 72]
    for source in (path, VideoBytes("a", path.read_bytes())):
        info = VideoReader().probe(source)
        assert (info.width, info.height) == (width, height)
        clips = VideoReader().clips(
            source, [-1.0, 0.0, 5.0], num_frames=2, fps=1, size=72, crop=[box] * 3
        )
        assert clips.valid.all()
        for frame in clips.frames.flatten(0, 1):
            assert np.abs(frame.permute(1, 2, 0).numpy() - wanted).mean() < 2.5


@pytest.mark.parametrize(
    ("width", "pix_fmt"), [(32, "yuv420p"), (34, "yuv420p"), (51, "yuv444p"), (34, "yuv420p10le")]
)
def test_the_hash_is_of_all_frames_without_padding(
    width: int, pix_fmt: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED, size=(32, width), pix_fmt=pix_fmt)
    wanted = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.format.name == pix_fmt
            wanted.update(frame.to_ndarray().tobytes())
    reader = VideoReader()
    for source in (path, path, VideoBytes("a", path.read_bytes())):
        assert reader.hash_frames(source) == wanted.hexdigest()
