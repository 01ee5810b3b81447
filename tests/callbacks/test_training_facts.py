from vtlearn.callbacks.training_facts import differences


def test_an_argument_that_a_version_does_not_have_makes_no_other_head() -> None:
    former = {"head": {"class_path": "vtlearn.heads.S2DTW", "init_args": {"gamma": 0.1}}}
    now = {"head": {"class_path": "S2DTW", "init_args": {"gamma": 0.1, "new": 1}}}
    assert list(differences(former, now)) == []
    now["head"]["init_args"]["gamma"] = 0.2  # type: ignore[index]
    assert list(differences(former, now)) == [
        ("head={'S2DTW': {'gamma': 0.1}}", "head={'S2DTW': {'gamma': 0.2}}")
    ]


def test_memory_makes_no_other_head() -> None:
    former, now = (
        {"head": {"class_path": "S2DTW", "init_args": {"gamma": 0.1, "grid_memory": memory}}}
        for memory in (1000, 2000)
    )
    assert list(differences(former, now)) == []
