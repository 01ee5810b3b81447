import base64
import hashlib
import json
import re
from html import unescape

import pytest

from vtlearn.pages.document import build_document


def page(data: object = None, title: str = "a page") -> str:
    return build_document("search", scripts=["search.js"], title=title, data=data, media=["blob:"])


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--<script>", "a & b", "\u2028", "cut \ud83d"]
)
def test_data_stay_within_their_element(text: str) -> None:
    html = page({"text": text}, text)
    html.encode()
    stored = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert [json.loads(each) for each in stored] == [{"text": text}]
    assert html.count("<script") == 3
    assert html.count("<!--") == 0


def test_the_policy_names_the_script_and_the_style_and_nothing_of_a_network() -> None:
    html = page()
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', html)
    policy = dict(part.split(" ", 1) for part in unescape(content).split("; "))

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.S)
    assert policy == {
        "default-src": "'none'",
        "script-src": digest(script),
        "style-src": digest(style),
        "media-src": "blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not re.findall(r"https?:|//[a-z]|@import|url\(", html)


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match=r"[Bb]ase64"):
        build_document("search", scripts=[], title="", data=None, media=[], attachment="</script>")
