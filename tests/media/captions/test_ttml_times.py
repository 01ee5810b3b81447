from vtlearn.media.captions.ttml_times import is_apple


def test_apples_times_are_those_of_most_of_a_file() -> None:
    assert is_apple(["0.5", "1:02.3", "25"])
    assert is_apple(["59.9", "58.1", "1:00:02.3"])
    assert not is_apple(["14s", "16s", "18"])
    assert not is_apple(["00:00:14.000", "00:00:16.000", "18"])
    assert not is_apple(["25f", "30t", "1.5h"])
    assert not is_apple([])
