from pathlib import Path

import pytest

from vtlearn.cli.config_files import find_config, list_configs, read_yaml, shipped_configs
from vtlearn.errors import ArgumentError


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_shipped_configuration_is_listed_with_what_it_is_for() -> None:
    configs = list_configs()
    assert len(configs) == sum(1 for _ in shipped_configs().rglob("*.yaml"))
    assert all(config.shipped and config.about.endswith((".", "?")) for config in configs)
    kinds = {config.name: config.kind for config in configs}
    assert kinds["configs/vttwins.yaml"] == "method"
    assert kinds["configs/data/kitchen/msrvtt.yaml"] == "data"
    assert kinds["configs/trainer/gpu.yaml"] == "fragment"
    assert "damaged" not in kinds.values()


def test_ones_own_are_listed_too_and_win(workplace: Path) -> None:
    shipped = len(list_configs())
    write(workplace / "configs" / "vttwins.yaml", "# Mine. Longer.\nmodel: {}\n")
    write(workplace / "configs" / "deep" / "er.yml", "trainer: {}\n")
    configs = {config.name: config for config in list_configs()}
    assert len(configs) == shipped + 1
    mine = configs["configs/vttwins.yaml"]
    assert (mine.about, mine.shipped, mine.path) == ("Mine.", False, Path("configs/vttwins.yaml"))
    assert configs["configs/deep/er.yml"].about == ""


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "is not valid YAML"), ("- a\n", "expected a mapping")]
)
def test_a_damaged_one_is_listed_as_such(text: str, said: str, workplace: Path) -> None:
    write(workplace / "configs" / "x.yaml", text)
    (found,) = (config for config in list_configs() if not config.shipped)
    assert found.kind == "damaged"
    assert said in found.about


def test_in_a_clone_none_is_listed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shipped_configs().parent)
    names = [config.name for config in list_configs()]
    assert len(names) == len(set(names)) == len(list(shipped_configs().rglob("*.yaml")))


def test_a_name_of_the_shipped_ones_is_found_anywhere(workplace: Path) -> None:
    shipped = str(shipped_configs() / "trainer" / "gpu.yaml")
    assert find_config("configs/trainer/gpu.yaml") == find_config("trainer/gpu.yaml") == shipped
    write(workplace / "configs" / "trainer" / "gpu.yaml", "trainer: {}\n")
    assert find_config("configs/trainer/gpu.yaml") == "configs/trainer/gpu.yaml"


@pytest.mark.parametrize("name", ["configs/vttwin.yaml", "vttwins"])
def test_what_is_not_there_is_answered_by_the_nearest(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"did you mean configs/vttwins\.yaml\?"):
        find_config(name)


def test_yaml_that_is_none_is_refused(workplace: Path) -> None:
    with pytest.raises(ArgumentError, match=r"x\.yaml is not valid YAML: .*line 2"):
        read_yaml(write(workplace / "x.yaml", "a: [\n"))
