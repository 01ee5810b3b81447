from pathlib import Path
from typing import Any

from tests.media.webdataset.tars import pack_kitchen
from tests.models import LOADING, tiny_kitchen
from vtlearn.datamodules import Mixture, Shards
from vtlearn.datamodules.identity import identity_of


def test_it_tells_corpora_seeds_and_batches_apart(
    kitchen_root: Path, small: dict[str, int]
) -> None:
    def facts(**options: Any) -> dict[str, Any]:
        return identity_of(tiny_kitchen(kitchen_root, small, **options))

    assert facts() == facts(num_workers=2)
    for name, value in (("batch_size", 2), ("seed", 1)):
        other = facts(**{name: value})
        assert {key for key in other if other[key] != facts()[key]} == {name}
    assert (facts()["data"], facts()["samples"]) == ("Kitchen", 8)


def test_a_mixture_is_what_its_sources_are(kitchen_root: Path, small: dict[str, int]) -> None:
    sources = {name: tiny_kitchen(kitchen_root, small) for name in ("a", "b")}
    facts = identity_of(Mixture(sources, {"a": 1, "b": 3}))
    assert facts["weights"] == {"a": 0.25, "b": 0.75}
    assert facts["a.ids_sha256"] == facts["b.ids_sha256"]
    fewer = identity_of(Mixture(sources, {"a": 1, "b": 3}, batches_per_epoch=2))
    assert {name for name in facts if facts[name] != fewer[name]} == {"batches_per_epoch"}


def test_a_stream_is_what_its_readers_are_dealt(kitchen_root: Path, tmp_path: Path) -> None:
    folder = pack_kitchen(kitchen_root, tmp_path / "shards")
    one, other = (
        identity_of(Shards(folder, **LOADING, batch_size=1, shuffle_buffer=n)) for n in (4, 8)
    )
    assert {name for name in one if one[name] != other[name]} == {"shuffle_buffer"}
    assert one["shards"] == 7
