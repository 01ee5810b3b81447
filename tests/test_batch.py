import torch

from vtlearn.batch import (
    EvaluationSample,
    Narration,
    UnreadableItem,
    collate_evaluation,
    collate_narrations,
    valid,
)


def narration(name: str, clips: int, length: int) -> Narration:
    video = torch.full((clips, 2, 3, 4, 4), 7, dtype=torch.uint8)
    captions = [[f"{name}{index}"] for index in range(length)]
    return Narration(name, video, captions, torch.ones(clips, 2, dtype=torch.float64), length)


def test_narrations_are_padded_at_the_end() -> None:
    batch = collate_narrations([narration("a", 3, 3), narration("b", 2, 1)])
    assert batch.video.shape == (2, 3, 2, 3, 4, 4)
    assert batch.video.dtype == torch.uint8
    assert (batch.video[1, 2] == 0).all()
    assert (batch.video[1, :2] == 7).all()
    assert batch.length.tolist() == [3, 1]
    assert batch.captions == [[["a0"], ["a1"], ["a2"]], [["b0"]]]
    assert batch.spans.shape == (2, 3, 2)


def test_evaluation_items_are_laid_end_to_end() -> None:
    def sample(name: str, windows: int, texts: int) -> EvaluationSample:
        names = [f"{name}{index}" for index in range(texts)]
        frames = torch.zeros(windows, 2, 3, 4, 4, dtype=torch.uint8)
        return EvaluationSample(name, frames, torch.arange(windows) + 0.5, names, names)

    batch = collate_evaluation([sample("a", 2, 0), sample("b", 1, 3)])
    assert batch.video.shape[0] == 3
    assert batch.windows == [2, 1]
    assert batch.texts == [0, 3]
    assert batch.text_ids == ["b0", "b1", "b2"]
    assert batch.times.tolist() == [0.5, 1.5, 0.5]
    assert batch.unreadable == []
    lost = UnreadableItem("c", "c.mp4", "c.mp4 cannot be read")
    mixed = collate_evaluation([lost, sample("a", 2, 0)])
    assert (mixed.ids, mixed.unreadable) == (["a"], [lost])
    assert collate_evaluation([lost])._replace(unreadable=[]).ids == []


def test_a_mask_is_a_length() -> None:
    assert valid(torch.tensor([0, 2, 3]), 3).sum(1).tolist() == [0, 2, 3]
