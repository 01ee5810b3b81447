import pytest
import torch
from lightning_fabric.utilities import move_data_to_device

from vtlearn.batch import EncodedBatch, Own, Rows, Sample, Unreadable, collate
from vtlearn.errors import ArgumentError, UnreadableVideoError


def sample(name: str, clips: int, texts: int, *, candidates: int = 1) -> Sample:
    frames = torch.full((clips, 2, 3, 4, 4), 7, dtype=torch.uint8)
    starts = [float(index) for index in range(clips)]
    strings = [f"{name}{index}" for index in range(texts * candidates)]
    ids = [f"{name}#{index}" for index in range(texts)]
    return Sample.of(
        name, frames, starts, fps=4.0, texts=strings, text_ids=ids, candidates=candidates
    )


def test_samples_are_concatenated_and_nothing_is_padded() -> None:
    batch = collate([sample("a", 3, 1), sample("b", 0, 2), sample("c", 1, 0)])
    assert batch.ids == ["a", "b", "c"]
    assert batch.clips.shape == (4, 2, 3, 4, 4)
    assert batch.clips.dtype == torch.uint8
    assert batch.frame_length.tolist() == [2, 2, 2, 2]
    assert batch.clip_spans.tolist() == [[0, 0.5], [1, 1.5], [2, 2.5], [0, 0.5]]
    assert (batch.num_clips, batch.num_texts) == ((3, 0, 1), (1, 2, 0))
    assert batch.texts == ["a0", "b0", "b1"]
    assert batch.text_ids == ["a#0", "b#0", "b#1"]
    assert batch.text_spans.isnan().all()
    assert batch.parts == ((0, 1),) * 3


def test_candidates_are_one_number_wherever_there_are_texts() -> None:
    batch = collate([sample("a", 1, 0), sample("b", 1, 2, candidates=3)])
    assert (batch.candidates, batch.num_texts) == (3, (0, 2))
    with pytest.raises(ArgumentError, match=r"\[1, 3\] candidates"):
        collate([sample("a", 1, 1), sample("b", 1, 2, candidates=3)])


def test_clips_of_other_shapes_are_named() -> None:
    other = sample("b", 1, 0)
    other = other._replace(clips=other.clips[:, :1])
    with pytest.raises(ArgumentError, match=r"clips of a are \(2, 3, 4, 4\), those of b \(1, 3"):
        collate([sample("a", 1, 0), other])


def test_what_cannot_be_read_is_beside_the_samples() -> None:
    error = UnreadableVideoError("b.mp4", "no video stream", "decode")
    lost = Unreadable.of("b", error)
    assert lost == ("b", "b.mp4", "decode", "no video stream")
    assert lost.describe() == str(error)
    batch = collate([lost, sample("a", 2, 0)])
    assert (batch.ids, batch.unreadable) == (["a"], [lost])
    nothing = collate([lost])
    assert (nothing.ids, len(nothing.clips), nothing.num_clips) == ([], 0, ())
    assert collate([])._replace(unreadable=[lost]) is not None


def test_lightning_leaves_a_batch_where_it_is() -> None:
    batch = collate([sample("a", 2, 1)])
    assert move_data_to_device(batch, torch.device("meta")) is batch


def test_own_samples_are_taken_out_of_the_whole() -> None:
    own = Own(["c"], None, None, None, None, [["t"]], [])
    whole = EncodedBatch.of(torch.arange(12.0).view(3, 2, 2), torch.zeros(3, 4, 2), own=own)
    local = whole.local(Rows(start=2, size=1, world_size=3))
    assert local.video.pooled.tolist() == [[[8, 9], [10, 11]]]
    assert local.text.pooled.shape == (1, 4, 1, 2)
    assert local.clip_spans.shape == (1, 2, 2)
    assert local.own is own
    assert whole.all_rows() == Rows(0, 3)


def test_plain_tensors_of_other_shapes_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"\(batch, clips, dim\)"):
        EncodedBatch.of(torch.zeros(2, 3), torch.zeros(2, 3, 4))


def test_clips_of_a_sample_may_be_padded() -> None:
    clips = torch.zeros(2, 8, 4)
    sample = Sample.of("v", clips, [1.0, 5.0], 2.0, frame_length=[8, 3])
    assert sample.frame_length.dtype == torch.int64
    assert sample.frame_length.tolist() == [8, 3]
    assert sample.clip_spans.tolist() == [[1.0, 5.0], [5.0, 6.5]]
    whole = Sample.of("v", clips, [1.0, 5.0], 2.0)
    assert whole.frame_length.tolist() == [8, 8]
    assert whole.clip_spans.tolist() == [[1.0, 5.0], [5.0, 9.0]]
    none = Sample.of("v", clips[:0], [], 2.0)
    assert (none.frame_length.tolist(), none.clip_spans.shape) == ([], (0, 2))
    assert none.frame_length.dtype == torch.int64
