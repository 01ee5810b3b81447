r"""Split captions into words exactly as the published caption scores do: by Penn Treebank rules.

The scores of pycocoevalcap are computed on what ``PTBTokenizer`` of CoreNLP 3.4.1 makes of captions
(``-preserveLines -lowerCase``), less 17 kinds of punctuation, and equal published ones only on the
same words. This gives them without Java, oddities included: brackets stay, as ``-lrb-``; so do
``??`` and ``!!``; a euro sign is a ``$``, a pound sign a ``#``; ``1 1/2`` is one word with a
no-break space inside. One fault is left out: there a caption that holds a line separator becomes
two, and all later captions get the words of another. And a caption is taken alone: there the first
word of the next one may decide whether ``vitamin c.`` keeps its dot at the end.

The rules were found by giving text to that tokenizer and looking at what came out. They are meant
for captions, not for source code.
"""

import re
from collections.abc import Callable

from vtlearn.evaluation.metrics.ptb_characters import MARKS, simplify_characters

__all__ = ["tokenize"]

_LETTER = r"[^\W\d_]"
_IN_WORD = rf"(?:[^\W_]|[{MARKS}])"  # letters, digits, and what continues a word
_QUOTE = "['\u2019]"
_ADDRESS = r'[^\s"<>|()]'
_LAST = r'[^\s"<>|.!?(){},-]'
_ENDING = rf"{_QUOTE}(?:s|m|d|ll|re|ve)(?![a-z0-9])"
_PART = rf"{_LETTER}{_IN_WORD}*"

