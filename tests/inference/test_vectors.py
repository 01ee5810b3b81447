from pathlib import Path

import torch

from tests.inference.models import tiny_aligner
from vtlearn.batch import Sample
from vtlearn.inference.vectors import encode_spans, encode_windows

PATH = Path("x.mp4")


def sample(starts: list[float]) -> Sample:
    clips = torch.randint(0, 256, (len(starts), 2, 3, 16, 16), dtype=torch.uint8)
    return Sample.of("x", clips, starts, fps=4.0)


def test_windows_are_what_the_learner_compares() -> None:
    model = tiny_aligner()
    pieces = [sample([0.0, 1.0]), sample([]), sample([2.0])]
    found = encode_windows(model.learner, model.aligner, pieces, PATH)
    clips = torch.cat([piece.clips for piece in pieces])
    with torch.no_grad():
        pooled = model.learner.video_encoder(clips, torch.full((3,), 2)).pooled
    torch.testing.assert_close(found.vectors, model.aligner.embed(pooled))
    assert found.spans.tolist() == [[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]]
    texts = torch.randn(4, found.vectors.shape[1])
    assert torch.equal(found @ texts.T, found.vectors @ texts.T)


def test_a_span_is_the_mean_of_its_windows_embedded_again() -> None:
    model = tiny_aligner()
    one, two = sample([0.0, 0.5]), sample([1.0, 4.0])
    alone = encode_windows(model.learner, model.aligner, [one, two], PATH).vectors
    spans = [(0.0, 1.5), (4.0, 4.5)]
    found = encode_spans(model.learner, model.aligner, [(one, [0, 0]), (two, [0, 1])], spans, PATH)
    mean = alone[:3].mean(0)
    torch.testing.assert_close(found.vectors, torch.stack([mean / mean.norm(), alone[3]]))
    assert found.spans.tolist() == [list(span) for span in spans]


def test_no_windows_and_no_spans() -> None:
    model = tiny_aligner()
    none = encode_windows(model.learner, model.aligner, [sample([])], PATH)
    assert (none.vectors.shape, none.spans.shape) == ((0, 8), (0, 2))
    none = encode_spans(model.learner, model.aligner, [], [], PATH)
    assert (none.vectors.shape, none.spans.shape) == ((0, 8), (0, 2))
