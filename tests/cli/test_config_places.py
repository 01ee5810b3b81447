from pathlib import Path

import pytest

from vtlearn.cli.config_places import find_class, find_place

METHOD = """\
# a comment
model:
  head:
    class_path: S2DTW
    init_args: {gamma: 0.2}
  frozen: [video_encodr]
trainer:
  callbacks+:
  - class_path: EarlyStopping
    init_args:
      monitr: a
"""


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    method, data = tmp_path / "method.yaml", tmp_path / "data.yaml"
    method.write_text(METHOD)
    data.write_text("class_path: Kitchen\ninit_args:\n  rot: x\n")
    return [method, data]


@pytest.mark.parametrize(
    ("key", "message", "expected"),
    [
        (
            "model.head.gamma",
            "S2DTW has no option gamma",
            "method.yaml:5: model.head.init_args.gamma",
        ),
        ("model.head", "there is no class S2DTW", "method.yaml:4: model.head.class_path"),
        ("model.head.absent", "no option absent", "method.yaml:5: model.head.init_args"),
        (
            "trainer.callbacks.monitr",
            "EarlyStopping has no option monitr",
            "method.yaml:11: trainer.callbacks+.init_args.monitr",
        ),
        ("data.rot", "Kitchen has no option rot", "data.yaml:3: data.init_args.rot"),
        ("", "gamma=0.2 of S2DTW: too small", "method.yaml:5: model.head.init_args.gamma"),
        ("", "frozen names video_encodr", "method.yaml:6: model.frozen"),
    ],
)
def test_the_line_is_found(key: str, message: str, expected: str, paths: list[Path]) -> None:
    place = find_place(paths, key, message)
    assert place is not None
    assert str(place) == str(paths[0].parent / expected)


def test_later_files_win(paths: list[Path], tmp_path: Path) -> None:
    later = tmp_path / "later.yaml"
    later.write_text("model: {head: {init_args: {gamma: 0.3}}}\n")
    place = find_place([*paths, later], "model.head.gamma", "wrong")
    assert place is not None
    assert (place.path, place.value) == (later, "0.3")
    named = find_place([*paths, later], "model.head.gamma", "gamma=0.2 is wrong")
    assert named is not None
    assert named.path == paths[0]  # whose value stands in the message


def test_what_no_file_has_is_not_found(paths: list[Path]) -> None:
    assert find_place(paths, "optimizer.lr", "wrong") is None
    assert find_place(paths, "", "wrong") is None


def test_files_that_cannot_be_read_have_no_places(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [")
    assert find_place([tmp_path / "x.yaml", tmp_path / "absent.yaml"], "a", "a") is None


def test_a_class_is_found_by_its_name(paths: list[Path]) -> None:
    message = "Problem with given class_path 'pytorch_lightning.callbacks.EarlyStopping'"
    place = find_class(paths, message)
    assert place is not None
    assert (place.path, place.line) == (paths[0], 9)
    assert find_class(paths, "class_path 'torch.optim.AdamW'") is None
