"""MSR-VTT: ten thousand clips of web videos, each of which 20 people described in a sentence.

Clips and sentences are as its authors published them; which are trained on and which sentence asks
for which clip is in lists that later papers published, the split 1k-A.
"""

from pathlib import Path

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.captioned import (
    CaptionedClip,
    CaptionedCorpus,
    list_clips,
    read_captions,
    require_clips,
)
from vtlearn.datasets.files import first_file, first_files, require_paths
from vtlearn.datasets.lists import read_table
from vtlearn.errors import ArgumentError
from vtlearn.suggestions import nearest

__all__ = ["MSRVTT", "read_msrvtt"]

SPLITS = ("1kA-9k", "1kA-7k", "1kA-test")
"""What can be read: two training lists, the longer of which contains the other, and the test."""

_LISTS = (  # of each split, by the names that it circulates under
    ["MSRVTT_train.9k.csv"],
    ["MSRVTT_train.7k.csv"],
    ["MSRVTT_JSFUSION_test.csv", "msrvtt_test.csv"],
)
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
        split: ``1kA-9k`` or ``1kA-7k``, whose clips have all their captions (the ids of these
            are ``<video_id>#<k>``), or ``1kA-test``, whose clips have the sentence that asks for
            them (``ret<k>``).
        videos: The folder of the videos, however deep, in place of ``root``.
        max_missing: How many of the clips may lack their files (a share of them, if less than 1);
            these are listed all the same, so that they are counted where they are read. None for
            any number, where features are read and videos need not be there.

    Returns:
        The clips in the list's order.

    Raises:
        CorpusNotFoundError: If the folder, an annotation file, or every listed video is not there.
        ArgumentError: If there is no such split, a file holds anything else, listed clips have no
            captions, or more of them than may lack their files, or have several.

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
    if split not in SPLITS:
        message = (
            f"{_NAME} has no split {split!r}; it has {', '.join(SPLITS)}{nearest(split, SPLITS)}"
        )
        raise ArgumentError(message)
    names = _LISTS[SPLITS.index(split)]
    listed = first_file(root, names, _FOLDERS)
    captions = [] if split == "1kA-test" else first_files(root, _CAPTIONS, _FOLDERS)
    expected = {listed: f"the list of {split} ({' or '.join(names)})"}
    any_of = "; or ".join(" and ".join(names) for names in _CAPTIONS)
    expected |= dict.fromkeys(captions, f"captions ({any_of})")
    if max_missing is not None:
        expected[videos or root] = "videos, <id>.mp4, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)
    texts: dict[str, dict[str, str]] = {}
    if captions:
        ids = [row.cells["video_id"] for row in read_table(listed, ["video_id"])]
        texts = read_captions(captions, ids, listed)
    else:
        for row in read_table(listed, ["key", "video_id", "sentence"], unique="key"):
            texts.setdefault(row.cells["video_id"], {})[row.cells["key"]] = row.cells["sentence"]
    if not texts:
        message = f"{listed} lists no clips; download it again"
        raise ArgumentError(message)
    clips = list_clips(videos or root, texts)
    if max_missing is not None:
        require_clips(_NAME, clips, listed, _SOURCE, max_missing)
    return clips
