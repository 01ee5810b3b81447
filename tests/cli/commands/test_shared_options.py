import argparse

import pytest

from vtlearn.cli.commands import shared_options


def test_what_is_given_and_what_is_not() -> None:
    parser = argparse.ArgumentParser()
    for add in shared_options.__all__:
        getattr(shared_options, add)(parser)
    assert vars(parser.parse_args(["--model", "x.ckpt"])) == {
        "model": "x.ckpt",
        "stride": 1.0,
        "device": None,
        "max_unreadable_fraction": 0.01,
    }
    with pytest.raises(SystemExit):
        parser.parse_args([])
