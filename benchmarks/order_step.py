"""Time a training step of configs/tempclr.yaml without TempCLR's order term, and with it.

    python benchmarks/order_step.py [--steps 30]

Clips and captions are random, of Kitchen's sizes: 8 samples of 8 clips of 8 vectors. The steps of
the three heads take turns, on one thread; medians of processor time are compared.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from shipped import shipped_learner

from vtlearn.batch import Batch, Sample, collate
from vtlearn.encoding import encode_batch
from vtlearn.heads import TempCLR

SAMPLES, CLIPS, FRAMES, WIDTH = 8, 8, 8, 128
WORDS = [f"word{number}" for number in range(200)]


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    learner, batch = shipped_learner("configs/tempclr.yaml"), random_batch()
    encoder = learner.text_encoder
    if encoder is None:
        parser.error("configs/tempclr.yaml has no text encoder")
    encoder.build(batch.texts)
    heads = {
        "no order": TempCLR(alpha=0.0),
        "DTW": TempCLR(chain="all"),
        "OTAM": TempCLR(chain="all", metric="otam"),
    }
    optimizer = torch.optim.Adam(learner.parameters())
    times: dict[str, list[float]] = {name: [] for name in heads}
    for _ in range(options.steps + 2):  # of which the first two warm up
        for name, head in heads.items():
            start = time.process_time()
            encoded = encode_batch(
                batch, learner.video_encoder, encoder, head.needs, torch.device("cpu")
            )
            head(encoded).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            times[name].append(time.process_time() - start)
    medians = {name: statistics.median(seconds[2:]) for name, seconds in times.items()}
    print("| head | ms per step | the order adds |\n| --- | --- | --- |")
    for name, seconds in medians.items():
        more = 100 * (seconds / medians["no order"] - 1)
        print(f"| {name} | {1000 * seconds:.1f} | {more:.1f} % |")


def random_batch() -> Batch:
    """Draw samples of clips and captions."""
    rng = np.random.default_rng(0)
    samples = [
        Sample.of(
            str(number),
            torch.from_numpy(rng.standard_normal((CLIPS, FRAMES, WIDTH), np.float32)),
            [float(clip) for clip in range(CLIPS)],
            fps=1.0,
            texts=[" ".join(rng.choice(WORDS, rng.integers(3, 9))) for _ in range(CLIPS)],
            frame_length=rng.integers(3, FRAMES + 1, CLIPS).tolist(),
        )
        for number in range(SAMPLES)
    ]
    return collate(samples)


if __name__ == "__main__":
    main()
