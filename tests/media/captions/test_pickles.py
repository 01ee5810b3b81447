import os
import pickle
import pickletools
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.pickles import load_plain

PLAIN = {
    "a": {"start": [1, 2], "text": [["x", ("y", 0.5)], []]},
    "b": np.array(["so", None, 1.5], dtype=object),
    "c": np.arange(6.0).reshape(2, 3),
    "d": (np.float64(1.5), b"\x00\xff", None, True, {1, 2}),
}


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_come_back_from_every_protocol(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"  # old protocols write sets and bytes by way of functions
    content = {key: value for key, value in PLAIN.items() if protocol > 3 or key != "d"}
    path.write_bytes(pickle.dumps(content, protocol))
    loaded = load_plain(path)
    assert loaded["a"] == PLAIN["a"]
    np.testing.assert_array_equal(loaded["b"], PLAIN["b"])
    np.testing.assert_array_equal(loaded["c"], PLAIN["c"])
    if protocol > 3:
        assert loaded["d"] == PLAIN["d"]


def test_names_of_numpy_1_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    new = pickle.dumps(np.arange(3.0), 2)
    module = b"numpy._core.multiarray"
    if module not in new:
        module = b"numpy.core.multiarray"
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        path.write_bytes(new.replace(module, name))
        np.testing.assert_array_equal(load_plain(path), np.arange(3.0))


ARRAYS = [
    np.arange(24.0).reshape(2, 3, 4),
    np.arange(24.0).reshape(2, 3, 4).T,
    np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),  # in protocol 5, of order K
    np.arange(24.0).reshape(2, 3, 4)[:, ::2],
    np.array(3.5, np.longdouble),
    np.array(["ab", "ç", ""]),
    np.array([b"x", b"yz"]),
    np.array([True, False]),
    np.arange(3, dtype=">i4"),
    np.arange(3, dtype="c16"),
    np.array([[1, "a"], [None, [2]]], object).T,
    np.array([], object),
]


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_are_what_numpy_makes_of_them(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    for array in ARRAYS:
        path.write_bytes(pickle.dumps(array, protocol))
        mine, numpys = load_plain(path), pickle.loads(path.read_bytes())  # noqa: S301
        assert mine.dtype == numpys.dtype
        assert mine.shape == array.shape
        assert mine.tolist() == array.tolist()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_single_numbers_come_back(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    for number in (np.float64(1.5), np.float32(2), np.int64(-3), np.bool_(True), np.str_("ab")):
        path.write_bytes(pickle.dumps({"a": number}, protocol))
        loaded = load_plain(path)["a"]
        assert loaded == number
        assert type(loaded) is type(number.item())


class Made:
    """Pickles as the call of a function, and as the state that its result is given."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


RECONSTRUCT: Any = np.zeros(0).__reduce__()[0]
FROMBUFFER: Any = np.zeros(1).__reduce_ex__(5)[0]
SCALAR: Any = np.float64(0).__reduce__()[0]
FIELDS = (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)
EMPTY = (np.ndarray, (0,), b"b")
POINTER = b"A" * 8
NUMBERS, OBJECTS = np.dtype("f8"), np.dtype("O")
FORGED = {
    "an array made of a pointer": Made(np.ndarray, ((1,), "O", POINTER)),
    "a field that is a pointer": Made(
        RECONSTRUCT, EMPTY, (1, (1,), Made(np.dtype, ("V8",), FIELDS), False, POINTER)
    ),
    "a field under a plain name": Made(
        RECONSTRUCT, EMPTY, (1, (1,), Made(np.dtype, ("f8",), FIELDS), False, POINTER)
    ),
    "bytes for objects": Made(RECONSTRUCT, EMPTY, (1, (1,), OBJECTS, False, POINTER)),
    "fewer objects than room": Made(RECONSTRUCT, EMPTY, (1, (9,), OBJECTS, False, ["a"])),
    "fewer bytes than room": Made(RECONSTRUCT, EMPTY, (1, (9,), NUMBERS, False, POINTER)),
    "less than no room": Made(RECONSTRUCT, EMPTY, (1, (-1, -1), NUMBERS, False, POINTER)),
    "a dtype with parameters": Made(RECONSTRUCT, EMPTY, (1, (1,), "O", False, POINTER)),
    "an array filled twice": Made(
        FROMBUFFER, (POINTER, NUMBERS, (1,), "C"), (1, (1,), OBJECTS, False, ["a"])
    ),
    "objects in a buffer": Made(FROMBUFFER, (POINTER, OBJECTS, (1,), "C")),
    "a field in a buffer": Made(FROMBUFFER, (POINTER, Made(np.dtype, ("V8",), FIELDS), (1,), "C")),
    "a buffer of an array": Made(FROMBUFFER, (np.zeros(1), NUMBERS, (1,), "C")),
    "an object as a number": Made(SCALAR, (OBJECTS, POINTER)),
    "a number cut short": Made(SCALAR, (NUMBERS, b"A")),
    "another class": Made(RECONSTRUCT, (Made(np.dtype, ("f8",)), (0,), b"b")),
}

USE = """
import sys
from pathlib import Path
from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import validate_captions
from vtlearn.media.captions.pickles import load_plain
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.stem, flush=True)
    try:
        loaded = load_plain(path)
    except TranscriptError as error:
        continue
    print("LOADED", flush=True)
    validate_captions(loaded)
"""


def test_memory_is_not_what_a_pickle_says_it_is(tmp_path: Path) -> None:
    for name, forged in FORGED.items():
        content = pickle.dumps({"start": [0], "end": [1], "text": forged})
        (tmp_path / f"{name}.pkl").write_bytes(content)
    command = [sys.executable, "-c", USE, str(tmp_path)]  # since what goes wrong here crashes
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == sorted(FORGED)


@pytest.mark.parametrize("name", [b"numpy\ndtype", b"numpy\nndarray", b"_codecs\nencode"])
def test_what_arrays_are_made_by_stays_as_it_is(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(b"c" + name + b"\n(N}S'__defaults__'\n(I1\nI2\ntstb.")
    with pytest.raises(TranscriptError, match="a change of what arrays are made by"):
        load_plain(path)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "a.pkl", tmp_path / "was here"
    path.write_bytes(pickle.dumps({"a": [Bomb(trace)]}))
    with pytest.raises(TranscriptError, match=r"holds posix.mkdir, and only plain data"):
        load_plain(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # noqa: S301
    assert trace.exists()  # it would have been run


@pytest.mark.parametrize(
    "content",
    [OrderedDict(a=1), np.random.default_rng(0), Path("a"), ValueError("a"), print, np.load],
)
def test_everything_else_is_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(TranscriptError, match="only plain data and numpy arrays"):
        load_plain(path)


def test_codecs_other_than_that_of_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    written = pickle.dumps(b"\xff", 2)
    assert b"_codecs" in written
    path.write_bytes(written)
    assert load_plain(path) == b"\xff"
    path.write_bytes(written.replace(b"latin1", b"idna\xc2\xa0"))
    with pytest.raises(TranscriptError, match="bytes encoded by idna"):
        load_plain(path)


def test_what_is_no_pickle_or_cut_off_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    whole = pickle.dumps(PLAIN)
    positions = [position for _, _, position in pickletools.genops(whole) if position]
    for content in [b"", b"{}", b"\x80\x05}", *(whole[:cut] for cut in positions if cut)]:
        path.write_bytes(content)
        with pytest.raises(TranscriptError):
            load_plain(path)
    with pytest.raises(TranscriptError, match="No such file"):
        load_plain(tmp_path / "b.pkl")
