import hashlib

from vtlearn.evaluation.protocol import Coverage, hash_ids


def test_coverage_names_what_is_missing_in_order() -> None:
    assert Coverage.of(["c", "a", "b"], ["b"]) == Coverage(1, 3, ["a", "c"])
    assert Coverage.of(["a"], ["a"]).complete


def test_hash_is_that_of_the_sorted_list_one_id_a_line() -> None:
    expected = hashlib.sha256("a\nb\né\n".encode()).hexdigest()
    assert hash_ids({"b", "é", "a"}) == expected
    assert hash_ids(["ab"]) != hash_ids(["a", "b"])
