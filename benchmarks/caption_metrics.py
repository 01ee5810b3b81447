"""Score captions by CIDEr-D, against pycocoevalcap, on words that are split already.

    python benchmarks/caption_metrics.py [--items 2990] [--references 20]

Captions are made up: an item's are one sentence of a vocabulary of which a few words are frequent,
each with three words in ten exchanged. Both sides run in turn in this process, twice, the faster
run counts, and their scores have to be equal.
"""

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import header, line, machine

from vtlearn.evaluation.metrics import cider_d

BAR = 5
ROUNDS = 2
WORDS, LENGTHS, KEPT = 8000, (5, 16), 0.7

Captions = tuple[list[list[str]], list[list[list[str]]]]


def main() -> None:
    """Print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=2990)
    parser.add_argument("--references", type=int, default=20)
    options = parser.parse_args()
    if importlib.util.find_spec("pycocoevalcap") is None:
        print("skipped: pip install 'vtlearn[captions]' installs pycocoevalcap, to compare with")
        return
    print(f"{machine(1)}\n")
    header("case", "ours s", "pycocoevalcap s", "ratio", "bar", "largest difference")
    captions = draw(options.items, options.references)
    references, candidates = published_input(captions)
    runs = [
        (clocked(cider_d, *captions), clocked(published().compute_score, references, candidates))
        for _ in range(ROUNDS)
    ]
    (scores, _), ((_, expected), _) = runs[0]
    apart = float(np.abs(scores / 100 - expected).max())
    assert apart < 1e-6, f"the scores differ by {apart}"
    fast, slow = (min(seconds for _, seconds in side) for side in zip(*runs, strict=True))
    times = f"{fast:.2f}", f"{slow:.2f}", f"{slow / fast:.1f}", f"{BAR}"
    line(f"{options.items} x {options.references}", *times, f"{apart:.0e}")


def draw(items: int, references: int) -> Captions:
    """Draw the words of candidates and of references."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, WORDS + 1)
    sentences = []
    for length in rng.integers(*LENGTHS, size=items):
        said = rng.choice(WORDS, (references + 1, length), p=share / share.sum())
        said = np.where(rng.random(said.shape) < KEPT, said[0], said)
        sentences.append([[f"w{word}" for word in row] for row in said.tolist()])
    return [rows[0] for rows in sentences], [rows[1:] for rows in sentences]


def published() -> Any:
    """Make the published scorer."""
    return importlib.import_module("pycocoevalcap.cider.cider").Cider()


def published_input(
    captions: Captions,
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Join words by spaces, as the published scorer wants them: references, then candidates."""
    candidates, references = captions
    return (
        {item: [" ".join(words) for words in refs] for item, refs in enumerate(references)},
        {item: [" ".join(words)] for item, words in enumerate(candidates)},
    )


def clocked(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Return what a function returns, and how many seconds it took."""
    start = time.perf_counter()
    answer = function(*arguments)
    return answer, time.perf_counter() - start


if __name__ == "__main__":
    main()
