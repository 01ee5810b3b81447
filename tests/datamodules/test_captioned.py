from pathlib import Path

from vtlearn.datamodules.captioned import CaptionedData
from vtlearn.datasets.captioned import CaptionedClip, CaptionedCorpus


class TwoClips(CaptionedData):
    def train_dataset(self) -> CaptionedCorpus:
        return CaptionedCorpus(CLIPS, self.reading)


CLIPS = [
    CaptionedClip("a", Path("a.mp4"), 0.0, None, ("a dog", "it barks"), ("a#0", "a#1")),
    CaptionedClip("b", Path("b.mp4"), 3.0, 9.0, ("a dog",), ("b#0",)),
]


def test_each_text_counts_its_own_clip_alone() -> None:
    task = TwoClips(evaluation_batch_size=5).retrieval("two", 3, CLIPS, windows=7)
    (protocol,) = task.protocols
    assert (protocol.name, protocol.version, protocol.expected) == ("two", 3, ["a", "b"])
    assert vars(protocol)["relevance"] == {"a#0": ["a"], "a#1": ["a"], "b#0": ["b"]}
    assert protocol.windows.startswith("7, spread evenly")
    assert (task.batch_size, task.items.part_counts) == (5, [1, 1])
