from vtlearn.datasets.base import SampleKey, generator, replacements


def test_draws_differ_by_epoch_index_and_seed() -> None:
    keys = [(0, SampleKey(0, 1)), (0, SampleKey(1, 0)), (0, SampleKey(1, 1)), (1, SampleKey(0, 1))]
    assert len({generator(seed, key).random() for seed, key in keys}) == 4


def test_replacements_try_every_sample_once_in_an_order_of_their_own() -> None:
    orders = [list(replacements(9, SampleKey(epoch, 4), seed=3)) for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    for order in orders:
        assert order[0] == 4
        assert sorted(order) == list(range(9))
