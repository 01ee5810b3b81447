from typing import Any

import pytest

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.captioning import Captioning
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.evaluation.served import Served, require_served

WRITER = Served(
    "Writer",
    embeds=False,
    matches=False,
    writes=True,
    texts=False,
    item_texts=False,
    tokens=True,
    frame_vectors=True,
)
CAPTIONS = Captioning("few-caption", 1, {"v": ["a cat"]}, windows="one")
PAIRS = Retrieval("few", 1, ["v"], {"t": ["v"]}, windows="one")


@pytest.mark.parametrize(
    ("protocol", "changes", "message"),
    [
        (
            CAPTIONS,
            {"writes": False, "embeds": True, "training": True},
            r"^Captioning \(few-caption@1\) needs caption, and Writer does not write: choose a "
            r"model\.head that does, or set data\.init_args\.task=retrieval; to train without",
        ),
        (
            PAIRS,
            {},
            r"^Retrieval \(few@1\) needs embedded vectors, and Writer does not embed: set "
            r"data\.init_args\.task=captioning, where .*, or choose another model\.head$",
        ),
        (
            PAIRS,
            {"embeds": True},
            r"^Retrieval \(few@1\) needs the items' texts, and there is no text encoder beside "
            r"Writer: set data\.init_args\.task=captioning, .* or set model\.text_encoder$",
        ),
    ],
)
def test_both_are_named_and_the_task_that_fits(
    protocol: Captioning | Retrieval, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        require_served([protocol], WRITER._replace(**changes))


def test_a_head_that_does_not_write_is_not_sent_to_captions() -> None:
    for embeds in (False, True):
        with pytest.raises(ArgumentError) as raised:
            require_served([PAIRS], WRITER._replace(writes=False, embeds=embeds))
        assert "task=" not in str(raised.value)


def test_what_can_be_served_is() -> None:
    require_served([CAPTIONS], WRITER)
    require_served([PAIRS], WRITER._replace(embeds=True, item_texts=True))
