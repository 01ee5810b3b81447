import hashlib

from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.result import Coverage, Result, hash_ids


def test_coverage_names_what_is_missing_in_order() -> None:
    assert Coverage.of(["c", "a", "b"], ["b"]) == Coverage(1, 3, ["a", "c"])
    assert Coverage.of(["a"], ["a"]).complete


def test_hash_is_that_of_the_sorted_list_one_id_a_line() -> None:
    expected = hashlib.sha256("a\nb\né\n".encode()).hexdigest()
    assert hash_ids({"b", "é", "a"}) == expected
    assert hash_ids(["ab"]) != hash_ids(["a", "b"])


def test_a_figure_within_chance_is_told() -> None:
    def reaching(value: float, chance: dict[str, Chance]) -> Result:
        metrics, intervals = {"R@1": value}, {"R@1": (value, value)}
        coverage, windows = Coverage.of(["a"], ["a"]), "whole"
        return Result(
            *("pairs", 1, "exact", "dot", windows, "R@1", metrics, intervals, coverage, ""),
            chance=chance,
        )

    chance = {"R@1": Chance(1.0, 0.0, 2.5)}
    assert reaching(2.5, chance).at_chance
    assert not reaching(2.6, chance).at_chance
    assert not reaching(0.0, {}).at_chance
    assert not reaching(0.0, {"R@5": Chance(1.0, 0.0, 2.5)}).at_chance
