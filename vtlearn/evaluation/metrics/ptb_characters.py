"""What each character is to the tokenizer of captions: of a word, a word by itself, or nothing.

The ranges were found by giving each character of Unicode's basic plane to PTBTokenizer. Those that
Unicode has assigned since are taken for what they are: letters, or nothing.
"""

import re

__all__: list[str] = []

# words of their own, wherever they stand
_SYMBOLS = (
    r"\u00a1\u00a5-\u00a9\u00ac\u00ae-\u00b4\u00b6-\u00b9\u00bf\u00d7\u00f7\u037e\u0387\u0589"
    r"\u05be\u05c0\u05c3\u05c6\u05f3-\u0603\u0606-\u060c\u0614\u061b\u061e-\u061f\u066a\u066d"
    r"\u06d4\u0700-\u070d\u07f6-\u07f8\u0964-\u0965\u0e3f\u0e4f\u1fbd\u2016-\u2017\u201a"
    r"\u201e-\u2023\u2030-\u2038\u203b\u203e-\u2042\u2070\u2074-\u207e\u2080-\u208e\u20a4"
    r"\u2100-\u2101\u2103-\u2106\u2108-\u2109\u2114\u2116-\u2118\u211e-\u2123\u2125\u2127\u2129"
    r"\u212e\u213a-\u213b\u2140-\u2144\u214a-\u214d\u214f\u2155-\u215e\u2190-\u2bff\u3001-\u3002"
    r"\u3012\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffe1\uffe5-\uffe6"
)
# continue a word, and cannot begin one
MARKS = (
    r"\u02c2-\u02c5\u02d2-\u02df\u02e5-\u02eb\u02ed\u02ef-\u036f\u0375\u0378-\u0379\u0384-\u0385"
    r"\u03f6\u0483-\u0487\u055a-\u055f\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7"
    r"\u0615-\u061a\u064b-\u065e\u0670\u06d6-\u06e4\u06e7-\u06ed\u06fd-\u06fe\u070f\u0711"
    r"\u0730-\u074c\u07a6-\u07b0\u07eb-\u07f3\u0900-\u0903\u093c\u093e-\u094e\u0951-\u0955"
    r"\u0962-\u0963\u0981-\u0983\u09bc\u09be-\u09cd\u09d7\u09e2-\u09e3\u0a01-\u0a03\u0a3c-\u0a4f"
    r"\u0a81-\u0a83\u0abc\u0abe-\u0acf\u0b82\u0bbe-\u0bcd\u0c01-\u0c03\u0c3e-\u0c56\u0d3e-\u0d48"
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
)
_WRITTEN_AS = str.maketrans(
    {
        "\u00ad": "",  # a soft hyphen: the word goes on
        "\x80": " $ ",
        "\x92": "\u2019",
        "\u00a4": " $ ",
        "\u20a0": " $ ",
        "\u20ac": " $ ",
        "\u00a3": " # ",
        "\u00a2": " cents ",
    }
)
_ALONE = re.compile(rf"[{_SYMBOLS}\u00bc-\u00be\u2153\u2154]")
_DROPPED = re.compile(
    rf"[^!-~\w{MARKS}{_SYMBOLS}\u00bc-\u00be\u2044\u058a\u066b\u066c\u2010\u2011\u2019]"
    r"|[\U00010000-\U0010ffff]"
)


def simplify_characters(text: str) -> str:
    """Make all of a text but letters, digits and ASCII signs stand alone, or go.

    Curly quotes, dashes and line separators end a word and are nothing themselves, like all beyond
    the basic plane (emoji).

    Args:
        text: Any text.

    Returns:
        The text, with plain spaces.

    Example:
        >>> simplify_characters("5\u20ac \u2014 20\u00b0C\u2028so \u201ccool\u201d").split()
        ['5', '$', '20', '\u00b0', 'C', 'so', 'cool']
    """
    written = text.translate(_WRITTEN_AS)
    return _DROPPED.sub(" ", _ALONE.sub(r" \g<0> ", written))
