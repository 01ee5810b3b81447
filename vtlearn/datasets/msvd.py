"""MSVD: two thousand clips of web videos, each of which about 40 people described in a sentence.

Its authors published clips and sentences; the lists of the splits, and the sentences as words, are
in what later papers published.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.caption_files import collect_captions, read_json
from vtlearn.datasets.captioned import (
    CaptionedClip,
    CaptionedCorpus,
    list_clips,
    require_clips,
)
from vtlearn.datasets.cut_ids import cut_seconds
from vtlearn.datasets.files import first_file, require_paths
from vtlearn.datasets.lists import read_ids, require_disjoint
from vtlearn.datasets.texts import read_text
from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions.pickles import load_plain
from vtlearn.suggestions import nearest

__all__ = ["MSVD"]

_NUMBERS: Mapping[str, range] = {  # of the clips of each split, where a file numbers them
    "train": range(1, 1201),
    "val": range(1201, 1301),
    "test": range(1301, 1971),
}

SPLITS = tuple(_NUMBERS)
"""What can be read."""

_MAPPING = "youtube_mapping.txt"
_CAPTIONS = ["raw-captions.pkl", "raw-captions.json", "AllVideoDescriptions.txt"]
_FOLDERS = ("", "msvd_data", "annotations")
_NUMBERED = re.compile(r"(\S+)\s+vid([0-9]+)")
_NAME = "MSVD"
_SOURCE = (
    "https://www.cs.utexas.edu/users/ml/clamp/videoDescription; the lists and raw-captions.pkl are "
    "in https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msvd_data.zip. "
    "`vtlearn data kitchen --layout msvd` renders a small corpus in this layout"
)


class MSVD(CaptionedCorpus):
    """The clips of a split, each with all its captions; see :func:`read_msvd` for the files."""

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say what the three splits name together, and how long each clip was cut.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If an annotation file is not there.
            ArgumentError: If one cannot be read.
        """
        clips = [clip for split in SPLITS for clip in read_msvd(root, split, max_missing=None)]
        ids = list(dict.fromkeys(clip.id for clip in clips))
        return Expectations(_NAME, root, captions=ids, listed=ids, durations=cut_seconds(ids))


def read_msvd(
    root: Path, split: str, *, videos: Path | None = None, max_missing: float | None = 0
) -> list[CaptionedClip]:
    r"""List the clips of a split of MSVD with their captions.

    Each clip is a file of its own, whatever its suffix, and is read from its beginning to its end:
    the seconds in its name are those in the video that it was cut from.

    Args:
        root: The corpus's folder. Lists and captions are looked for in it and in its folders
            ``msvd_data`` and ``annotations``, videos anywhere below it. The captions are
            ``raw-captions.pkl`` (words; nothing in it is run), or else
            ``AllVideoDescriptions.txt`` (a clip and a sentence per line).
        split: ``train``, ``val`` or ``test``: the clips of ``<split>_list.txt``; where that is not
            there, those with the numbers 1-1200, 1201-1300 and 1301-1970 in
            ``youtube_mapping.txt``.
        videos: The folder of the videos, however deep, in place of ``root``.
        max_missing: How many of the clips may lack their files (a share of them, if a float);
            these are listed all the same, so that they are counted where they are read. None for
            any number, where features are read and videos need not be there.

    Returns:
        The clips in the list's order, with all their captions, whose ids are ``<clip>#<k>``.

    Raises:
        CorpusNotFoundError: If the folder, an annotation file, or every listed video is not there.
        ArgumentError: If there is no such split, a file holds anything else, listed clips have no
            captions, more of them than may lack their files, or have several, or the training list
            names clips of the test.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "-4wsuPCjDBc_5_15.avi").touch()
        ...     _ = (root / "test_list.txt").write_text("-4wsuPCjDBc_5_15\n")
        ...     _ = (root / "AllVideoDescriptions.txt").write_text(
        ...         "-4wsuPCjDBc_5_15 a squirrel eats\n-4wsuPCjDBc_5_15 it is eating a peanut\n"
        ...     )
        ...     clip, = read_msvd(root, "test")
        >>> clip.id, clip.path.name, clip.texts
        ('-4wsuPCjDBc_5_15', '-4wsuPCjDBc_5_15.avi', ('a squirrel eats', 'it is eating a peanut'))
    """
    listed, captions = annotation_files(root, split)
    expected = {
        listed: f"the clips of {split}, or {_MAPPING}: those of all splits",
        captions: f"captions (or {_CAPTIONS[-1]})",
    }
    if max_missing is not None:
        expected[videos or root] = "videos, <id>.avi, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)
    ids = _listed_ids(listed, split)
    if not ids:
        message = f"{listed} lists no clips of {split}; download it again"
        raise ArgumentError(message)
    test = _list_file(root, "test")
    if split == "train" and test.is_file():
        require_disjoint(listed, ids, test, _listed_ids(test, "test"))
    texts = collect_captions(_read_captions(captions), ids, listed, str(captions))
    clips = list_clips(videos or root, texts)
    if max_missing is not None:
        check = f"{root} --data {_NAME}"
        require_clips(_NAME, clips, listed, _SOURCE, max_missing, check)
    return clips


