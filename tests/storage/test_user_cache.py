from pathlib import Path

import pytest

from vtlearn.storage.user_cache import user_cache


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/cache"}, Path("/cache/vtlearn")),
        ("linux", {}, Path.home() / ".cache" / "vtlearn"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache" / "vtlearn"),
        ("freebsd14", {"LOCALAPPDATA": "/local"}, Path.home() / ".cache" / "vtlearn"),
        ("darwin", {"XDG_CACHE_HOME": "/cache"}, Path.home() / "Library" / "Caches" / "vtlearn"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/vtlearn")),
        ("win32", {}, Path.home() / "AppData" / "Local" / "vtlearn"),
    ],
)
def test_each_platform_has_its_rule(
    platform: str, environment: dict[str, str], expected: Path
) -> None:
    assert user_cache(platform, environment) == expected


def test_the_process_own_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert user_cache("linux") == Path("/elsewhere/vtlearn")
