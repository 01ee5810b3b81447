from vtlearn.media.video.recent import Recent


def test_the_oldest_is_forgotten_and_what_is_put_anew_is_not_old() -> None:
    recent = Recent[str, int](2)
    recent.put("a", 1)
    recent.put("b", 2)
    recent.put("a", 3)
    recent.put("c", 4)
    assert [recent.get(key) for key in "abc"] == [3, None, 4]
