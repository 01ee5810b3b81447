"""Which packages are installed, against what vtlearn asks for; itself it needs none of them."""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, version
from typing import Literal, NamedTuple

from packaging.requirements import Requirement

__all__: list[str] = []

_PACKAGE = "vtlearn"
_FOR_DEVELOPERS = frozenset({"bench", "dev", "docs"})
_KERNELS = ("numba", "triton")  # what the fast ones are compiled by


class Finding(NamedTuple):
    """One line of what ``vtlearn doctor`` prints.

    Attributes:
        name: What was looked at.
        text: What was found.
        state: ``ok``; ``note`` where something could be better; ``fail`` where vtlearn needs what
            does not work.
    """

    name: str
    text: str
    state: Literal["ok", "note", "fail"] = "ok"


def packages() -> Iterator[Finding]:
    """Look up Python, vtlearn, and each package that vtlearn needs.

    Yields:
        A finding each. A package that is absent, or outside the bounds, is a failure.

    Example:
        >>> [finding.name for finding in packages()][:2]
        ['Python', 'vtlearn']
    """
    yield Finding("Python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield Finding(_PACKAGE, version(_PACKAGE))
    for needed in _requirements(""):
        problem = _problem(needed)
        if problem is None:
            yield Finding(needed.name, version(needed.name))
        else:
            line = f"pip install '{needed.name}{needed.specifier}'"
            yield Finding(needed.name, f"{problem}: {line}", "fail")
    for name in _KERNELS:
        if _problem(Requirement(name)) is None:
            yield Finding(name, version(name))


def extras() -> Iterator[Finding]:
    """Look up which optional packages are installed.

    Yields:
        A finding an extra, with the line that installs what is absent.
    """
    for extra in metadata(_PACKAGE).get_all("Provides-Extra") or []:
        if extra not in _FOR_DEVELOPERS:
            yield _extra(extra, list(_requirements(extra)))


def _extra(extra: str, wanted: Iterable[Requirement]) -> Finding:
    problems = {each.name: _problem(each) for each in wanted}
    told = ", ".join(f"{name} ({why})" if why else name for name, why in problems.items())
    if any(problems.values()):
        return Finding(extra, f"{told}: pip install '{_PACKAGE}[{extra}]'", "note")
    return Finding(extra, told)


def _requirements(extra: str) -> Iterator[Requirement]:
    """Read what vtlearn says it needs; with an extra, what that one adds."""
    for line in metadata(_PACKAGE).get_all("Requires-Dist") or []:
        requirement = Requirement(line)
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        added = marker is not None and not always and marker.evaluate({"extra": extra})
        if added if extra else always:
            yield requirement


def _problem(requirement: Requirement) -> str | None:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return "not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{found} is installed, {requirement.specifier} is needed"
