import importlib.util
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.metrics.stored_captions import STORED, our_words
from vtlearn.errors import ArgumentError, EvaluationError, MissingPackageError
from vtlearn.evaluation.metrics.meteor import meteor, why_no_meteor

INSTALLED = importlib.util.find_spec("pycocoevalcap") is not None
runs = pytest.mark.skipif(why_no_meteor() is not None, reason=str(why_no_meteor()))


@runs
@pytest.mark.slow
def test_scores_equal_the_published_ones() -> None:
    candidates, references = our_words()
    texts = [" ".join(words) for words in candidates]
    figure, each = meteor(texts, [[" ".join(words) for words in refs] for refs in references])
    assert figure == pytest.approx(100 * STORED["METEOR"]["corpus"], abs=1e-4)
    assert each == pytest.approx(100 * np.array(STORED["METEOR"]["items"]), abs=1e-4)


@runs
@pytest.mark.slow
def test_separators_in_a_caption_shift_nothing() -> None:
    texts = ["a dog runs", "a\ncat|||sits", "rain"]
    _, each = meteor(texts, [["a dog runs"], ["a cat sits"], ["rain"]])
    assert each[1] == each[0] == pytest.approx(100)
    assert each[2] > 40


@runs
def test_no_items_have_no_score() -> None:
    figure, each = meteor([], [])
    assert np.isnan(figure)
    assert each.shape == (0,)


@pytest.mark.skipif(not INSTALLED, reason="needs pycocoevalcap")
def test_a_java_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text('#!/bin/sh\n[ "$1" = -version ] && exit 0\necho "no memory for it" >&2\n')
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EvaluationError, match="has stopped: no memory for it"):
        meteor(["a"], [["a"]])


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert why_no_meteor() == (
        "METEOR needs the package pycocoevalcap: pip install 'vtlearn[captions]' (in a clone: "
        "pip install -e '.[captions]')"
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "there is no program java in the PATH" in str(why_no_meteor())
    broken = tmp_path / "java"
    monkeypatch.setattr(shutil, "which", lambda _: str(broken))
    assert f"{broken} does not run" in str(why_no_meteor())


@pytest.mark.skipif(INSTALLED, reason="pycocoevalcap is installed")
def test_without_the_package_its_extra_is_named() -> None:
    with pytest.raises(MissingPackageError, match=r"pip install 'vtlearn\[captions\]'"):
        meteor(["a"], [["a"]])


def test_a_candidate_without_references_is_refused() -> None:
    with pytest.raises(ArgumentError, match="1 of 1 candidates have no reference"):
        meteor(["a"], [[]])
