"""Expand ``{00000..00012}`` in the names of shards, as a shell does.

Home-made although braceexpand exists: that is a dependency of every installation for forty lines,
and raises an error at a single brace, which the name of a file may have.
"""

__all__: list[str] = []


def expand_braces(pattern: str) -> list[str]:
    """List what a pattern of shards stands for.

    Args:
        pattern: Text with any number of ``{00000..00012}`` and ``{train,extra}``, not nested.

    Returns:
        Every combination, the last braces changing fastest. Numbers have as many digits as the
        longer of the two ends where one of these begins with a zero.

    Example:
        >>> expand_braces("{a,b}/{08..10}.tar")
        ['a/08.tar', 'a/09.tar', 'a/10.tar', 'b/08.tar', 'b/09.tar', 'b/10.tar']
    """
    before, opening, rest = pattern.partition("{")
    inside, closing, after = rest.partition("}")
    if not opening or not closing:
        return [pattern]
    return [before + choice + end for choice in _choices(inside) for end in expand_braces(after)]


def _choices(inside: str) -> list[str]:
    first, dots, last = inside.partition("..")
    if not dots or not (first.isdecimal() and last.isdecimal()):
        return inside.split(",") if "," in inside else [f"{{{inside}}}"]
    padded = any(end.startswith("0") and len(end) > 1 for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    step = 1 if int(first) <= int(last) else -1
    return [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]
