import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vtlearn.errors import ArgumentError
from vtlearn.pages import PageCaption, alignment_page, videos

CAPTIONS = [
    PageCaption("chop the carrot", 0.0, 2.0, 4.0, 6.0, True, 0.75, (3.5, 6.5)),
    PageCaption("hello </script><!--", 3.0, 4.0, 3.0, 4.0, False, float("nan")),
]
SPANS = torch.tensor([[0.0, 4.0], [2.0, 6.0], [4.0, 8.0]], dtype=torch.float64)
COST = torch.tensor([[1.0, 0.0], [0.5, float("inf")], [0.25, 1.0]])
PATH = torch.tensor([[0, 0], [1, 0], [2, 1], [-1, -1]])


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "a video.mp4"
    path.write_bytes(b"these are bytes")
    return path


def read(html: str) -> dict[str, Any]:
    (stored,) = re.findall(r'id="data">(.*?)</script>', html, re.S)
    data: dict[str, Any] = json.loads(stored)
    return data


def matrix(packed: dict[str, Any]) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(packed["values"]), "<u2").astype(float)
    values[values == 65535] = np.nan
    low, high = float(packed["low"]), float(packed["high"])
    return low + values / 65534 * (high - low)


def test_what_the_script_reads(video: Path) -> None:
    expected = COST.new_tensor([[1.0, 0.0], [0.2, 0.8], [0.0, 1.0]]).bfloat16()
    data = read(alignment_page(video, CAPTIONS, SPANS, COST, expected, PATH, title="a <b>"))
    assert data["title"] == "a <b>"
    assert data["windows"] == SPANS.tolist()
    assert data["path"] == [[0, 0], [1, 0], [2, 1]]
    assert data["captions"] == [
        {
            "text": "chop the carrot",
            "spoken": [0.0, 2.0],
            "aligned": [4.0, 6.0],
            "matched": True,
            "confidence": 0.75,
            "truth": [3.5, 6.5],
        },
        {
            "text": "hello </script><!--",
            "spoken": [3.0, 4.0],
            "aligned": [3.0, 4.0],
            "matched": False,
            "confidence": None,
            "truth": None,
        },
    ]
    cost = matrix(data["matrices"]["cost"])
    assert cost == pytest.approx([1, 0, 0.5, np.nan, 0.25, 1], abs=2e-5, nan_ok=True)
    assert matrix(data["matrices"]["expected"]) == pytest.approx(
        expected.double().flatten().numpy(), abs=2e-5
    )


def test_a_small_video_is_within_the_page(video: Path) -> None:
    html = alignment_page(video, CAPTIONS, SPANS, COST, None, None, title="")
    (attached,) = re.findall(r'id="attachment">(.*?)</script>', html)
    assert base64.b64decode(attached) == b"these are bytes"
    data = read(html)
    assert data["video"]["address"] is None
    assert (list(data["matrices"]), data["path"]) == (["cost"], [])
    assert "media-src blob:;" in html


def test_a_large_video_or_an_unwanted_one_is_linked(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def linked(**options: Any) -> str:
        html = alignment_page(video, CAPTIONS, SPANS, COST, None, PATH, title="", **options)
        assert 'id="attachment"></script>' in html
        return str(read(html)["video"]["address"])

    assert linked(embed_video=False, folder=tmp_path / "pages") == "../a%20video.mp4"
    monkeypatch.setattr(videos, "MAX_EMBED_BYTES", 4)
    assert linked() == video.as_uri()


def test_arrays_are_as_good_as_tensors_and_equal_values_no_division_by_zero(video: Path) -> None:
    flat = np.full((3, 2), 0.5)
    data = read(alignment_page(video, CAPTIONS, SPANS.numpy(), flat, None, None, title=""))
    assert matrix(data["matrices"]["cost"]).tolist() == [0.5] * 6


def test_what_does_not_fit_is_refused(video: Path) -> None:
    def build(spans: torch.Tensor, cost: torch.Tensor, path: torch.Tensor) -> None:
        alignment_page(video, CAPTIONS, spans, cost, None, path, title="")

    with pytest.raises(ArgumentError, match=r"cost has shape \(2, 3\).* 3 windows and 2 captions"):
        build(SPANS, COST.T, PATH)
    with pytest.raises(ArgumentError, match=r"window_spans of shape \(windows, 2\), got \(3,\)"):
        build(SPANS[:, 0], COST, PATH)
    with pytest.raises(ArgumentError, match=r"through 3 windows and 2 captions, got \(4, 2\), up"):
        build(SPANS, COST, PATH.flip(1))
