import pytest

from vtlearn.cli.commands.clock import clock_time


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0:00.0"),
        (59.96, "1:00.0"),
        (61.24, "1:01.2"),
        (3599.99, "1:00:00.0"),
        (36_000, "10:00:00.0"),
    ],
)
def test_tenths_are_rounded_before_minutes_are_counted(seconds: float, shown: str) -> None:
    assert clock_time(seconds) == shown