_SPLIT = {
    "cannot": ["can", "not"],
    "gimme": ["gim", "me"],
    "gonna": ["gon", "na"],
    "gotta": ["got", "ta"],
    "lemme": ["lem", "me"],
    "wanna": ["wan", "na"],
}
_ABBREVIATIONS = """
    adj adm adv al ala alex apr ariz assn assoc attys aug ave bhd bldg blvd brig bros calif capt cf
    cie cmdr co col colo conn corp cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb
    fla fri ft ga gen gov hon inc ind insp intl invt jan jos jr jul jun kan ky lt ltd maj mar md
    messrs mfg mich minn mme mo mon mr mrs ms mt mtg natl neb nev nov oct okla penn pfc ph ph\\.d
    plc pres prof profs pte pty pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st
    ste supt sys tel tenn thu thurs tue tues univ va vs vt wed wis wisc wm wyo
"""
_BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"
_SENTENCE_STARTS = """
    a about according after an as at but earlier he her here however if in it last many more now
    once one other our she since so some such that the their then there these they this we what when
    while yet you
"""
_BRACKETS = str.maketrans(
    {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
)
_FRACTIONS = {"\u00bd": "1/2", "\u00bc": "1/4", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_PUNCTUATION = frozenset("'.?!,:-;`\"\u2019\u2010\u2011\u058a\u066b\u066c")
_PLAIN = re.compile(r"[a-zA-Z]+(?=\s|$)")


def tokenize(caption: str) -> list[str]:
    """Split a caption into lower-case words, without punctuation.

    Args:
        caption: Any text; whatever separates lines is a space.

    Returns:
        The words. One with a no-break space in it is two words to CIDEr and BLEU, as published.

    Example:
        >>> tokenize("He isn't slicing \u00bd an onion (red) -- wow!!")
        ['he', 'is', "n't", 'slicing', '1/2', 'an', 'onion', '-lrb-', 'red', '-rrb-', 'wow', '!!']
    """
    text = simplify_characters(caption)
    words: list[str] = []
    at = 0
    while at < len(text):
        plain = _PLAIN.match(text, at)
        if plain is not None:
            word, at = plain.group().lower(), plain.end()
            words += _SPLIT.get(word, [word])
        elif text[at] == " ":
            at += 1
        else:
            found, write = _longest(text, at)
            words += write(found.lower())
            at += len(found)
    return words


_Write = Callable[[str], list[str]]


def _longest(text: str, at: int) -> tuple[str, _Write]:
    """Find what begins here: as in any generated lexer the longest match, of equals the first."""
    best, length = text[at], 0
    best_write: _Write = _write_sign
    for pattern, write in _RULES:
        match = pattern.match(text, at)
        if match is not None and match.end() - at > length:
            best, best_write, length = match.group(), write, match.end() - at
    return best, best_write


def _write(found: str) -> list[str]:
    written = found.replace("(", "-lrb-").replace(")", "-rrb-")
    return [written.replace(" ", "\u00a0")]


def _write_word(found: str) -> list[str]:
    return _SPLIT.get(found) or [_FRACTIONS.get(found, found)]


def _write_ending(found: str) -> list[str]:
    return ["'" + found[1:]]


def _write_negation(found: str) -> list[str]:
    at = max(found.rfind("n't"), found.rfind("n\u2019t"))
    ending = "n't" if len(found) == at + 3 else found[at:]
    return [found[:at], ending] if at else [ending]


def _write_beginning(_found: str) -> list[str]:
    return ["'t"]


def _write_entity(found: str) -> list[str]:
    return [_ENTITIES.get(found, found)]


def _write_sign(found: str) -> list[str]:
    return [] if found in _PUNCTUATION else [found.translate(_BRACKETS)]


def _skip(_found: str) -> list[str]:
    return []


def _any_of(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


_HYPHENED = rf"{_IN_WORD}+(?:[-_\u2010\u2011\u058a]{_IN_WORD}+)*"
_RULES: list[tuple[re.Pattern[str], _Write]] = [
    (re.compile(pattern, re.IGNORECASE), write)
    for pattern, write in (
        (rf"{_IN_WORD}+", _write_word),
        (rf"(?:{_IN_WORD}*[a-mo-z])?n{_QUOTE}t{_LETTER}*", _write_negation),
        # joined words: mother-in-law, a_b, d'angelo, and/or, e.g.this, hawai'i
        (rf"(?:[dlno]{_QUOTE}(?={_IN_WORD}{{2}}))?{_HYPHENED}", _write),
        (
            r"(?!\d+-\d+/)[a-z0-9]+(?:-[a-z0-9]+)*"
            r"(?:\\?/[a-z0-9]+(?:-[a-z][a-z0-9]*)*){1,2}",
            _write,
        ),
        (r"(?-i:[A-Z]+(?:[&+][A-Z]+)+)", _write),
        (rf"{_PART}(?:[.!?]{_PART})+(?:-{_IN_WORD}+)*", _write),
        (rf"{_IN_WORD}+[aeiouy]{_QUOTE}[aeiou]{_IN_WORD}*|e'er|c'mon|cap'n|s'mores", _write),
        # numbers: 3,000 -5 10:30 .5, 3.5-inch, 1 1/2, 12-25-2003, telephone numbers
        (r"[-+]?(?:\d+|(?=[.,:]\d))(?:[.,:\u066b\u066c]\d+)*", _write),
        (rf"\d+(?:[.,:]\d*)*{_IN_WORD}*(?:-{_IN_WORD}+)+", _write),
        (r"(?:\d{1,4}[- ])?\d{1,4}(?:\\?/|\u2044)\d{1,4}", _write),
        (r"\d{1,2}/\d{1,2}/\d{2,4}", _write),
        (r"(?:\(\d{2,3}\) ?|(?:\d{2,4}[- ])?\d{2,4}[- ])\d{3,4}[- ]?\d{3,5}", _write),
        (rf"{_QUOTE}\d\d(?:s|(?=\s|$))", _write),
        # initials and abbreviations
        (r"[a-z](?:\.[a-z])+\.", _write),
        (rf"[a-z]\.(?!\s+(?=(?-i:[A-Z]))(?:{_any_of(_SENTENCE_STARTS)})(?:\s|$))", _write),
        (rf"(?:[a-z]\.)+(?:-{_IN_WORD}+)+", _write),
        (rf"(?:{_any_of(_ABBREVIATIONS)})\.", _write),
        (rf"(?:{_any_of(_BEFORE_NUMBERS)})\.(?=\s*\d)", _write),
        (r"[a-z]+\.(?=[,;:])", _write),
        # apostrophes: 's, 'tis, 'em, y'all, rock 'n' roll
        ("''", _skip),
        (_ENDING, _write_ending),
        (rf"{_QUOTE}t(?=is|was)", _write_beginning),
        (rf"{_QUOTE}n(?:{_QUOTE}|(?!{_IN_WORD}))|{_QUOTE}(?:em|till?|cause)", _write),
        (
            rf"(?!\w+{_ENDING})(?:(?:[dlj]|ol|dunkin|somethin){_QUOTE}|y{_QUOTE}(?={_LETTER}))",
            _write,
        ),
        # addresses
        (rf"https?://{_ADDRESS}+{_LAST}", _write),
        (rf"www\.(?:[\w-]+\.)+[\w-]+(?:/{_ADDRESS}+{_LAST})?", _write),
        (rf"(?:[a-z0-9-]+\.)+(?:com|net|org|edu)/{_ADDRESS}+{_LAST}", _write),
        (rf"<?[a-z0-9]{_ADDRESS}*@(?:[^\s\"<>|().]+\.)*[^\s\"<>|().]+>?", _write),
        (rf"@[a-z_][a-z0-9_]*|\#{_LETTER}+", _write),
        (
            r"&(?:amp|lt|gt);|&(?:\#\d+|ht|tl|ur|lr|qc|ql|qr|[aeiou](?:acute|grave|uml));",
            _write_entity,
        ),
        (r"&(?:quot|apos|nbsp|[mn]dash);", _skip),
        (r"<[!?][^>]*>|</[a-z][\w.:-]*\s*>", _write),
        (r"<[a-z][\w.:-]*(?: +[a-z][\w.:-]*(?:=(?:\"[^\"]*\"|'[^']*'))?)* ?/?>", _write),
        # faces, and signs in a row
        (r"[<>]?[:;=][-o*']?[()dp\\@|\[\]{](?![a-z0-9])", _write),
        (r"\(?(?:\^_\^|-_-|>_<|[ou]_[ou])\)?", _write),
        (r"[?!]{2,}|\*+|\#+|@+|_+|<<|>>|[cf]\#|c\+\+|-{5,}|-[lr][rsc]b-", _write),
        (r"-{2,4}|\.{3,}", _skip),
    )
]
