import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.features.stores import SPEC, make_spec
from vtlearn.errors import ArgumentError, FeatureError
from vtlearn.media.features.spec import num_vectors, read_metadata, spec_record, write_metadata


def test_a_vector_for_every_moment_and_no_more() -> None:
    assert num_vectors(30.2, fps=1) == 31
    rng = np.random.default_rng(0)
    for fps in (0.5, 1.0, 4.0, 10.0):
        for milliseconds in rng.integers(1, 20_000, 50).tolist():
            # exact arithmetic: how many k there are with k / fps < duration
            ends = Fraction(milliseconds, 1000) * Fraction(fps)
            assert num_vectors(milliseconds / 1000, fps) == sum(1 for k in range(201) if k < ends)


def test_rounding_of_a_duration_makes_no_vector() -> None:
    assert num_vectors(sum([0.1] * 300), fps=1) == 30  # 30.000000000000163
    assert num_vectors(0.0, fps=1) == 1


@pytest.mark.parametrize("duration", [-1.0, float("nan"), float("inf")])
def test_impossible_durations(duration: float) -> None:
    with pytest.raises(ArgumentError, match="cannot last"):
        num_vectors(duration, fps=1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    spec = make_spec(resize=None, fps=4, stride=0.25)
    write_metadata(tmp_path, spec, {"videos": 3})
    assert read_metadata(tmp_path) == (spec, {"videos": 3})


#: A metadata file as it was written before there was ``frame_at``.
BEFORE = """{
  "format": "vtlearn-features",
  "version": 1,
  "backbone": "S3D",
  "weights_sha256": "0000000000000000000000000000000000000000000000000000000000000000",
  "dim": 4,
  "fps": 1.0,
  "stride": 1.0,
  "window": 3.2,
  "num_frames": 32,
  "resize": null,
  "crop": 224,
  "mean": [
    0.0,
    0.0,
    0.0
  ],
  "std": [
    1.0,
    1.0,
    1.0
  ],
  "l2_norm": false,
  "dtype": "float32",
  "layout": {
    "videos": 3
  }
}
"""


def test_a_file_about_frames_on_screen_is_what_it_always_was(tmp_path: Path) -> None:
    spec = make_spec(resize=None)
    write_metadata(tmp_path, spec, {"videos": 3})
    assert (tmp_path / "features.json").read_bytes() == BEFORE.encode()
    assert read_metadata(tmp_path) == (spec, {"videos": 3})
    assert spec.frame_at == "screen"


def test_nearest_frames_are_written_down(tmp_path: Path) -> None:
    spec = make_spec(frame_at="nearest")
    write_metadata(tmp_path, spec, {})
    assert json.loads((tmp_path / "features.json").read_text())["frame_at"] == "nearest"
    assert read_metadata(tmp_path) == (spec, {})
    with pytest.raises(ArgumentError, match="frame_at screen or nearest, got 'last'"):
        make_spec(frame_at="last")


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ([1], r"layout=\[1\] is not a JSON object"),
        ({"videos": "many"}, "videos='many' is not a whole number from 0 on"),
        (
            {"videos": 3, "videos_per_shard": 0},
            "videos_per_shard=0 is not a whole number from 1 on",
        ),
        ({"videos": -1}, "videos=-1 is not a whole number"),
    ],
)
def test_a_layout_that_makes_no_sense(tmp_path: Path, layout: Any, words: str) -> None:
    write_metadata(tmp_path, make_spec(), {})
    path = tmp_path / "features.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layout": layout}))
    with pytest.raises(FeatureError, match=rf"features\.json: .*{words}"):
        read_metadata(tmp_path)


@pytest.mark.parametrize("name", ["format", "version", *SPEC])
def test_a_sidecar_without_a_field_is_refused(tmp_path: Path, name: str) -> None:
    write_metadata(tmp_path, make_spec(), {})
    path = tmp_path / "features.json"
    record = json.loads(path.read_text())
    del record[name]
    path.write_text(json.dumps(record))
    with pytest.raises(FeatureError, match=rf": {name} is missing"):
        read_metadata(tmp_path)


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text('{"fps": 1}')
    with pytest.raises(FeatureError, match=r"backbone, weights_sha256, dim, .* are missing"):
        read_metadata(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "data import"),
        ("[1]", "not hold a JSON object"),
        ("{", "not valid JSON:"),
        ("\xff", "not valid JSON"),
    ],
)
def test_a_sidecar_that_is_none(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "features.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(FeatureError, match=words):
        read_metadata(tmp_path)


def test_another_version(tmp_path: Path) -> None:
    write_metadata(tmp_path, make_spec(), {})
    path = tmp_path / "features.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(FeatureError, match="version 2; this vtlearn reads"):
        read_metadata(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fps": 8.0}, r"fps=8.0 vectors per second lie 0.125 s apart, not stride=1.0"),
        ({"weights_sha256": "unknown"}, "sha256sum"),
        ({"backbone": " "}, "has to name"),
        ({"mean": (0.0,)}, "three numbers"),
        ({"std": (1.0, 1.0, 0.0)}, "std must be positive"),
        ({"std": (1.0, 1.0, "1")}, "not a number"),
        ({"window": True}, "not a number"),
        ({"window": 0.0}, "window must be positive"),
        ({"dim": 512.0}, "not a whole number"),
        ({"resize": 0}, "resize must be positive"),
        ({"l2_norm": "yes"}, "true or false"),
        ({"dtype": "float64"}, "float16 or float32"),
    ],
)
def test_values_that_make_no_sense(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make_spec(**change)
    write_metadata(tmp_path, make_spec(), {})
    path = tmp_path / "features.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FeatureError, match=words):
        read_metadata(tmp_path)


def test_the_clock_is_left_out_where_it_is_that_of_former_versions() -> None:
    assert "clock" not in spec_record(make_spec())
    assert spec_record(make_spec(clock="start"))["clock"] == "start"
    with pytest.raises(ArgumentError, match="expected clock stream or start, got 'wall'"):
        make_spec(clock="wall")
