"""WordPiece as BERT has it: its vocabulary, of a file or of one's own captions, and its tokenizer.

``tokenizers``, which comes with transformers, does the work, and is imported when it is needed.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from vtlearn.errors import ArgumentError

__all__: list[str] = []

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_NEEDED = ("[UNK]", "[CLS]", "[SEP]")
_MOST_CAPTIONS = 1_000_000  # what pieces are learned from: more takes long and changes little
_MOST_LETTERS = 1000  # rarer letters are read as [UNK]
_PARALLELISM = "TOKENIZERS_PARALLELISM"


def tokenizer_of(pieces: list[str]) -> Any:
    """Make BERT's tokenizer of a vocabulary: lower case, no accents, words cut into pieces.

    The names of special pieces are plain text in a caption, as they were in BERT's own code.

    Args:
        pieces: The vocabulary, id 0 first.

    Returns:
        A ``tokenizers.Tokenizer`` which adds neither [CLS] nor [SEP].

    Example:
        >>> tokenizer = tokenizer_of(["[UNK]", "car", "##rot", "!"])
        >>> tokenizer.encode("Carrot, CAR!").tokens
        ['car', '##rot', '[UNK]', 'car', '!']
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer: Any = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def read_pieces(path: Path) -> list[str]:
    """Read a vocabulary of BERT: one piece per line, id 0 first.

    Args:
        path: A ``vocab.txt``.

    Returns:
        The pieces.

    Raises:
        ArgumentError: If it is not text, or lacks [UNK], [CLS] or [SEP], or repeats a piece.
    """
    try:
        with path.open(encoding="utf-8") as file:  # not splitlines: pieces may be odd characters
            pieces = [line.rstrip("\n") for line in file]
    except UnicodeDecodeError as error:
        message = f"{path} is not text in UTF-8: give BERT's vocab.txt. {error}"
        raise ArgumentError(message) from error
    missing = [piece for piece in _NEEDED if piece not in pieces]
    if missing:
        message = (
            f"{path} lacks {', '.join(missing)}: give BERT's vocab.txt, which has one piece per "
            "line and these among them"
        )
        raise ArgumentError(message)
    twice = [piece for piece, count in Counter(pieces).items() if count > 1]
    if twice:
        message = f"{path} holds {twice[0]!r} more than once: a piece's line is its id"
        raise ArgumentError(message)
    return pieces


def learn_pieces(captions: Iterable[str], vocab_size: int) -> list[str]:
    """Learn pieces from captions: the same captions give the same pieces in every process.

    Args:
        captions: Texts; the first million that are not blank count.
        vocab_size: How many pieces there may be, special ones included; fewer, where the captions
            have no more.

    Returns:
        The pieces; [PAD], [UNK], [CLS], [SEP] and [MASK] are the first.

    Raises:
        ArgumentError: If there are no words, or ``vocab_size`` is less than their letters need.

    Example:
        >>> learn_pieces(["aab"], 20)
        ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '##a', '##b', 'a', 'b', '##ab', 'aab']
    """
    from tokenizers.trainers import WordPieceTrainer

    tokenizer = tokenizer_of(list(SPECIAL))
    lines = list(islice((line for line in captions if line.strip()), _MOST_CAPTIONS))
    letters, inner = _letters(tokenizer, lines)
    fixed = [*SPECIAL, *(f"##{letter}" for letter in inner)]
    if not letters or len(fixed) + len(letters) > vocab_size:
        message = (
            f"no pieces could be learned with vocab_size={vocab_size}: the captions have "
            f"{len(letters)} different letters, which need {len(fixed) + len(letters)} pieces. "
            "Give captions that say something, or a larger vocab_size"
        )
        raise ArgumentError(message)
    # tokenizers numbers the letters inside words in the order of a hash map with a random seed, and
    # breaks ties by these numbers (0.23): as special tokens they have fixed ones.
    trainer = WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=fixed,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    with _one_thread():
        tokenizer.train_from_iterator(lines, trainer)
    ids = tokenizer.get_vocab()
    return sorted(ids, key=lambda piece: ids[piece])


def _letters(tokenizer: Any, lines: list[str]) -> tuple[list[str], list[str]]:
    """Count letters, and tell the common ones: anywhere, and after the first of a word."""
    counts: Counter[str] = Counter()
    inner: set[str] = set()
    for line in lines:
        normal = tokenizer.normalizer.normalize_str(line)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):
            counts.update(word)
            inner.update(word[1:])
    common = sorted(counts, key=lambda letter: (-counts[letter], letter))[:_MOST_LETTERS]
    return sorted(common), sorted(inner.intersection(common))


@contextmanager
def _one_thread() -> Iterator[None]:
    # Once tokenizers has used threads, releases such as 0.21 complain in each process that is
    # forked afterwards, such as a loader's worker.
    before = os.environ.get(_PARALLELISM)
    os.environ[_PARALLELISM] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PARALLELISM]
        else:
            os.environ[_PARALLELISM] = before
