"""A captioner in the fewest lines that work, and a training on any number of processes.

python -m torch.distributed.run --nproc_per_node=2 -m tests.captioning LetterCaptioner WEIGHTS
"""

import os
import sys
from collections.abc import Callable, Sequence

import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ConstantLR
from torch.utils.data import DataLoader

from vtlearn.batch import Batch, Encoded, EncodedBatch, Rows, Sample, collate
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.encoders.text import Word2Vec
from vtlearn.heads import (
    S2DTW,
    CaliNCE,
    Captioner,
    Head,
    HeadOutput,
    InfoNCE,
    LossTerm,
    TextDecoder,
)
from vtlearn.learner import VideoTextLearner


class LetterCaptioner(Captioner):
    """Writes the letter that a clip's words most likely have."""

    needs = frozenset({"video_tokens", "texts"})
    letters = "abcdefghijklmnopqrstuvwxyz "

    def make_layers(self, video_encoder: VideoEncoder, text_encoder: TextEncoder | None) -> None:
        del text_encoder
        self.decoder = nn.Linear(video_encoder.token_width or 0, len(self.letters))

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        del rows
        texts = [] if batch.own is None else batch.own.texts
        place = [(i, j) for i, own in enumerate(texts) for j in range(len(own))]
        samples, clips = torch.tensor(place, dtype=torch.int64).reshape(-1, 2).T
        counts = self._counts([text for own in texts for text in own])
        values = -(counts * self._log_probabilities(batch)[samples, clips]).sum(1)
        return HeadOutput({"caption": LossTerm(values)}, {})

    def generate(self, batch: EncodedBatch) -> list[str]:
        best = self._log_probabilities(batch).argmax(-1).tolist()
        lengths = batch.video.length.tolist()
        return [self.letters[i] for row, n in zip(best, lengths, strict=True) for i in row[:n]]

    def log_likelihood(self, batch: EncodedBatch, texts: Sequence[str]) -> Tensor:
        scores = self._log_probabilities(batch).flatten(0, 1) @ self._counts(texts).T
        return scores / torch.tensor([len(text) for text in texts])

    def _counts(self, texts: Sequence[str]) -> Tensor:
        counts = [[text.count(letter) for letter in self.letters] for text in texts]
        return torch.tensor(counts, dtype=torch.float64).reshape(-1, len(self.letters))

    def _log_probabilities(self, batch: EncodedBatch) -> Tensor:
        tokens = torch.empty(0) if batch.own is None else batch.own.video_tokens
        logits: Tensor = self.decoder(tokens.flatten(2, 3).mean(2))  # type: ignore[union-attr]
        return logits.log_softmax(-1)


class Colours(VideoEncoder):
    """One token per frame, of the mean colour; no statistics of a batch in it."""

    token_width = 4
    pooled_modules = ("pool",)

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.num_frames, self.size = 5, 2, 4
        self.fc = nn.Linear(3, 4)
        self.pool = nn.Linear(4, 5)

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        tokens = self.fc(frames.to(self.fc.weight.dtype).mean((3, 4)) / 255)[:, :, None]
        return Encoded(self.pool(tokens.mean((1, 2))), tokens, frame_length)


def samples(step: int, *, paired: bool) -> list[Sample]:
    """The two samples of a step: in the second step one has three captions, the other none.

    A head of pairs gets as many clips as captions, where there are captions.
    """
    words = ["chop", "stir", "fry"]
    generator = torch.Generator().manual_seed(step)
    clips = torch.randint(0, 256, (2, 3, 2, 3, 4, 4), dtype=torch.uint8, generator=generator)
    texts = [words, [] if step == 1 else words[:2]]
    counts = [(paired and len(own)) or 3 for own in texts]
    starts = [0.0, 1.0, 2.0]
    return [
        Sample.of(str(i), clips[i, :count], starts[:count], 4.0, texts=texts[i])
        for i, count in enumerate(counts)
    ]


def batches(rank: int, world: int, *, paired: bool) -> list[Batch]:
    size = 2 // world
    mine = slice(rank * size, (rank + 1) * size)
    return [collate(samples(step, paired=paired)[mine]) for step in range(3)]


def words() -> Word2Vec:
    encoder = Word2Vec(dim=5, hidden=6, embedding_dim=3, max_words=2)
    encoder.build(["chop stir fry"])
    return encoder


def calibrated() -> CaliNCE:
    """Predicts masked words, which are drawn, and weighs items from the second step on."""
    predictor = TextDecoder(width=8, layers=1, heads=2, dropout=0.0)
    return CaliNCE(predictor=predictor, predict="mlm", warmup_steps=1, num_negatives=2)


MODELS: dict[str, Callable[[], tuple[Head, TextEncoder | None]]] = {
    "LetterCaptioner": lambda: (LetterCaptioner(), None),
    "S2DTW": lambda: (S2DTW(), words()),
    "CaliNCE": lambda: (calibrated(), words()),
}


def train(name: str, weights: str) -> None:
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    torch.manual_seed(0)
    head, text_encoder = MODELS[name]()
    if head.needs_vocabulary:
        head.build(["chop stir fry"] * 4)
    learner = VideoTextLearner(
        Colours(),
        text_encoder,
        head,
        optimizer=lambda parameters: SGD(parameters, lr=0.1),
        scheduler=lambda optimizer: ConstantLR(optimizer, factor=1.0),
    )
    trainer = Trainer(
        accelerator="cpu",
        devices=world,
        strategy="ddp" if world > 1 else "auto",
        precision="64-true",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    steps = batches(rank, world, paired=isinstance(head, InfoNCE))
    loader: DataLoader[Batch] = DataLoader(steps, batch_size=None)  # type: ignore[arg-type]
    trainer.fit(learner, loader, loader)
    if trainer.is_global_zero:
        loss = trainer.callback_metrics["val/loss"]
        torch.save(learner.state_dict() | {"val/loss": loss}, weights)


if __name__ == "__main__":
    train(*sys.argv[1:])
