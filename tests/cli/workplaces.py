"""A model that trains in seconds, as configurations have it."""

from tests.models import TINY_ENCODERS

TINY_MODEL = {
    **TINY_ENCODERS,
    "head": {"class_path": "S2DTW", "init_args": {"gamma": 0.2}},
    "scheduler": {"class_path": "WarmupCosine"},
}
