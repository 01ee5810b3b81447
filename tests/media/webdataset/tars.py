"""Tar files for tests, good and bad."""

import io
import json
import tarfile
from pathlib import Path

from vtlearn.media.webdataset.writer import ShardWriter

__all__ = ["member", "pack_kitchen", "pictures", "write_tar"]


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def write_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def pictures(path: Path, *keys: str) -> Path:
    """A shard as img2dataset writes it, with a member nobody asked for."""
    members = []
    for key in keys:
        record = json.dumps({"key": key, "status": "success", "url": "x"}).encode()
        members += [member(f"{key}.jpg", b"picture " + key.encode()), member(f"{key}.json", record)]
        members += [member(f"{key}.npy", bytes(2000)), member(f"{key}.txt", b"two apples")]
    return write_tar(path, *members)


def pack_kitchen(root: Path, folder: Path, max_samples: int = 2) -> Path:
    """Put all videos of a Kitchen into shards, unless they are there."""
    if not folder.exists():
        with ShardWriter(folder, max_samples=max_samples) as writer:
            for video in sorted((root / "videos").iterdir()):
                captions = json.loads((root / "captions" / f"{video.stem}.json").read_text())
                record = json.dumps({"captions": captions}).encode()
                writer.add(video.stem, {"mp4": video, "json": record})
    return folder
