"""MSR-VTT: ten thousand clips of web videos, each of which 20 people described in a sentence.

Clips and sentences are as its authors published them, with a split of their own; which others are
trained on, and which sentence asks for which clip, is in lists that later papers published.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.caption_files import read_captions, read_json
from vtlearn.datasets.captioned import (
    CaptionedClip,
    CaptionedCorpus,
    Texts,
    list_clips,
    require_clips,
)
from vtlearn.datasets.files import first_file, first_files, require_paths
from vtlearn.datasets.lists import read_ids, read_table, require_disjoint
from vtlearn.errors import ArgumentError
from vtlearn.suggestions import nearest

__all__ = ["MSRVTT", "read_msrvtt"]


class _List(NamedTuple):
    """Where a split is written down.

    Attributes:
        names: The list's names, by which it circulates.
        word: What the captions' file calls the split, where it says it itself.
    """

    names: Sequence[str]
    word: str | None = None


_LISTS: Mapping[str, _List] = {
    "1kA-9k": _List(["MSRVTT_train.9k.csv"]),
    "1kA-7k": _List(["MSRVTT_train.7k.csv"]),
    "1kA-test": _List(["MSRVTT_JSFUSION_test.csv", "msrvtt_test.csv"]),
    "1kB-train": _List(["train_list_miech.txt"]),
    "1kB-test": _List(["test_list_miech.txt"]),
    "full-train": _List(["train_list_full.txt"], "train"),
    "full-validate": _List(["val_list_full.txt"], "validate"),
    "full-test": _List(["test_list_full.txt"], "test"),
}

SPLITS = tuple(_LISTS)
"""What can be read: training, validation and test splits of 1k-A, 1k-B and the authors' own."""

_CAPTIONS = (  # each of these is all captions
    ["MSRVTT_data.json"],
    ["train_val_videodatainfo.json", "test_videodatainfo.json"],
    ["MSR_VTT.json"],
)
_FOLDERS = ("", "msrvtt_data", "annotation", "annotations")
_NAME = "MSR-VTT"
_SOURCE = (
    "http://ms-multimedia-challenge.com/2017/dataset; the lists are in "
    "https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msrvtt_data.zip. "
    "`vtlearn data kitchen --layout msrvtt` renders a small corpus in this layout"
)


