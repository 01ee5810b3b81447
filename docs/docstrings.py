"""Read docstrings as the site needs them: an extension of griffe, by which mkdocstrings reads."""

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)  # griffe knows the plural alone as code
_ROLE = re.compile(r":[a-z]+:`~?(?:[\w.]*\.)?(\w+)`")
_SOURCE = re.compile(r"^Source:\s*(.*(?:\n +.*)*)", re.MULTILINE)  # a paragraph, not a box
_CODE = re.compile(r"``([^`]+)``")


class PlainDocstrings(griffe.Extension):
    """Make examples code, and references of Sphinx names."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, a class, a function or an attribute.

        Args:
            obj: What has it.
        """
        if obj.docstring is not None:
            text = _EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            text = _SOURCE.sub(lambda found: f"Source: {' '.join(found[1].split())}", text)
            obj.docstring.value = _CODE.sub(r"`\1`", _ROLE.sub(r"`\1`", text))
