import math

import pytest

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.evaluation.items_to_embed import (
    ItemToEmbed,
    RowToEmbed,
    VectorIds,
    VectorTask,
    chosen_tasks,
    rows_to_embed,
    versioned,
)
from vtlearn.evaluation.retrieval import Retrieval

CLIP = ItemToEmbed("v", [(0.0, math.nan)], {"v/0": "cut", "v/1": "fry"}, "v.mp4")
LONG = ItemToEmbed("w", [(0.0, 2.0), (1.0, 3.0)], {}, "w.mp4")
CLIPS = VectorTask(
    [Retrieval("clips", 1, ["v"], {"v/0": ["v"], "v/1": ["v"]}, windows="whole")], [CLIP]
)
VIDEOS = VectorTask(
    [
        FullVideo(
            *("videos", 2, {"v": ["v"], "w": ["w"]}, {"v": {"v/0": "cut"}, "w": {"w/0": "mix"}}),
            windows="whole",
        )
    ],
    [CLIP, LONG],
)


def test_each_id_is_there_once() -> None:
    ids = VectorIds.of([CLIPS, VIDEOS])
    assert ids.video == ["v", "w@0", "w@1"]
    assert ids.text == ["v/0", "v/1", "w/0"]


def test_an_item_without_windows_has_no_vectors() -> None:
    assert ItemToEmbed("v", []).vector_ids == []


@pytest.mark.parametrize("name", ["videos", "videos@2"])
def test_a_protocol_is_chosen_by_name(name: str) -> None:
    (task,) = chosen_tasks([CLIPS, VIDEOS], name)
    assert [versioned(protocol) for protocol in task.protocols] == ["videos@2"]
    assert task.items == VIDEOS.items


def test_a_protocol_that_is_not_there() -> None:
    with pytest.raises(ArgumentError) as raised:
        chosen_tasks([CLIPS, VIDEOS], "videos@1")
    sentence = "there is no protocol videos@1; did you mean videos@2? there are clips@1, videos@2"
    assert str(raised.value) == sentence


def test_all_that_has_to_be_embedded_is_listed() -> None:
    rows = list(rows_to_embed([CLIPS, VIDEOS]))
    assert rows == [
        RowToEmbed("v", "v.mp4", "0.0", "", "v/0", "cut"),
        RowToEmbed("v", "v.mp4", "0.0", "", "v/1", "fry"),
        RowToEmbed("w@0", "w.mp4", "0.0", "2.0"),
        RowToEmbed("w@1", "w.mp4", "1.0", "3.0"),
        RowToEmbed(text_id="w/0", caption="mix"),
    ]
    ids = VectorIds.of([CLIPS, VIDEOS])
    assert {row.item for row in rows if row.item} == set(ids.video)
    assert {row.text_id for row in rows if row.text_id} == set(ids.text)
