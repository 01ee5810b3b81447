from typing import Any

import pytest

from vtlearn.media.captions.told_language import json_language, ttml_language, webvtt_language


@pytest.mark.parametrize(
    ("content", "language"),
    [
        ({"language": "de", "segments": []}, "de"),
        ({"language": "english", "segments": []}, "english"),
        ({"result": {"language": "fr"}, "transcription": []}, "fr"),
        ({"language": "English (auto-generated)", "language_code": "en"}, "en"),
        ({"language": "de", "segments": [], "segments_native": []}, "en"),
        ({"language": None}, ""),
        ({"language": ["de"]}, ""),
        ({"language": "no language that there is"}, ""),
        ({"result": [1]}, ""),
        ([{"text": "so", "start": 1, "duration": 1}], ""),
    ],
)
def test_of_json(content: Any, language: str) -> None:
    assert json_language(content) == language


def test_of_webvtt_the_header_alone_counts() -> None:
    cue = "00:01.000 --> 00:02.000\nLanguage: de\n"
    assert webvtt_language(f"WEBVTT\nLanguage: pt-BR\n\n{cue}") == "pt-BR"
    assert webvtt_language(f"WEBVTT Language: en\nKind: captions\n\n{cue}") == ""


@pytest.mark.parametrize(
    ("root", "language"),
    [
        ('<tt xml:lang="en">', "en"),
        (
            '<?xml version="1.0"?>\n<!-- <p xml:lang="fr"> --><tt:tt\n x="1"\n xml:lang=\'de-AT\'>',
            "de-AT",
        ),
        ('<tt xml:lang="">', ""),
        ('<tt><body xml:lang="fr">', ""),
        ('<timedtext format="3" lang="fr">', ""),
    ],
)
def test_of_ttml_the_root_counts(root: str, language: str) -> None:
    assert ttml_language(root) == ttml_language(root.encode()) == language
