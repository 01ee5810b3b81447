from pathlib import Path

import pytest
import torch

from tests.inference.models import tiny_aligner, tiny_writer
from vtlearn.batch import Sample, collate
from vtlearn.errors import ArgumentError
from vtlearn.inference.captioning import write_captions


def test_it_writes_what_the_head_does(tmp_path: Path) -> None:
    model = tiny_writer(tmp_path)
    clips = torch.randint(0, 256, (3, 2, 3, 16, 16), dtype=torch.uint8)
    whole = Sample.of("x", clips, [0.0, 1.0, 2.0], fps=4.0)
    parts = [Sample.of("x", clips[:2], [0.0, 1.0], fps=4.0), Sample.of("x", clips[:0], [], fps=4.0)]
    parts.append(Sample.of("x", clips[2:], [2.0], fps=4.0))
    captions = list(write_captions(model.learner, parts, "writer"))
    assert [(start, end) for start, end, _ in captions] == [(0.0, 0.5), (1.0, 1.5), (2.0, 2.5)]
    writer = model.learner.head.captioner
    assert writer is not None
    with torch.no_grad():
        assert [c.text for c in captions] == writer.generate(model.learner.encode(collate([whole])))


def test_a_head_that_does_not_write_is_refused() -> None:
    with pytest.raises(ArgumentError, match="the head S2DTW, which does not write"):
        list(write_captions(tiny_aligner().learner, [], "tiny"))
