import gc
import os
import pickle
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.errors import VTLearnError
from vtlearn.storage import strings
from vtlearn.storage.strings import Strings

TEXTS = st.lists(st.text("abé😀\ud800"), max_size=30)


@given(TEXTS, st.text("abé"))
def test_it_is_a_list_of_strings(texts: list[str], other: str) -> None:
    kept = Strings.of(texts)
    assert list(kept) == texts == kept[:]
    assert len(kept) == len(texts)
    assert kept[::-2] == texts[::-2]
    assert [kept.index(text) for text in texts] == [texts.index(text) for text in texts]
    assert (other in kept) == (other in texts)


@given(TEXTS)
def test_equal_hashes_do_not_confuse_it(texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strings, "_hash", lambda encoded: len(encoded) % 2)
        kept = Strings.of(texts)
        assert [kept.index(text) for text in texts] == [texts.index(text) for text in texts]
        assert "not there" not in kept


def test_places_count_as_in_a_list() -> None:
    texts = ["a", "b", "a", "c", "a"]
    kept = Strings.of(texts)
    assert kept[-1] == "a"
    assert kept.count("a") == 3
    for start in range(-6, 6):
        for stop in range(-6, 6):
            if "a" in texts[start:stop]:
                assert kept.index("a", start, stop) == texts.index("a", start, stop)
            else:
                with pytest.raises(ValueError, match="'a' is not among these 5 strings"):
                    kept.index("a", start, stop)
    for beyond in (5, -6):
        with pytest.raises(IndexError):
            kept[beyond]
    other: object = 3
    assert other not in kept


def test_files_hold_the_same_and_pickle_as_a_path(tmp_path: Path) -> None:
    texts = [f"{random.Random(number).getrandbits(60):x}" for number in range(2000)] + ["", "é"]
    Strings.of(texts).save(tmp_path, "ids")
    loaded = Strings.load(tmp_path, "ids")
    assert list(loaded) == texts
    message = pickle.dumps(loaded)
    assert len(message) < 500
    assert list(pickle.loads(message)) == texts  # noqa: S301
    assert list(pickle.loads(pickle.dumps(Strings.of(texts)))) == texts  # noqa: S301
    shuffled = random.Random(0).sample(range(len(texts)), len(texts))
    assert [loaded.index(texts[number]) for number in shuffled] == shuffled


def test_none_can_be_kept(tmp_path: Path) -> None:
    Strings.of([]).save(tmp_path, "none")
    assert list(Strings.load(tmp_path, "none")) == []
    assert "" not in Strings.load(tmp_path, "none")


def test_no_object_a_string_is_held() -> None:
    kept = Strings.of(f"video{number}" for number in range(10_000))
    arrays = kept._arrays
    assert sum(array.nbytes for array in arrays) < 10_000 * 40
    assert sys.getsizeof(kept) + sys.getsizeof(kept.__dict__) < 2000


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    Strings.of(["a", "b"]).save(tmp_path, "ids")
    (tmp_path / "ids.text").write_bytes(b"abc")
    with pytest.raises(VTLearnError, match="do not belong together"):
        Strings.load(tmp_path, "ids")
    (tmp_path / "ids.offsets").write_bytes(b"abc")
    with pytest.raises(VTLearnError, match="holds no strings that can be read"):
        Strings.load(tmp_path, "ids")
    with pytest.raises(VTLearnError, match="others holds no strings"):
        Strings.load(tmp_path, "others")


def test_shared_ones_pickle_as_a_path_and_leave_nothing() -> None:
    many = [f"video {number}" for number in range(5000)]
    held = Strings.shared(many)
    message = pickle.dumps(held)
    again = pickle.loads(message)  # noqa: S301 - our own bytes
    assert len(message) < 500
    assert list(again) == many
    folder, _ = held.__reduce__()[1]
    if (child := os.fork()) == 0:
        del held
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.exists()  # a forked process took nothing away
    del held
    assert not folder.exists()