class MSRVTT(CaptionedCorpus):
    """The clips of a list, each with all its captions; see :func:`read_msrvtt` for the files."""

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say what the lists of 1k-A name together: the longer training list and the test.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If an annotation file is not there.
            ArgumentError: If one cannot be read.
        """
        splits = ("1kA-9k", "1kA-test")
        clips = [clip for split in splits for clip in read_msrvtt(root, split, max_missing=None)]
        ids = list(dict.fromkeys(clip.id for clip in clips))
        return Expectations(_NAME, root, captions=ids, listed=ids)


def read_msrvtt(
    root: Path, split: str, *, videos: Path | None = None, max_missing: float | None = 0
) -> list[CaptionedClip]:
    r"""List the clips of a split of MSR-VTT with their captions.

    Each clip is a file of its own and is read from its beginning to its end: the times that the
    annotations give are those in the video that it was cut from.

    Args:
        root: The corpus's folder. Annotations are looked for in it and in its folders
            ``msrvtt_data``, ``annotation`` and ``annotations``, videos anywhere below it.
        split: ``1kA-9k`` or ``1kA-7k`` and ``1kA-test``, whose clips have the sentence that asks
            for them (``ret<k>``); ``1kB-train`` and ``1kB-test``, whose clips have their first
            caption; or ``full-train``, ``full-validate`` and ``full-test``. All others have all
            their captions; the ids of these are ``<video_id>#<k>``.
        videos: The folder of the videos, however deep, in place of ``root``.
        max_missing: How many of the clips may lack their files (a share of them, if a float);
            these are listed all the same, so that they are counted where they are read. None for
            any number, where features are read and videos need not be there.

    Returns:
        The clips in the list's order.

    Raises:
        CorpusNotFoundError: If the folder, an annotation file, or every listed video is not there.
        ArgumentError: If there is no such split, a file holds anything else, listed clips have no
            captions, more of them than may lack their files, or have several, or a training list
            names clips of its test.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "video9770.mp4").touch()
        ...     _ = (root / "msrvtt_test.csv").write_text(
        ...         "key,vid_key,video_id,sentence\nret0,msr9770,video9770,a boy is singing\n"
        ...     )
        ...     clip, = read_msrvtt(root, "1kA-test")
        >>> clip.id, clip.path.name, clip.texts, clip.text_ids
        ('video9770', 'video9770.mp4', ('a boy is singing',), ('ret0',))
    """
    listed, captions = _files(root, split)
    names = _LISTS[split].names
    expected = {} if listed is None else {listed: f"the list of {split} ({' or '.join(names)})"}
    any_of = "; or ".join(" and ".join(names) for names in _CAPTIONS)
    expected |= dict.fromkeys(captions, f"captions ({any_of})")
    if max_missing is not None:
        expected[videos or root] = "videos, <id>.mp4, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)
    where = captions[0] if listed is None else listed
    texts = _questions(where) if split == "1kA-test" else _captions(root, split, listed, captions)
    if not texts:
        message = f"{where} lists no clips of {split}; download it again"
        raise ArgumentError(message)
    clips = list_clips(videos or root, texts)
    if max_missing is not None:
        check = f"{root} --data MSRVTT"
        require_clips(_NAME, clips, where, _SOURCE, max_missing, check)
    return clips


def annotation_files(root: Path, split: str) -> list[Path]:
    """Return the files that say what there is in a split.

    Args:
        root: The corpus's folder.
        split: One of ``SPLITS``.
    """
    listed, captions = _files(root, split)
    return [*([] if listed is None else [listed]), *captions]


def _files(root: Path, split: str) -> tuple[Path | None, list[Path]]:
    """Find a split's list, unless the captions' file says it, and its captions."""
    if split not in SPLITS:
        message = (
            f"{_NAME} has no split {split!r}; it has {', '.join(SPLITS)}{nearest(split, SPLITS)}"
        )
        raise ArgumentError(message)
    names, word = _LISTS[split]
    listed = first_file(root, names, _FOLDERS)
    if split == "1kA-test":
        return listed, []
    captions = first_files(root, _CAPTIONS, _FOLDERS)
    says_itself = word is not None and captions[0].name != _CAPTIONS[-1][0]
    return (None if says_itself and not listed.is_file() else listed), captions


def _questions(listed: Path) -> Texts:
    """Read the sentence that asks for each clip of 1k-A."""
    texts: dict[str, dict[str, str]] = {}
    for row in read_table(listed, ["key", "video_id", "sentence"], unique="key"):
        texts.setdefault(row.cells["video_id"], {})[row.cells["key"]] = row.cells["sentence"]
    return texts


def _captions(root: Path, split: str, listed: Path | None, captions: list[Path]) -> Texts:
    """Read the captions of a split that is trained on, or asked for with its captions."""
    if listed is None:
        ids = _split_ids(captions, str(_LISTS[split].word))
        return read_captions(captions, ids, captions[0])
    ids = _listed_ids(listed)
    word = _LISTS[split].word
    if word is not None:
        _require_split(listed, ids, word, captions)
    if split in ("1kA-9k", "1kA-7k", "1kB-train", "full-train"):
        test = first_file(root, _LISTS[f"{split.partition('-')[0]}-test"].names, _FOLDERS)
        if test.is_file():
            require_disjoint(listed, ids, test, _listed_ids(test))
    texts = read_captions(captions, ids, listed)
    if split == "1kB-test":
        return {one: dict(list(own.items())[:1]) for one, own in texts.items()}
    return texts


def _listed_ids(listed: Path) -> list[str]:
    if listed.suffix == ".txt":
        return read_ids(listed)
    return [row.cells["video_id"] for row in read_table(listed, ["video_id"])]


def _require_split(listed: Path, ids: Sequence[str], word: str, captions: Sequence[Path]) -> None:
    """Refuse a list of another of the authors' splits, where their captions' file tells."""
    splits = {video: split for path in captions for video, split in _video_splits(path)}
    strangers = [video for video in ids if splits.get(video, word) != word]
    if strangers:
        others = Counter(splits[video] for video in strangers)
        where = "; ".join(f"{count} are in {split!r}" for split, count in others.items())
        message = (
            f"{len(strangers)} of {len(ids)} ids of {listed} are not in split {word!r} of "
            f"{captions[0]} (first: {strangers[0]}): {where}. Download the list of this split"
        )
        raise ArgumentError(message)


def _split_ids(captions: Sequence[Path], word: str) -> list[str]:
    """Return the clips that the authors' files put into a split."""
    ids = [video for path in captions for video, split in _video_splits(path) if split == word]
    if not ids:
        where = " and ".join(map(str, captions))
        message = f"no clip has the split {word!r} in {where}; download it again, or bring its list"
        raise ArgumentError(message)
    return ids


def _video_splits(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the clips of a captions' file that it puts into a split, and which."""
    content = read_json(path)
    videos = content.get("videos") if isinstance(content, dict) else None
    for index, video in enumerate(videos if isinstance(videos, list) else []):
        if not isinstance(video, dict) or not isinstance(video.get("video_id"), str):
            message = f"{path} has no string video_id in videos[{index}]; download it again"
            raise ArgumentError(message)
        if isinstance(video.get("split"), str):
            yield video["video_id"], video["split"]
