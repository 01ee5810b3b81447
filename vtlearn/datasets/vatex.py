"""VATEX: ten-second clips of people's actions, each with ten captions in English.

A file per split lists the clips with their captions. The Chinese captions that some of them have as
well are not read. The captions of the private test were never published.
"""

from collections.abc import Iterator, Mapping
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
from vtlearn.datasets.lists import require_disjoint
from vtlearn.errors import ArgumentError
from vtlearn.suggestions import nearest

__all__ = ["VATEX"]

_FILES: Mapping[str, str] = {
    "training": "vatex_training_v1.0.json",
    "validation": "vatex_validation_v1.0.json",
    "public-test": "vatex_public_test_english_v1.1.json",
}
_PRIVATE = "vatex_private_test_without_annotations.json"

SPLITS = tuple(_FILES)
"""What can be read."""

_FOLDERS = ("", "annotations", "data")
_NAME = "VATEX"
_SOURCE = (
    "https://eric-xw.github.io/vatex-website/download.html. "
    "`vtlearn data kitchen --layout vatex` renders a small corpus in this layout"
)


class VATEX(CaptionedCorpus):
    """The clips of a split, each with all its captions; see :func:`read_vatex` for the files."""

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say what the files that are there name together, and how long each clip was cut.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If no annotation file is there.
            ArgumentError: If one cannot be read.
        """
        there = [one for one in SPLITS if first_file(root, [_FILES[one]], _FOLDERS).is_file()]
        splits = there or SPLITS[:1]
        clips = [clip for split in splits for clip in read_vatex(root, split, max_missing=None)]
        ids = list(dict.fromkeys(clip.id for clip in clips))
        return Expectations(_NAME, root, captions=ids, listed=ids, durations=cut_seconds(ids))


def read_vatex(
    root: Path, split: str, *, videos: Path | None = None, max_missing: float | None = 0
) -> list[CaptionedClip]:
    r"""List the clips of a split of VATEX with their English captions.

    Each clip is a file of its own and is read from its beginning to its end: the seconds in its
    name are those in the video that it was cut from.

    Args:
        root: The corpus's folder. Annotations are looked for in it and in its folders
            ``annotations`` and ``data``, videos anywhere below it.
        split: ``training``, ``validation`` or ``public-test``.
        videos: The folder of the videos, however deep, in place of ``root``.
        max_missing: How many of the clips may lack their files (a share of them, if a float);
            these are listed all the same, so that they are counted where they are read. None for
            any number, where features are read and videos need not be there.

    Returns:
        The clips in the file's order, with all their captions, whose ids are ``<clip>#<k>``.

    Raises:
        CorpusNotFoundError: If the folder, the annotation file, or every video is not there.
        ArgumentError: If there is no such split, its file has no English captions, as that of the
            private test, or holds anything else, more clips than may lack their files, or have
            several, or the training file names clips of the public test.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "Ptf_2VRj-V0_000122_000132.mp4").touch()
        ...     _ = (root / "vatex_validation_v1.0.json").write_text(
        ...         '[{"videoID": "Ptf_2VRj-V0_000122_000132", "enCap": ["A man lifts weights."]}]'
        ...     )
        ...     clip, = read_vatex(root, "validation")
        >>> clip.id, clip.texts, clip.text_ids
        ('Ptf_2VRj-V0_000122_000132', ('A man lifts weights.',), ('Ptf_2VRj-V0_000122_000132#0',))
    """
    (listed,) = annotation_files(root, split)
    private = first_file(root, [_PRIVATE], _FOLDERS)
    if split == "public-test" and not listed.is_file() and private.is_file():
        raise ArgumentError(_without_captions(private))
    expected = {listed: f"the clips of {split} and their captions"}
    if max_missing is not None:
        expected[videos or root] = "videos, <videoID>.mp4, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)
    captions = _read_captions(listed)
    _require_apart_from_test(root, split, listed, captions)
    pairs = ((one, caption) for one, own in captions.items() for caption in own)
    texts = collect_captions(pairs, list(captions), listed, str(listed))
    clips = list_clips(videos or root, texts)
    if max_missing is not None:
        check = f"{root} --data {_NAME}"
        require_clips(_NAME, clips, listed, _SOURCE, max_missing, check)
    return clips


def annotation_files(root: Path, split: str) -> list[Path]:
    """Return the file that says what there is in a split.

    Args:
        root: The corpus's folder.
        split: One of ``SPLITS``.

    Raises:
        ArgumentError: If there is no such split.
    """
    if split not in SPLITS:
        message = (
            f"{_NAME} has no split {split!r}; it has {', '.join(SPLITS)}, and captions of its "
            f"private test were not published{nearest(split, SPLITS)}"
        )
        raise ArgumentError(message)
    return [first_file(root, [_FILES[split]], _FOLDERS)]


def _read_captions(path: Path) -> dict[str, list[str]]:
    """Read the English captions of each clip of a file, less outer spaces."""
    captions: dict[str, list[str]] = {}
    for index, (clip_id, own) in enumerate(_entries(path)):
        if clip_id in captions:
            message = f"{path} has the videoID {clip_id} again in entry {index}; remove one"
            raise ArgumentError(message)
        captions[clip_id] = own
    if not captions:
        message = f"{path} lists no clips; download it again"
        raise ArgumentError(message)
    if not any(captions.values()):
        raise ArgumentError(_without_captions(path))
    return captions


def _entries(path: Path) -> Iterator[tuple[str, list[str]]]:
    content: Any = read_json(path)
    if not isinstance(content, list):
        message = f"{path} is not a list of clips; download it again"
        raise ArgumentError(message)
    for index, entry in enumerate(content):
        clip_id = entry.get("videoID") if isinstance(entry, dict) else None
        if not isinstance(clip_id, str):
            message = f"{path} has no string videoID in entry {index}; download it again"
            raise ArgumentError(message)
        captions = entry.get("enCap") or []
        if not isinstance(captions, list) or not all(isinstance(one, str) for one in captions):
            message = f"{path} has no list of strings enCap in entry {index}; download it again"
            raise ArgumentError(message)
        yield clip_id, [caption.strip() for caption in captions]


def _without_captions(path: Path) -> str:
    return (
        f"{path} has no English captions (enCap): those of VATEX's private test were not "
        f"published, so that nothing can be scored by it. Use {_FILES['public-test']}, which has "
        "them"
    )


def _require_apart_from_test(
    root: Path, split: str, listed: Path, captions: Mapping[str, object]
) -> None:
    """Refuse a training file that has clips of the public test."""
    test = first_file(root, [_FILES["public-test"]], _FOLDERS)
    if split == "training" and test.is_file():
        test_ids = [clip_id for clip_id, _ in _entries(test)]
        require_disjoint(listed, list(captions), test, test_ids)
