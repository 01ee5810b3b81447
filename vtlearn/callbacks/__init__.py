"""What is looked at or kept of a run, and what of a model trains: Lightning's callbacks."""

from vtlearn.callbacks.alignment_pictures import AlignmentPictures
from vtlearn.callbacks.best_checkpoint import BestCheckpoint
from vtlearn.callbacks.caption_pictures import CaptionPictures
from vtlearn.callbacks.config_writer import ConfigWriter
from vtlearn.callbacks.continued_logs import ContinuedLogs
from vtlearn.callbacks.correspondence_pictures import CorrespondencePictures
from vtlearn.callbacks.data_wait import DataWait
from vtlearn.callbacks.feature_writer import FeatureWriter
from vtlearn.callbacks.neighbour_batches import NeighbourBatches
from vtlearn.callbacks.resume_check import ResumeCheck
from vtlearn.callbacks.retrieval_pictures import RetrievalPictures
from vtlearn.callbacks.run_lock import RunLock
from vtlearn.callbacks.step_checkpoint import StepCheckpoint
from vtlearn.callbacks.stop_on_signal import StopOnSignal
from vtlearn.callbacks.train_norms import TrainNorms
from vtlearn.callbacks.training_stopped import TrainingStopped
from vtlearn.callbacks.unreadable import UnreadableReport
from vtlearn.callbacks.vocabulary import BuildVocabulary

__all__ = [
    "AlignmentPictures",
    "BestCheckpoint",
    "BuildVocabulary",
    "CaptionPictures",
    "ConfigWriter",
    "ContinuedLogs",
    "CorrespondencePictures",
    "DataWait",
    "FeatureWriter",
    "NeighbourBatches",
    "ResumeCheck",
    "RetrievalPictures",
    "RunLock",
    "StepCheckpoint",
    "StopOnSignal",
    "TrainNorms",
    "TrainingStopped",
    "UnreadableReport",
]
