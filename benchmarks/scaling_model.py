"""How long a training step takes on many GPUs: arithmetic on what was measured and assumed.

A process decodes its own clips, encodes them forward and backward, gathers everybody's vectors,
aligns its own rows with all columns of the batch, and averages gradients. Loader workers decode
while the GPU computes, so that a step takes the longer of the two. Nothing of the exchange is
hidden behind the backward here, which DDP does in part: that is on the careful side.
"""

from dataclasses import dataclass
from typing import NamedTuple

FLOAT = 4  # bytes


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is assumed of the machines; ``SOURCES`` says of each where it is from.

    Attributes:
        flops: Multiplications and additions per second that a GPU is sold with.
        utilisation: The share of them that an encoder reaches.
        cores: CPU cores per GPU, all of which decode.
        gpus: GPUs of a machine.
        inside: Bytes per second that a GPU sends to others of its machine.
        between: Bytes per second that a GPU sends to other machines.
        reached: The share of both that collectives reach.
        latency: Seconds of a message.
        grid_speedup: How many times faster a GPU aligns than one core of the measured machine.
    """

    flops: float = 989e12
    utilisation: float = 0.3
    cores: int = 14
    gpus: int = 8
    inside: float = 450e9
    between: float = 50e9
    reached: float = 0.7
    latency: float = 5e-6
    grid_speedup: float = 100.0


SOURCES = {  # with the unit
    "flops": ("FLOP/s", "H100 SXM, bfloat16 without sparsity: NVIDIA's data sheet"),
    "utilisation": ("of flops", "assumed"),
    "cores": ("a GPU", "112 cores for 8 GPUs: NVIDIA's data sheet of DGX H100"),
    "gpus": ("a machine", "the same"),
    "inside": ("byte/s", "NVLink, 900 GB/s both ways together: NVIDIA's data sheet of H100"),
    "between": ("byte/s", "a 400 Gbit/s port per GPU: NVIDIA's data sheet of DGX H100"),
    "reached": ("of inside and between", "assumed"),
    "latency": ("s", "assumed"),
    "grid_speedup": ("cores here", "assumed: the kernel was not timed on a GPU"),
}


class Sizes(NamedTuple):
    """A sample of the training.

    Attributes:
        clips: Clips of a video.
        texts: Texts of a video, times candidates.
        dim: Width of the vectors.
        directions: 1 if texts look for videos, 2 if videos look for texts as well.
    """

    clips: int = 8
    texts: int = 8
    dim: int = 512
    directions: int = 1


class Measured(NamedTuple):
    """What was measured or counted.

    Attributes:
        decode: Seconds of a core per clip.
        flops: Multiplications and additions of the encoder, forward and backward, per clip.
        parameters: Of the encoder.
        pair: Seconds of a core for the alignment of a video and a text, forward and backward.
    """

    decode: float
    flops: float
    parameters: int
    pair: float


class StepTime(NamedTuple):
    """The parts of a step, in seconds unless it says otherwise.

    Attributes:
        decode: Decoding, beside the rest.
        encode: The encoder, forward and backward.
        gather: The exchange of vectors and of their gradients.
        gradients: The averaging of the parameters' gradients.
        grid: The alignment of own rows with all columns.
        gathered: Bytes that a GPU sends to gather.
        pairs: Alignments of a GPU.
        clips: Clips of all GPUs.
    """

    decode: float
    encode: float
    gather: float
    gradients: float
    grid: float
    gathered: float
    pairs: int
    clips: int

    @property
    def computing(self) -> float:
        """What happens besides decoding, one part after the other."""
        return self.encode + self.gather + self.gradients + self.grid

    @property
    def seconds(self) -> float:
        """How long the step takes."""
        return max(self.decode, self.computing)

    @property
    def bound(self) -> str:
        """What it would be shorter without: decoding, or the longest part of the rest."""
        if self.decode >= self.seconds:
            return "decode"
        return max(("encode", "gather", "gradients", "grid"), key=lambda name: getattr(self, name))


def step_time(
    measured: Measured, hardware: Hardware, sizes: Sizes, gpus: int, videos: int
) -> StepTime:
    """Add up a step.

    Args:
        measured: Of one core.
        hardware: What is assumed.
        sizes: Of a sample.
        gpus: How many GPUs, one process each.
        videos: Videos of each of them.

    Returns:
        Its parts.
    """
    clips = videos * sizes.clips
    others = gpus - 1
    vectors = videos * (sizes.clips + sizes.texts) * sizes.dim * FLOAT
    # in a ring all_gather sends (W-1) shares and the all_reduce of its backward 2 (W-1)
    gathered = 3.0 * others * vectors
    pace = hardware.reached * (hardware.inside if gpus <= hardware.gpus else hardware.between)
    gradients = 2 * others / gpus * measured.parameters * FLOAT
    pairs = videos * videos * gpus * sizes.directions
    return StepTime(
        decode=clips * measured.decode / hardware.cores,
        encode=clips * measured.flops / (hardware.flops * hardware.utilisation),
        gather=gathered / pace + 2 * 3 * others * hardware.latency,  # of videos, and of texts
        gradients=gradients / pace + 2 * others * hardware.latency,
        grid=pairs * measured.pair / hardware.grid_speedup,
        gathered=gathered,
        pairs=pairs,
        clips=clips * gpus,
    )


def cores_needed(measured: Measured, hardware: Hardware, sizes: Sizes, videos: int) -> float:
    """Return how many cores per GPU decode as fast as one GPU alone computes."""
    step = step_time(measured, hardware, sizes, 1, videos)
    return hardware.cores * step.decode / step.computing
