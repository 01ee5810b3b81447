import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.sentences import sentences

TEXTS = st.lists(
    st.sampled_from(["so", "onion", "salt.", "Dr.", "2.5", "Why?", "U.S.", "wait...", '(yes.)"']),
    max_size=12,
).map(" ".join)


@st.composite
def speech(draw: st.DrawFn) -> list[Caption]:
    """Draw captions that may overlap, touch, or last no time, in any order."""
    times = st.floats(0, 100)
    spans = draw(st.lists(st.tuples(times, times), max_size=12))
    return [Caption(min(span), max(span), draw(TEXTS)) for span in spans]


def text_of(captions: list[Caption]) -> str:
    return " ".join(" ".join(caption.text for caption in captions).split())


@given(speech(), st.floats(0.01, 5), st.integers(1, 12))
def test_words_stay_and_times_are_in_order_and_inside(
    captions: list[Caption], pause: float, max_words: int
) -> None:
    made = sentences(captions, pause=pause, max_words=max_words)
    in_order = sorted(captions, key=lambda caption: caption.start)
    assert text_of(made) == text_of(in_order)
    spoken = [caption for caption in in_order if caption.text]
    for sentence in made:
        assert spoken[0].start <= sentence.start <= sentence.end
        assert sentence.end <= max(caption.end for caption in spoken)
        assert 1 <= len(sentence.text.split()) <= max_words
    for sentence, after in itertools.pairwise(made):
        assert sentence.end <= after.start


@given(speech())
def test_each_word_is_in_its_caption_where_captions_do_not_overlap(
    captions: list[Caption],
) -> None:
    apart = [
        Caption(3.0 * index, 3.0 * index + 2, each.text) for index, each in enumerate(captions)
    ]
    words = sentences(apart, max_words=1)
    owners = [caption for caption in apart for _ in caption.text.split()]
    for word, caption in zip(words, owners, strict=True):
        assert caption.start <= word.start <= word.end <= caption.end


@given(st.lists(st.tuples(st.sampled_from(["so", "salt.", "Why?"]), st.floats(0.01, 2))))
def test_with_times_of_words_sentences_begin_and_end_exactly_where_their_words_do(
    said: list[tuple[str, float]],
) -> None:
    starts = itertools.accumulate((length for _, length in said), initial=0.0)
    words = [
        Caption(start, start + length / 2, text)
        for (text, length), start in zip(said, starts, strict=False)
    ]
    made = sentences(words, pause=0.6, max_words=1000)
    position = 0
    for sentence in made:
        count = len(sentence.text.split())
        inside = words[position : position + count]
        assert (sentence.start, sentence.end) == (inside[0].start, inside[-1].end)
        position += count
    assert position == len(words)


def spoken(*texts: str, gap: float = 0.0) -> list[Caption]:
    return [Caption(2.0 * i, 2.0 * (i + 1) - gap, text) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "made"),
    [
        (["Wash it. Chop", "the onion. Fry"], ["Wash it.", "Chop the onion.", "Fry"]),
        (["Ask Dr. Oz at 2.5 p.m. or so."], ["Ask Dr. Oz at 2.5 p.m. or so."]),
        (["It is from the U.S. Now stir."], ["It is from the U.S.", "Now stir."]),
        (["wait... what? Well... Yes"], ["wait... what?", "Well...", "Yes"]),
        (['"Stop!" he said. (Right?) ok'], ['"Stop!"', "he said.", "(Right?)", "ok"]),
        (["so we add", "some salt"], ["so we add some salt"]),
        (["切ります。 次に"], ["切ります。", "次に"]),
        ([], []),
        (["", " "], []),
    ],
)
def test_marks(texts: list[str], made: list[str]) -> None:
    assert [sentence.text for sentence in sentences(spoken(*texts))] == made


def test_pauses_end_what_has_no_marks() -> None:
    said = spoken("so we add", "some salt", gap=0.5)
    assert [each.text for each in sentences(said, pause=0.6)] == ["so we add some salt"]
    assert sentences(said, pause=0.4) == said
    marked = spoken("So we add", "some salt.", gap=0.5)
    assert [each.text for each in sentences(marked, pause=0.4)] == ["So we add some salt."]


def test_what_is_too_long_is_cut_at_its_longest_gap_near_the_middle() -> None:
    gaps = [0.3, 0.0, 0.0, 0.2, 0.0, 0.1, 0.0]
    starts = itertools.accumulate((1 + gap for gap in gaps), initial=0.0)
    words = [
        Caption(start, start + 1, letter) for start, letter in zip(starts, "abcdefgh", strict=True)
    ]
    texts = [each.text for each in sentences(words, max_words=5)]
    assert texts == ["a b c d", "e f g h"]  # not after a, which is near the start


def test_captions_that_overlap_end_where_the_next_starts() -> None:
    said = [Caption(0.0, 5.0, "Stir."), Caption(2.0, 6.0, "Fry.")]
    assert sentences(said) == [Caption(0.0, 2.0, "Stir."), Caption(2.0, 6.0, "Fry.")]


@pytest.mark.parametrize("wrong", [{"pause": 0.0}, {"pause": float("nan")}, {"max_words": 0}])
def test_arguments_without_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match="sentences cannot have pause"):
        sentences([], **wrong)  # type: ignore[arg-type]
