"""SoundClock, with packets that are made up: of 10 ticks per second, a second long."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from vtlearn.media.video import sound_clock
from vtlearn.media.video.sound_clock import SoundClock


@dataclass
class Packet:
    """What a clock looks at of a packet."""

    dts: int | None
    pos: int | None = None
    duration: int = 10
    time_base: Fraction = Fraction(1, 10)

    def __post_init__(self) -> None:
        self.pts = self.dts


def heard(
    packets: Iterable[tuple[str, float]], *, is_alone: bool = False, places: Any = None
) -> list[float]:
    """When sound is heard, of packets (p: picture, s: sound) in the order in which they come."""
    clock: Any = SoundClock(0.1, is_alone=is_alone, by_position=places is not None)
    found: list[Packet] = []
    for number, (kind, second) in enumerate(packets):
        packet = Packet(round(second * 10), None if places is None else places[number])
        (clock.add_picture if kind == "p" else clock.add_sound)(packet)
        found += clock.ready()
    found += clock.ready(is_end=True)
    assert all(packet.pts == packet.dts for packet in found)
    return [(packet.dts or 0) / 10 for packet in found]


def test_a_clock_that_goes_on_changes_nothing() -> None:
    packets = [("p", 0), ("s", 0), ("p", 1), ("s", 1.3), ("s", 9), ("p", 2), ("s", 9.5)]
    assert heard(packets) == [0, 1.3, 9, 9.5]


def test_sound_goes_where_its_picture_goes() -> None:
    packets = [("p", 0), ("s", 0), ("p", 1), ("p", 2), ("p", 0), ("s", 0), ("p", 1), ("s", 1)]
    assert heard(packets) == [0, 3, 4]


def test_sound_may_come_before_its_picture() -> None:
    packets = [("p", 0), ("s", 0), ("p", 1), ("s", 1), ("s", 0), ("p", 0), ("s", 1), ("p", 1)]
    assert heard(packets) == [0, 1, 2, 3]


def test_sound_may_come_after_the_picture_of_the_next_part() -> None:
    packets = [("p", 0), ("s", 0), ("p", 9), ("p", 0), ("s", 9), ("s", 0), ("p", 1), ("s", 1)]
    places = [0, 1, 2, 4, 3, 5, 6, 7]  # a packet of an MPEG stream is told late
    assert heard(packets, places=places) == [0, 9, 10, 11]


def test_the_last_sound_of_a_part_may_be_behind_its_picture() -> None:
    packets = [("p", 0), ("s", 0), ("p", 5), ("s", 1), ("s", 0), ("p", 0), ("p", 5), ("s", 1)]
    assert heard(packets) == [0, 1, 6, 7]


def test_the_clock_starts_again_though_a_part_has_no_sound() -> None:
    packets = [("p", 0), ("s", 0), ("p", 3), ("p", 0), ("p", 5), ("p", 0), ("s", 0), ("p", 2)]
    assert heard(packets) == [0, 10]


def test_sound_that_goes_back_beside_a_picture_that_does_not_keeps_to_it() -> None:
    packets = [("p", 0), ("s", 0), ("p", 1), ("s", 4), ("p", 2), ("s", 2), ("p", 3), ("s", 3)]
    assert heard(packets) == [0, 4, 2, 3]


def test_sound_far_from_any_picture_goes_on_where_it_ended() -> None:
    packets = [("p", 0), ("s", 0), *(("s", n) for n in (30, 31, 0, 1, 2))]
    assert heard(packets) == [0, 30, 31, 32, 33, 34]


def test_sound_alone_goes_on_where_it_ended() -> None:
    assert heard([("s", n) for n in (0, 1, 0, 1)], is_alone=True) == [0, 1, 2, 3]


def test_a_packet_without_a_time_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_clock, "_WAITING", 0)
    clock: Any = SoundClock(0.1, is_alone=False, by_position=False)
    clock.add_picture(Packet(None))
    clock.add_sound(Packet(None))
    (packet,) = clock.ready()
    assert packet.dts is None


def test_not_all_of_it_waits_for_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_clock, "_WAITING", 3)
    clock: Any = SoundClock(0.1, is_alone=False, by_position=False)
    clock.add_picture(Packet(0))
    for second in range(3):
        clock.add_sound(Packet(10 * second))
        assert not list(clock.ready())
    clock.add_sound(Packet(30))
    assert [packet.dts for packet in clock.ready()] == [0]
