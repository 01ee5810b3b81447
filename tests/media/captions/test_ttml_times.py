import pytest

from vtlearn.media.captions.ttml_times import TimeReader, is_apple
from vtlearn.media.captions.xml_tree import Element


def test_apples_times_are_those_of_most_of_a_file() -> None:
    assert is_apple(["0.5", "1:02.3", "25"])
    assert is_apple(["59.9", "58.1", "1:00:02.3"])
    assert not is_apple(["14s", "16s", "18"])
    assert not is_apple(["00:00:14.000", "00:00:16.000", "18"])
    assert not is_apple(["25f", "30t", "1.5h"])
    assert not is_apple([])


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ({"timeBase": "smpte"}, 3603.6),
        ({"timeBase": "smpte", "dropMode": "nonDrop"}, 3603.6),
        ({"timeBase": "smpte", "dropMode": "dropNTSC"}, 3599.9964),
        ({"timeBase": "media", "dropMode": "dropNTSC"}, 3600.0),
        ({}, 3600.0),
    ],
)
def test_clocks_of_smpte_count_frames(attributes: dict[str, str], seconds: float) -> None:
    rates = {"frameRate": "30", "frameRateMultiplier": "1000 1001"}
    reader = TimeReader(Element("tt", "", {**rates, **attributes}, 1))
    assert float(reader.seconds("01:00:00:00")) == pytest.approx(seconds, abs=1e-9)
    assert float(reader.seconds("01:00:00")) == pytest.approx(seconds, abs=1e-9)


def test_pal_drops_numbers_too() -> None:
    names = {"frameRate": "30", "timeBase": "smpte", "dropMode": "dropPAL"}
    names["frameRateMultiplier"] = "1000 1001"
    reader = TimeReader(Element("tt", "", names, 1))
    assert reader.seconds("01:00:00:00") * 30000 / 1001 == 3600 * 30 - 4 * 27
    assert reader.seconds("00:02:00:00") * 30000 / 1001 == 120 * 30 - 4
