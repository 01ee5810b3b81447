"""HTML files of one piece: styles, scripts and data within, and a policy that forbids the rest."""

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from vtlearn.unicode import replace_surrogates

__all__: list[str] = []

#: What a script may hold as text: no end of an element and no comment can begin in it.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def build_document(
    name: str,
    *,
    scripts: Sequence[str],
    title: str,
    data: Any,
    media: Sequence[str],
    attachment: str = "",
) -> str:
    """Put a page together from files in this folder.

    Args:
        name: ``name.html`` is the body, and ``name.css`` its style, upon ``page.css``.
        scripts: Which files make its script, after ``page.js``, in this order.
        title: The page's title, as text.
        data: What the script shows; anything that JSON can hold, without NaN.
        media: Where videos may come from, as sources of a Content-Security-Policy.
        attachment: Base64 that the script reads apart from ``data``.

    Returns:
        The file's text. Its policy allows these scripts and styles alone, by their SHA-256, and no
        request of a script.

    Raises:
        ValueError: If ``data`` holds what JSON cannot, or ``attachment`` is not base64.

    Example:
        >>> page = build_document(
        ...     "search", scripts=["search.js"], title="<b>", data={"hits": []}, media=["'none'"]
        ... )
        >>> "<title>&lt;b&gt;</title>" in page
        True
    """
    base64.b64decode(attachment, validate=True)
    style = _read("page.css") + _read(f"{name}.css")
    script = "".join(map(_read, ("page.js", *scripts)))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        f"media-src {' '.join(media)}; base-uri 'none'; form-action 'none'"
    )
    return Template(_read("page.html")).substitute(
        policy=escape(policy),
        title=escape(replace_surrogates(title)),
        style=style,
        body=_read(f"{name}.html"),
        data=_to_json(data),
        attachment=attachment,
        script=script,
    )


def _to_json(data: Any) -> str:
    # ASCII alone: half a surrogate pair, and what ends a line in JavaScript, are escaped
    return json.dumps(data, ensure_ascii=True, allow_nan=False).translate(_ESCAPES)


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _read(name: str) -> str:
    return files("vtlearn.pages").joinpath(name).read_text(encoding="utf-8")
