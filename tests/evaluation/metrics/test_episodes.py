import numpy as np

from vtlearn.evaluation.metrics.episodes import draw_episodes, episode_accuracy

SETS = [[[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]], [[10, 11, 12], [13, 14, 15], [16, 17, 18, 19, 20]]]
CLASS = {
    video: (s, c) for s, group in enumerate(SETS) for c, of in enumerate(group) for video in of
}


def test_an_episode_has_different_classes_of_one_set_and_different_videos() -> None:
    drawn = draw_episodes(SETS, ways=2, videos=3, episodes=3000)
    assert drawn.shape == (3000, 2, 3)
    for one in drawn.tolist():
        classes = [{CLASS[video] for video in of} for of in one]
        assert [len(of) for of in classes] == [1, 1]
        assert classes[0] != classes[1]
        assert len({group for of in classes for group, _ in of}) == 1
        assert len({video for of in one for video in of}) == 6


def test_all_classes_and_videos_are_equally_likely() -> None:
    drawn = draw_episodes(SETS, ways=2, videos=3, episodes=6000)[..., -1].ravel()
    counts = np.bincount(drawn, minlength=21)
    for group in SETS:
        for of in group:
            assert abs(counts[of].sum() / len(drawn) - 1 / 6) < 0.02
            assert counts[of].max() < 1.2 * counts[of].min()


def test_draws_depend_on_the_seed_alone() -> None:
    few = {seed: draw_episodes(SETS, ways=3, videos=2, episodes=5, seed=seed) for seed in (0, 1)}
    assert np.array_equal(few[0], draw_episodes(SETS, ways=3, videos=2, episodes=5))
    assert not np.array_equal(few[0], few[1])


def test_accuracy_by_a_loop() -> None:
    rng = np.random.default_rng(0)
    distance = rng.integers(0, 3, (21, 21)).astype(float)  # with ties
    drawn = draw_episodes(SETS, ways=3, videos=3, episodes=50)
    for shots in (1, 2):
        wanted = []
        for episode in drawn:
            shares = []
            for own, of in enumerate(episode):
                far = [np.mean([distance[of[-1], s] for s in c[:shots]]) for c in episode]
                nearest = [n for n, one in enumerate(far) if one == min(far)]
                shares.append((own in nearest) / len(nearest))
            wanted.append(np.mean(shares))
        found = episode_accuracy(distance, drawn, shots)
        np.testing.assert_allclose(found, wanted)


def test_chunks_change_no_accuracy() -> None:
    distance = np.random.default_rng(0).random((21, 21))
    drawn = draw_episodes(SETS, ways=3, videos=3, episodes=50)
    whole = episode_accuracy(distance, drawn, 2)
    parts = [episode_accuracy(distance, drawn[n : n + 7], 2) for n in range(0, 50, 7)]
    assert np.array_equal(whole, np.concatenate(parts))
