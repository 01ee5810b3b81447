import pytest

from vtlearn.storage.progress import count_up, track


def test_items_pass_and_the_bar_keeps_out_of_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(track(iter("abc"), "Spelling", total=3)) == ["a", "b", "c"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Spelling" in shown.err
    assert "3/3" in shown.err


def test_steps_are_counted_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    with count_up("Counting", 5) as advance:
        advance(2, "1 per second")
        advance(3, "2 per second")
    shown = capsys.readouterr()
    assert "Counting" in shown.err
    assert "5/5" in shown.err
    assert "2 per second" in shown.err
    assert shown.out == ""


def test_nothing_is_shown_where_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with count_up("Counting", 5, show=False) as advance:
        advance(5, "")
    assert capsys.readouterr().err == ""
