"""METEOR, by the Java program that pycocoevalcap carries: the only score that is not computed here.

It matches words by stems, synonyms and paraphrases, whose tables are that program's.
"""

import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import EvaluationError, MissingPackageError
from vtlearn.evaluation.metrics.ngrams import check_references
from vtlearn.storage.imports import require

__all__ = ["meteor", "why_no_meteor"]

_PACKAGE, _EXTRA = "pycocoevalcap", "captions"
_PATIENCE = 60.0  # seconds for Java to say its version
_SEPARATORS = re.compile(r"[\n\r\x0b\x0c\x85\u2028\u2029]|\|\|\|")


def why_no_meteor() -> str | None:
    """Say why METEOR cannot be computed here.

    Returns:
        What it needs, as a sentence for the user; None where it can be computed.
    """
    if importlib.util.find_spec(_PACKAGE) is None:
        return str(MissingPackageError(_PACKAGE, _EXTRA, "METEOR"))
    java = shutil.which("java")
    if java is None:
        return "METEOR needs Java, and there is no program java in the PATH"
    try:
        command = [java, "-version"]
        subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return f"METEOR needs Java, and {java} does not run: {error}"
    return None


def meteor(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, NDArray[np.float64]]:
    """Compare captions with references by words, stems, synonyms and paraphrases.

    Args:
        candidates: One caption per item: the words of
            :func:`~vtlearn.evaluation.metrics.ptb.tokenize`, joined by spaces.
        references: The item's references, likewise, at least one.

    Returns:
        The figure of all items together, which is not their mean, and one per item, (items,); from
        0 to 100.

    Raises:
        ArgumentError: If the numbers of items differ, or a candidate has no reference.
        EvaluationError: If Java is missing, or its program stops.
        MissingPackageError: If pycocoevalcap is not installed.

    Source:
        M. Denkowski and A. Lavie, Meteor Universal: Language Specific Translation Evaluation for
        Any Target Language, 2014 (version 1.5), and pycocoevalcap 1.2.
    """
    check_references(candidates, references)
    require(_PACKAGE, extra=_EXTRA, purpose="METEOR")
    reason = why_no_meteor()
    if reason is not None:
        raise EvaluationError(reason)
    if not candidates:
        return float("nan"), np.zeros(0)
    # the program reads a line per item, with ||| between captions
    theirs = {item: [_one_line(text) for text in refs] for item, refs in enumerate(references)}
    ours = {item: [_one_line(text)] for item, text in enumerate(candidates)}
    scorer = importlib.import_module(f"{_PACKAGE}.meteor.meteor").Meteor()
    try:
        figure, each = scorer.compute_score(theirs, ours)
    except (OSError, ValueError) as error:
        scorer.lock.release()  # which it keeps when it fails, and waits for when it is deleted
        with suppress(OSError):
            scorer.meteor_p.stdin.close()
        scorer.meteor_p.kill()
        said = scorer.meteor_p.stderr.read().decode(errors="replace").strip()
        message = f"METEOR's Java program has stopped: {said or error}"
        raise EvaluationError(message) from error
    return 100 * figure, 100 * np.array(each)


def _one_line(text: str) -> str:
    return _SEPARATORS.sub(" ", text)
