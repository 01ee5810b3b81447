"""Which annotation files there are: their hash, and whether they are the published ones."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.manifest import read_manifest

__all__ = ["are_published", "hash_annotations"]

#: SHA-256 of files as they were published, by the names that they circulate under.
_PUBLISHED = {
    "MSRVTT_JSFUSION_test.csv": "e61144b312c8a2fc2126f96504c981f8c23c05b3ba9655a56e2af50ac8a4b16a",
    "msrvtt_test.csv": "e61144b312c8a2fc2126f96504c981f8c23c05b3ba9655a56e2af50ac8a4b16a",
    "test_list_full.txt": "e033df45731e025a1b7b4731ee3eddc400b6040c93fffd4ab3eb45a551f0526e",
    "test_list_miech.txt": "e2b489732475874bb32dd2689bd3a1e13a8473a9bf69a6b97efb8f39a1c12d1e",
    "val_list_full.txt": "be5b1994f643740b80796c392d7b472deed45ddce69ce13fee87609ce303ab3f",
    "validation_youcook.csv": "57d6bdea77c70114cbfad5b057e9500173f14b1c3a0f9c51bd1a716cd504cac1",
    "crosstask.csv": "6b515242fde24b4a08a6c03e4578c5ab0991a892ba94f942d0d96cf7721e19ac",
}


def hash_annotations(paths: Sequence[Path]) -> str:
    """Hash the files that say what there is to score.

    Args:
        paths: The files, one or more.

    Returns:
        SHA-256 in hexadecimal: of one file what ``sha256sum`` prints; of several that of a line
        ``<name> <sha256>`` for each, sorted.

    Raises:
        ArgumentError: If one cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.csv")
        ...     _ = file.write_text("")
        ...     hash_annotations([file])[:16]
        'e3b0c44298fc1c14'
    """
    if len(paths) == 1:
        return _sha256(paths[0])
    lines = sorted(f"{path.name} {_sha256(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def are_published(paths: Sequence[Path]) -> bool | None:
    """Tell whether annotation files are those that were published.

    Args:
        paths: The files.

    Returns:
        Whether they are, which Kitchen's are not; None where the published files are not known.
    """
    known = [_PUBLISHED.get(path.name) for path in paths]
    if any(
        expected is not None and expected != _sha256(path)
        for expected, path in zip(known, paths, strict=True)
    ):
        return False
    if None not in known:
        return True
    return False if any(map(_is_rendered, paths)) else None


def _is_rendered(path: Path) -> bool:
    """Tell whether a file is of a corpus that Kitchen wrote, in its folder or the one above."""
    for folder in path.parents[:2]:
        try:
            if read_manifest(folder) is not None:
                return True
        except ArgumentError:  # another program's manifest
            continue
    return False


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise ArgumentError(message) from error
