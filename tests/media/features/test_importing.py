import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media.features.stores import make_spec
from vtlearn.batch import Unreadable
from vtlearn.errors import ArgumentError, FeatureError, UnreadableVideoError
from vtlearn.media.features.importing import (
    common_kind,
    feature_files,
    import_features,
    kind_of,
)
from vtlearn.media.features.reader import FeatureReader

Rows = NDArray[Any]


def rows(count: int, dim: int = 4, dtype: str = "float16", seed: int = 0) -> Rows:
    vectors: Rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(dtype)
    return vectors


def unit(count: int) -> Rows:
    vectors = rows(count, dtype="float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype("float16")


def bring(
    folder: Path, files: dict[str, Rows], *, durations: dict[str, float] | None = None, **spec: Any
) -> FeatureReader:
    """Save files, import all of them in shards of two, and open the store."""
    names = ("tolerance", "max_unreadable_fraction")
    options = {"max_unreadable_fraction": 0.0}
    options |= {key: spec.pop(key) for key in names if key in spec}
    for name, vectors in files.items():
        path = folder / "bare" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    import_features(
        feature_files(folder / "bare"),
        folder / "store",
        make_spec(**{"dtype": "float16"} | spec),
        durations=durations,
        videos_per_shard=2,
        show_progress=False,
        **options,
    )
    return FeatureReader(folder / "store")


def test_every_name_and_every_value_is_kept(tmp_path: Path) -> None:
    files = {
        "food/-a_1.mp4.npy": rows(31, seed=1),
        "b.npy": rows(2, seed=2),
        "c.webm.npy": rows(5, seed=3),
    }
    reader = bring(tmp_path, files, durations={"-a_1": 30.2, "b": 2.0, "c": 4.5, "other": 9.0})
    assert list(reader.ids) == ["-a_1", "b", "c"]
    for video_id, wanted in zip(reader.ids, files.values(), strict=True):
        clips = reader.clips(video_id, [0.0], num_frames=len(wanted), fps=1.0, size=4)
        assert (clips.frames[0].numpy() == wanted.astype("float32")).all()
    assert reader.duration("-a_1") == 30.2


def test_names_keep_their_dots_and_twins_their_folders(tmp_path: Path) -> None:
    names = [
        "1. Intro.npy",
        "1. Outro.mp4.npy",
        "a/part1.npy",
        "b/part1.WEBM.npy",
        "b/abc.f137.npy",
    ]
    files = {name: rows(2, seed=seed) for seed, name in enumerate(names)}
    reader = bring(tmp_path, files)
    ids = ["1. Intro", "1. Outro", "a/part1", "b/part1", "abc.f137"]
    assert list(reader.ids) == sorted(ids)
    for video_id, wanted in zip(ids, files.values(), strict=True):
        clips = reader.clips(video_id, [0.0], num_frames=2, fps=1.0, size=4)
        assert (clips.frames[0].numpy() == wanted.astype("float32")).all()


def test_without_durations_a_video_lasts_as_long_as_its_vectors(tmp_path: Path) -> None:
    reader = bring(tmp_path, {"a.npy": rows(31)}, fps=4.0, stride=0.25)
    assert reader.duration("a") == 7.75


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    files = {f"{name}.npy": rows(2) for name in "abcd"}
    files["c.npy"] = np.full((2, 4), np.nan, np.float16)
    with pytest.raises(FeatureError, match=r"c\.npy holds NaN or infinity, first in vector 0"):
        bring(tmp_path, files)
    first = tmp_path / "store" / "00000.json"
    before = first.stat().st_mtime_ns
    bring(tmp_path, files | {"c.npy": rows(2)})
    assert first.stat().st_mtime_ns == before
    with pytest.raises(FeatureError, match="created with other settings: backbone"):
        bring(tmp_path, files | {"c.npy": rows(2)}, backbone="another")


BROKEN: dict[str, Rows | None] = {
    "nan": np.full((2, 4), np.nan, np.float16),
    "width": rows(2, dim=5),
    "kind": rows(2, dtype="float32"),
    "norm": unit(4),
    "shape": rows(2)[None],
    "cut": None,
}


def spoil(path: Path, name: str) -> None:
    vectors = BROKEN[name]
    if vectors is None:
        path.write_bytes(path.read_bytes()[:-3])
    else:
        np.save(path, vectors)


def import_files(folder: Path, share: float, **options: Any) -> dict[str, Unreadable]:
    files = feature_files(folder / "bare")
    return import_features(
        files,
        folder / "store",
        make_spec(dtype="float16"),
        max_unreadable_fraction=share,
        videos_per_shard=2,
        show_progress=False,
        **options,
    )


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    (tmp_path / "bare").mkdir()
    for seed, name in enumerate("abcdefg"):
        np.save(tmp_path / "bare" / f"{name}.npy", rows(2, seed=seed))
    return tmp_path


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("video_id", ["a", "c"])
def test_one_bad_file_is_left_out_and_counted(seven: Path, video_id: str, name: str) -> None:
    path = seven / "bare" / f"{video_id}.npy"
    spoil(path, name)
    with pytest.raises(FeatureError, match=rf"{video_id}\.npy.*1 of 7 .* than the 0 that .*=0 "):
        import_files(seven, 0.0)
    left_out = import_files(seven, 0.01)
    assert list(left_out) == [video_id]
    assert left_out[video_id].path == str(path)
    reader = FeatureReader(seven / "store")
    assert sorted([*reader.ids, video_id]) == list("abcdefg")
    assert reader.unreadable.keys() == {video_id}
    with pytest.raises(UnreadableVideoError) as caught:
        reader.duration(video_id)
    assert left_out[video_id].reason in str(caught.value)
    assert import_files(seven, 0.01) == left_out  # nothing is left to do
    np.save(path, rows(2))  # brought again
    assert import_files(seven, 0.01) == {}
    assert list(FeatureReader(seven / "store").ids) == list("abcdefg")


def test_more_than_may_be_are_refused_by_the_first(seven: Path) -> None:
    for video_id, name in {"b": "nan", "e": "width"}.items():
        spoil(seven / "bare" / f"{video_id}.npy", name)
    words = r"b\.npy holds NaN or infinity, first in vector 0.*2 of 7 .* the 1 that max_unreadable"
    with pytest.raises(FeatureError, match=words):
        import_files(seven, 0.01)
    with pytest.raises(FeatureError, match=r"b\.npy.*2 of 7"):  # the first shards are there
        import_files(seven, 0.01)
    assert list(import_files(seven, 0.3)) == ["b", "e"]
    with pytest.raises(FeatureError, match=r"b\.npy cannot be imported: holds NaN .*2 of 7"):
        import_files(seven, 0.01)
    with pytest.raises(ArgumentError, match="max_unreadable_fraction=7 has to be from 0 to 1"):
        import_files(seven, 7)


@pytest.mark.parametrize("share", [0.01, 0.9, 1.0])
def test_what_is_wrong_with_all_files_is_refused_and_nothing_written(
    seven: Path, share: float
) -> None:
    for path in (seven / "bare").iterdir():
        np.save(path, unit(9))
    with pytest.raises(
        FeatureError, match=r"a\.npy: l2_norm is said to be false, but all of its 9"
    ):
        import_files(seven, share)
    assert [path.name for path in (seven / "store").iterdir()] == ["features.json"]


def test_a_duration_that_does_not_agree_is_one_files(seven: Path) -> None:
    durations = dict.fromkeys("abcdefg", 2.0)
    left_out = import_files(seven, 0.01, durations=durations | {"d": 9.0})
    assert list(left_out) == ["d"]
    assert left_out["d"].reason.startswith("has 2 vectors, but its video is said to last 9.0 s")


def test_a_duration_that_is_missing_is_one_files(seven: Path) -> None:
    left_out = import_files(seven, 0.01, durations=dict.fromkeys("abcefg", 2.0))
    assert list(left_out) == ["d"]
    assert left_out["d"].reason.startswith("d is not among the videos whose durations are given")
    shutil.rmtree(seven / "store")
    with pytest.raises(FeatureError, match=r"2 of 7 files so far cannot be imported, more than"):
        import_files(seven, 0.01, durations=dict.fromkeys("abefg", 2.0))


def test_what_begins_with_a_dot_is_not_a_file_of_features(tmp_path: Path) -> None:
    (tmp_path / ".Trashes").mkdir()
    for name in ("v03.npy", ".Trashes/old.npy"):
        np.save(tmp_path / name, rows(2))
    (tmp_path / "._v03.npy").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        ")
    assert feature_files(tmp_path) == {"v03": tmp_path / "v03.npy"}


def test_most_files_say_what_there_is(seven: Path) -> None:
    for video_id, name in {"a": "cut", "b": "width", "c": "width"}.items():
        spoil(seven / "bare" / f"{video_id}.npy", name)
    assert common_kind(feature_files(seven / "bare").values()) == (4, "float16")
    for path in (seven / "bare").iterdir():
        path.write_bytes(b"")
    with pytest.raises(FeatureError, match=r"a\.npy cannot be read"):
        common_kind(feature_files(seven / "bare").values())


def test_it_does_not_go_on_with_other_files(tmp_path: Path) -> None:
    files = {f"{name}.npy": rows(2, seed=number) for number, name in enumerate("abcd")}
    bring(tmp_path, files)
    (tmp_path / "store" / "00001.json").unlink()
    with pytest.raises(FeatureError, match=r"1 videos are other .*: b\. .* remove 00000\.json"):
        bring(tmp_path, files | {"b.npy": rows(2, seed=9)})
    assert not (tmp_path / "store" / "00001.json").exists()
    (tmp_path / "store" / "00000.json").unlink()
    reader = bring(tmp_path, files | {"b.npy": rows(2, seed=9)})
    stored = reader.clips("b", [0.0], num_frames=2, fps=1.0, size=4).frames[0].numpy()
    assert (stored == rows(2, seed=9).astype("float32")).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_bytes_in_the_other_order(tmp_path: Path, dtype: str) -> None:
    vectors = rows(3, dtype=dtype)
    swapped = vectors.astype(np.dtype(dtype).newbyteorder(">"))
    assert swapped.tobytes() != vectors.tobytes()
    reader = bring(tmp_path, {"a.npy": swapped}, dtype=dtype)
    stored = reader.clips("a", [0.0], num_frames=3, fps=1.0, size=4).frames[0].numpy()
    assert (stored == vectors.astype("float32")).all()


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (rows(3)[:, 0], r"is \(3,\) of float16; features are \(vectors, dim\)"),
        (rows(3)[None], r"is \(1, 3, 4\)"),
        (rows(0), r"is \(0, 4\)"),
        (rows(3, dtype="float64"), "of float64"),
        (rows(3).astype(int), "of int64"),
        (rows(3, 5), "dim=5 in float16, not of dim=4 in float16"),
        (rows(3, dtype="float32"), "dim=4 in float32, not of dim=4 in float16"),
        (np.full((3, 4), np.inf, np.float16), "NaN or infinity"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, vectors: Rows, words: str) -> None:
    with pytest.raises(FeatureError, match=words):
        bring(tmp_path, {"a.npy": rows(3), "b.npy": vectors})


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda _: b"", lambda _: b"text"])
def test_damaged_files(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    np.save(tmp_path / "a.npy", rows(3))
    path = tmp_path / "a.npy"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FeatureError, match=r"a\.npy cannot be read"):
        kind_of(path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FeatureError, match="Python objects in dtype"):
        kind_of(tmp_path / "a.npy")