def annotation_files(root: Path, split: str) -> list[Path]:
    """Return the files that say what there is in a split: its list, and the captions.

    Args:
        root: The corpus's folder.
        split: One of ``SPLITS``.

    Raises:
        ArgumentError: If there is no such split.
    """
    if split not in SPLITS:
        message = (
            f"{_NAME} has no split {split!r}; it has {', '.join(SPLITS)}{nearest(split, SPLITS)}"
        )
        raise ArgumentError(message)
    return [_list_file(root, split), first_file(root, _CAPTIONS, _FOLDERS)]


def _list_file(root: Path, split: str) -> Path:
    """Find a split's list, or the numbers of all clips; where neither is, where the list would."""
    return first_file(root, [f"{split}_list.txt", _MAPPING], _FOLDERS)


def _listed_ids(listed: Path, split: str) -> list[str]:
    if listed.name != _MAPPING:
        return read_ids(listed)
    numbers: dict[int, str] = {}
    for line in read_ids(listed):
        found = _NUMBERED.fullmatch(line)
        if found is None or int(found[2]) in numbers:
            message = (
                f"{listed} has the line {line!r}; each has to be an id and vid<number>, every "
                "number once"
            )
            raise ArgumentError(message)
        numbers[int(found[2])] = found[1]
    last = _NUMBERS["test"].stop - 1
    if sorted(numbers) != list(range(1, last + 1)):
        message = (
            f"{listed} does not number all {last} clips from vid1 to vid{last}, and the splits "
            "are known by these numbers alone; bring the lists train_list.txt, val_list.txt and "
            "test_list.txt"
        )
        raise ArgumentError(message)
    return [numbers[number] for number in _NUMBERS[split]]


def _read_captions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each caption, after the id of its clip."""
    if path.suffix == ".txt":
        return _read_lines(path)
    return _read_words(path, read_json(path) if path.suffix == ".json" else _load_pickle(path))


def _read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the captions of a file of lines, which begins with remarks on it."""
    text = read_text(path, "lines of an id and a sentence")
    for line in text.split("\n"):  # and at nothing else that Python takes for the end of a line
        clip_id, *caption = line.split(maxsplit=1) or [""]
        if clip_id and not clip_id.startswith("#"):
            yield clip_id, "".join(caption).strip()


def _load_pickle(path: Path) -> Any:
    try:
        return load_plain(path)
    except TranscriptError as error:
        message = f"{path} cannot be read as captions: {error}"
        raise ArgumentError(message) from error


def _read_words(path: Path, content: Any) -> Iterator[tuple[str, str]]:
    """Yield the captions of a file that has the words of each."""
    if not isinstance(content, dict):
        message = f"{path} does not hold the captions of each clip by its id; download it again"
        raise ArgumentError(message)
    for clip_id, captions in content.items():
        if not isinstance(clip_id, str) or not _is_sequence(captions):
            message = f"{path} has no list of captions for {clip_id!r}; download it again"
            raise ArgumentError(message)
        for index, words in enumerate(captions):
            if not _is_sequence(words) or not all(isinstance(word, str) for word in words):
                message = (
                    f"{path} has no list of words as caption {index} of {clip_id}; download it "
                    "again"
                )
                raise ArgumentError(message)
            yield clip_id, " ".join(words).strip()


def _is_sequence(content: object) -> bool:
    return isinstance(content, Sequence) and not isinstance(content, str | bytes)
