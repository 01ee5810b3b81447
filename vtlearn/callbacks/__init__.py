"""What a person looks at or keeps of a run: checkpoints, pictures, waiting, losses of videos."""

from vtlearn.callbacks.alignment_pictures import AlignmentPictures
from vtlearn.callbacks.checkpoints import BestCheckpoint, StepCheckpoint
from vtlearn.callbacks.config_writer import ConfigWriter
from vtlearn.callbacks.data_wait import DataWait
from vtlearn.callbacks.feature_writer import FeatureWriter
from vtlearn.callbacks.unreadable import UnreadableReport

__all__ = [
    "AlignmentPictures",
    "BestCheckpoint",
    "ConfigWriter",
    "DataWait",
    "FeatureWriter",
    "StepCheckpoint",
    "UnreadableReport",
]
