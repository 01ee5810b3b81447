"""What makes the batches of a training the ones that they are."""

import hashlib
from typing import Any

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.mixture import Mixture
from vtlearn.datasets.shards import ShardStream

__all__ = ["identity_of"]


def identity_of(data: VideoTextData) -> dict[str, Any]:
    """Describe what a training that is resumed has to have as it was.

    Args:
        data: Set up for training.

    Returns:
        Plain values by name: the class, the seed, the size of a batch, how many samples there are,
        and a hash of their ids; of a stream the number of shards and the buffer too; those of each
        source of a mixture.
    """
    if isinstance(data, Mixture):
        sources = {name: identity_of(source) for name, source in data.sources.items()}
        named = {
            f"{name}.{what}": x for name, facts in sources.items() for what, x in facts.items()
        }
        batches = {"batches_per_epoch": data.batches_per_epoch}
        return {"data": "Mixture", "weights": data.weights, **batches, **named}
    dataset = data.train_dataset()
    ids = dataset.index.keys if isinstance(dataset, ShardStream) else dataset.ids
    digest = hashlib.sha256()
    for one in ids:
        digest.update(f"{one}\n".encode("utf-8", "surrogateescape"))
    return {
        "data": type(data).__name__,
        "seed": data.seed,
        "batch_size": data.batch_size,
        "samples": len(ids),
        "ids_sha256": digest.hexdigest(),
        **(_stream_facts(dataset) if isinstance(dataset, ShardStream) else {}),
    }


def _stream_facts(stream: ShardStream) -> dict[str, Any]:
    """Describe what a stream's readers are dealt, and in which order they give it."""
    return {"shards": len(stream.index.shards), "shuffle_buffer": stream.shuffle_buffer}
