import argparse

import pytest

from vtlearn.cli.commands import shared_options


def test_what_is_given_and_what_is_not() -> None:
    parser = argparse.ArgumentParser()
    for add in (name for name in shared_options.__all__ if name.startswith("add_")):
        getattr(shared_options, add)(parser)
    assert vars(parser.parse_args(["--model", "x.ckpt"])) == {
        "model": "x.ckpt",
        "stride": 1.0,
        "device": None,
        "max_unreadable_fraction": 0.01,
        "part": None,
    }
    with pytest.raises(SystemExit):
        parser.parse_args([])


def test_the_part_is_the_one_that_is_given_or_that_of_the_rank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_PROCID", "2")
    monkeypatch.setenv("SLURM_NTASKS", "3")
    parser = argparse.ArgumentParser()
    shared_options.add_part(parser)
    parts = [shared_options.choose_part(parser.parse_args(x)) for x in ([], ["--part", "1/4"])]
    assert list(map(str, parts)) == ["3/3", "1/4"]
