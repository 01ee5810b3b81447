import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.given_vectors import GivenVectors, read_vectors

VIDEO, TEXT = np.arange(6.0).reshape(3, 2), np.ones((2, 2))
ARRAYS: dict[str, Any] = {
    "video": VIDEO,
    "text": TEXT,
    "video_ids": np.array(["u", "v", "w"]),
    "text_ids": np.array(["s", "t"]),
}
IDS = {"video_ids": json.dumps(["u", "v", "w"]), "text_ids": json.dumps(["s", "t"])}


def npz(folder: Path, **changed: Any) -> Path:
    arrays = {name: array for name, array in (ARRAYS | changed).items() if array is not None}
    np.savez(folder / "vectors.npz", **arrays)
    return folder / "vectors.npz"


def safetensors(folder: Path, **changed: Any) -> Path:
    metadata = {name: text for name, text in (IDS | changed).items() if text is not None}
    tensors = {"video": torch.from_numpy(VIDEO), "text": torch.from_numpy(TEXT)}
    save_file(tensors, folder / "vectors", metadata=metadata)
    return folder / "vectors"


@pytest.mark.parametrize("save", [npz, safetensors])
def test_what_is_written_is_read(save: Any, tmp_path: Path) -> None:
    given = read_vectors(save(tmp_path))
    assert (given.video_ids, given.text_ids) == (["u", "v", "w"], ["s", "t"])
    assert torch.equal(given.video, torch.from_numpy(VIDEO))
    assert torch.equal(given.text, torch.from_numpy(TEXT))
    assert (given.from_similarity, given.dtype) == (False, "float64")


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("float16", "float16"), ("<f4", "float32"), (">f4", "float64"), ("int64", "float64")],
)
def test_numbers_of_any_kind_are_read(dtype: str, kept: str, tmp_path: Path) -> None:
    given = read_vectors(npz(tmp_path, video=VIDEO.astype(dtype), text=TEXT.astype(dtype)))
    assert given.dtype == kept
    assert given.video.tolist() == VIDEO.tolist()


def test_bfloat16_stays(tmp_path: Path) -> None:
    tensors = {
        name: torch.ones(len(json.loads(IDS[f"{name}_ids"])), 2) for name in ("video", "text")
    }
    path = tmp_path / "x.safetensors"
    save_file({name: one.bfloat16() for name, one in tensors.items()}, path, metadata=IDS)
    assert read_vectors(path).dtype == "bfloat16"


def test_dot_products_are_the_similarities(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    given = read_vectors(npz(tmp_path, video=None, text=None, similarity=matrix))
    assert given.from_similarity
    assert torch.equal(given.text @ given.video.T, torch.from_numpy(matrix))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"video": None},
            "it has no video; it needs video, text, video_ids and text_ids",
        ),
        ({"video": None, "text_ids": None}, "it has no text_ids and no video"),
        ({"similarity": np.ones((2, 3))}, "it has similarity as well as vectors"),
        (
            {"video": VIDEO[:2]},
            r"video has shape \(2, 2\) and video_ids 3 ids; expected \(ids, dim",
        ),
        ({"text": TEXT[0]}, r"text has shape \(2,\) and text_ids 2 ids"),
        ({"text": np.ones((2, 5))}, "video has vectors of width 2 and text of width 5"),
        ({"video": [[0, 1], [np.nan, 1], [1, np.inf]]}, r"2 vectors of video .* \(first: v, w\)"),
        ({"text_ids": np.array(["t", "t"])}, r"1 text ids come more than once \(first: t\)"),
        ({"text_ids": np.array([1, 2])}, r"text_ids has shape \(2,\) and dtype int64; expected"),
        ({"text_ids": np.array([["s", "t"]])}, r"text_ids has shape \(1, 2\)"),
        ({"text": np.array([["s", "t"]] * 2)}, "text has dtype <U1; expected numbers"),
        ({"text_ids": np.array(["s", "t"], object)}, "text_ids is a pickled array of objects"),
        ({"video": np.array([[1, 2], [3]], object)}, "video is a pickled array of objects"),
    ],
)
def test_what_cannot_be_scored_is_said(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=words) as raised:
        read_vectors(npz(tmp_path, **changed))
    assert str(raised.value).startswith(f"{tmp_path / 'vectors.npz'}: ")


@pytest.mark.parametrize(
    ("similarity", "words"),
    [
        (np.ones((3, 2)), r"shape \(3, 2\); expected \(texts, videos\), \(2, 3\); transpose it"),
        (np.ones((3, 3)), r"shape \(3, 3\); expected \(texts, videos\), \(2, 3\)$"),
        (
            [[0, 1, 2], [0, np.nan, 1]],
            r"1 similarities .* \(first: that of text 't' and vid",
        ),
    ],
)
def test_similarities_that_cannot_be_scored(similarity: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=words):
        read_vectors(npz(tmp_path, video=None, text=None, similarity=similarity))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"video_ids": None}, "it has no video_ids"),
        ({"video_ids": "u v w"}, "video_ids in its metadata is not JSON"),
        ({"video_ids": '{"u": 1}'}, "video_ids in its metadata is not a JSON list of strings"),
        ({"video_ids": "[1, 2, 3]"}, "video_ids in its metadata is not a JSON list of strings"),
    ],
)
def test_metadata_that_cannot_be_ids(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=words):
        read_vectors(safetensors(tmp_path, **changed))


def test_files_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    np.save(tmp_path / "bare.npy", VIDEO)
    for content in (b"", b"text", pickle.dumps({"video": 1}), (tmp_path / "bare.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(EvaluationError, match=r"neither an \.npz nor a \.safetensors file"):
            read_vectors(path)
    with pytest.raises(FileNotFoundError):
        read_vectors(tmp_path / "absent.npz")


def test_a_file_that_was_cut_short_or_changed(tmp_path: Path) -> None:
    whole = npz(tmp_path).read_bytes()
    path = tmp_path / "broken.npz"
    at = whole.index(b"\x93NUMPY") + 130
    method = whole.index(b"PK\x01\x02") + 10  # of compression, in the list of members
    for content in (
        whole[: len(whole) // 2],
        whole[:at] + b"\xff" + whole[at + 1 :],
        whole[:method] + b"\x63" + whole[method + 1 :],
    ):
        path.write_bytes(content)
        with pytest.raises(EvaluationError, match=r"it cannot be read as an \.npz: "):
            read_vectors(path)


def test_none_of_a_kind_is_a_width_apart() -> None:
    with pytest.raises(EvaluationError, match="width 2 and text of width 0"):
        GivenVectors.of(["v"], torch.ones(1, 2), [], torch.ones(0, 0))
