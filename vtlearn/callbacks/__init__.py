"""What a person looks at or keeps during training: checkpoints and pictures."""

from vtlearn.callbacks.alignment_pictures import AlignmentPictures
from vtlearn.callbacks.checkpoints import BestCheckpoint, StepCheckpoint

__all__ = ["AlignmentPictures", "BestCheckpoint", "StepCheckpoint"]