def test_what_is_said_of_their_length_is_checked(tmp_path: Path) -> None:
    bring(tmp_path / "0", {"a.npy": unit(9)}, l2_norm=True)
    with pytest.raises(FeatureError, match=r"l2_norm is said to be true, but vector 1 has length"):
        bring(
            tmp_path / "1",
            {"a.npy": unit(9) * np.array([[1], [1.1]] + [[1]] * 7, "float16")},
            l2_norm=True,
        )
    with pytest.raises(FeatureError, match="said to be false, but all of its 9 vectors have"):
        bring(tmp_path / "2", {"a.npy": unit(9)}, l2_norm=False)


def test_durations_and_lengths_agree_or_are_refused(tmp_path: Path) -> None:
    files = {"a.npy": rows(31)}
    for wrong in (30.0, 31.5):
        with pytest.raises(FeatureError, match=rf"a\.npy has 31 vectors, .* last {wrong} s"):
            bring(tmp_path, files, durations={"a": wrong})
    for number, near in enumerate((30.0, 29.6, 31.5)):
        reader = bring(tmp_path / str(number), files, durations={"a": near}, tolerance=0.5)
        assert reader.duration("a") == 31.0
    with pytest.raises(FeatureError, match="allow for it by a tolerance"):
        bring(tmp_path / "far", files, durations={"a": 31.6}, tolerance=0.5)
    with pytest.raises(ArgumentError, match=r"tolerance=-0\.5 is a number of seconds"):
        bring(tmp_path / "less", files, durations={"a": 31.0}, tolerance=-0.5)
    with pytest.raises(FeatureError, match=r"a\.npy: a is not among the videos whose durations"):
        bring(tmp_path / "none", files, durations={"b": 31.0})


def test_two_files_of_one_video(tmp_path: Path) -> None:
    files = {"deep/a.mp4.npy": rows(1), "deep/a.npy": rows(1)}
    with pytest.raises(FeatureError, match=r"a\.mp4\.npy and .*a\.npy are both of deep/a: nothing"):
        bring(tmp_path, files)
    with pytest.raises(FeatureError, match=r"no \.npy files"):
        feature_files(tmp_path / "store")


def test_a_spec_that_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="fps"):
        bring(tmp_path, {"a.npy": rows(1)}, fps=0.0)
