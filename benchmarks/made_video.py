"""A file that looks like a video off the web, to decode."""

from collections.abc import Iterator
from pathlib import Path

import av  # noqa: TID251 - encodes
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH, RATE, GOP = 360, 640, 30, 150  # a keyframe at least every five seconds

Pixels = NDArray[np.uint8]


def encode(path: Path, seconds: int) -> Path:
    """Encode what looks like a video off the web: cuts, pans, moving things, grain and sound."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as output:
        video = output.add_stream("libx264", RATE, options={"preset": "medium", "crf": "26"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.gop_size = GOP
        audio = output.add_stream("aac", 44100)
        heard = 0
        for number, picture in enumerate(pictures(rng, seconds * RATE)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            output.mux(video.encode(frame))
            while heard * RATE < number * 44100:
                noise = rng.normal(0, 0.1, (1, 1024)).astype(np.float32)
                sound = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
                sound.sample_rate, sound.pts = 44100, heard
                output.mux(audio.encode(sound))
                heard += 1024
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    return path


def pictures(rng: np.random.Generator, count: int) -> Iterator[Pixels]:
    """Film scenes of 3 to 10 seconds."""
    while count > 0:
        length = min(count, int(rng.integers(3 * RATE, 10 * RATE)))
        count -= length
        yield from scene(rng, length)


def scene(rng: np.random.Generator, count: int) -> Iterator[Pixels]:
    """Film a background that moves slowly, with five things crossing it, and grain."""
    background, pan, things = texture(rng), rng.normal(0, 1, 2), rng.normal(0, 1, (5, 8))
    for number in range(count):
        offset = np.clip(pan * number, -99, 99).astype(int) + 100
        picture = background[offset[0] : offset[0] + HEIGHT, offset[1] : offset[1] + WIDTH].copy()
        for thing in things:
            where = (thing[:2] * 200 + thing[2:4] * 3 * number).astype(int)
            top, left = where % (HEIGHT, WIDTH)
            reach = int(30 + 10 * abs(thing[4]))
            patch = picture[top : top + reach, left : left + reach]
            patch[:] = 0.3 * patch + 0.7 * (128 + 60 * thing[5:])
        picture += rng.normal(0, 3, (HEIGHT, WIDTH, 1)).astype(np.float32)
        yield picture.clip(0, 255).astype(np.uint8)


def texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Lay coarse and fine blocks over each other, larger than a picture by 200 pixels."""
    height, width = HEIGHT + 200, WIDTH + 200
    whole = np.full((height, width, 3), 128, np.float32)
    for block, contrast in ((4, 20), (16, 40), (64, 80)):
        colours = rng.normal(0, contrast, (height // block + 1, width // block + 1, 3))
        fine = colours.repeat(block, 0).repeat(block, 1)[:height, :width]
        rolled = [np.roll(fine, (y, x), (0, 1)) for y in (0, block // 2) for x in (0, block // 2)]
        whole += np.mean(rolled, 0).astype(np.float32)
    return whole
