import os
import pickle
import pickletools
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
