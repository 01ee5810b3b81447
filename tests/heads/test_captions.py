import pytest
import torch

from tests.heads.test_captioning import LENGTHS, WORDS, batch_of, captions_of, given, made
from vtlearn.batch import EncodedBatch
from vtlearn.errors import ArgumentError
from vtlearn.heads.captions import CaptionedClips, captioned_clips, own_tokens

SAMPLE, POSITION = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 2, 0, 1])


def found(batch: EncodedBatch) -> CaptionedClips:
    head = made()
    return captioned_clips(head, head.decoder, batch, SAMPLE, POSITION)


def test_captions_come_with_their_clips() -> None:
    batch = given()
    clips = found(batch)
    assert clips.captions == [WORDS[0], WORDS[2], WORDS[1], WORDS[3]]
    assert clips.kept.tolist() == [0, 1, 2, 3]
    assert torch.equal(clips.tokens, own_tokens(made(), batch)[1][SAMPLE, POSITION])
    assert clips.token_length is not None
    assert clips.token_length.tolist() == [2, 2, 2, 2]


def test_what_has_no_words_is_left_out() -> None:
    clips = found(given(silent=(0, 1)))
    assert clips.captions == [WORDS[2], WORDS[3]]
    assert clips.kept.tolist() == [1, 3]
    assert len(clips.tokens) == 2


def test_of_candidates_the_first_is_taken() -> None:
    texts = [[x for text in own for x in (text, "no")] for own in captions_of(LENGTHS)]
    batch = batch_of(own_tokens(made(), given())[1], LENGTHS, texts, candidates=2)
    assert found(batch).captions == found(given()).captions


def test_encoders_need_not_say_how_long_clips_are() -> None:
    batch = given()
    assert batch.own is not None
    batch = batch._replace(own=batch.own._replace(video_token_length=None))
    assert found(batch).token_length is None


def test_a_batch_without_tokens_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"CaptioningDecoder .*own=\.\.\."):
        own_tokens(made(), given()._replace(own=None))
