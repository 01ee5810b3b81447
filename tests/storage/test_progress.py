import pytest

from vtlearn.storage.progress import track


def test_items_pass_and_the_bar_keeps_out_of_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(track(iter("abc"), "Spelling", total=3)) == ["a", "b", "c"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Spelling" in shown.err
    assert "3/3" in shown.err
