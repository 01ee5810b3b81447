"""What encoders of stored vectors share: which clips they take."""

from abc import ABC

from vtlearn.encoders.base import VideoEncoder

__all__: list[str] = []


class VectorEncoder(VideoEncoder, ABC):
    """An encoder whose clips are stored vectors: ``num_frames`` of them or fewer, ``size`` wide."""

    reads_stored = True

    def accepts(self, num_frames: int, size: int) -> bool:
        """Tell whether clips are up to ``num_frames`` vectors of the width it reads.

        Args:
            num_frames: Vectors of a clip.
            size: Their width.

        Returns:
            Whether they are.
        """
        return 1 <= num_frames <= self.num_frames and size == self.size
