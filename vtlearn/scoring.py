"""What joins a model and an evaluator, which know nothing of each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor

from vtlearn.encoders.base import VideoEncoder
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.result import Result
from vtlearn.heads.base import Head

__all__ = ["POOLED", "encoded_for", "is_partial", "make_evaluator", "with_settings"]

#: What comparing takes of the encoders.
POOLED = frozenset({"video_pooled", "text_pooled"})


def make_evaluator(
    tasks: Sequence[EvaluationTask],
    head: Head,
    video_encoder: VideoEncoder,
    encode_texts: Callable[[Sequence[str], int | None], Tensor] | None,
    max_unreadable: int,
    *,
    training: bool = False,
) -> Evaluator:
    """Give an evaluator the functions that a model has.

    Args:
        tasks: What to score the model by.
        head: Embeds and matches if it is an aligner, writes if it is a captioner.
        video_encoder: Says whether it has tokens, and whether they are a vector per frame.
        encode_texts: Turns strings into vectors, (texts, dim), reading so many words of each;
            None for a model without a text encoder.
        max_unreadable: How many videos may be missing.
        training: Whether the model is trained, and need not be scored.

    Returns:
        The evaluator.

    Raises:
        ArgumentError: If a protocol needs what the model does not have.
    """
    aligner, captioner = head.aligner, head.captioner
    return Evaluator(
        tasks,
        embed=aligner and aligner.embed,
        match=aligner and aligner.match,
        generate=captioner and captioner.generate,
        encode_texts=encode_texts,
        similarity="dot" if aligner is None else aligner.similarity,
        tokens=video_encoder.token_width is not None,
        frame_vectors=video_encoder.frame_vectors,
        item_texts=encode_texts is not None,
        max_unreadable=max_unreadable,
        head=type(head).__name__,
        training=training,
    )


def encoded_for(needs: frozenset[str]) -> frozenset[str]:
    """Say what has to be encoded for what protocols need.

    Args:
        needs: As :meth:`Evaluator.needs` returns it.

    Returns:
        Some of a head's possible needs.

    Example:
        >>> sorted(encoded_for(frozenset({"frames"})))
        ['text_pooled', 'video_pooled', 'video_tokens']
    """
    pooled = POOLED if needs & {"windows", "frames", "match"} else frozenset()
    return pooled | ({"video_tokens"} if needs & {"frames", "features"} else frozenset())


def with_settings(result: Result, head: Head, clips: Mapping[str, Any]) -> Result:
    """Add to a result's settings how clips were read, and how captions were searched for.

    Args:
        result: What a protocol found.
        head: What wrote the captions, where there are any.
        clips: How clips were read, as the data describe it; empty where they do not.

    Returns:
        The same with these settings.
    """
    search = head.captioner.search if head.captioner is not None and result.captions else {}
    if result.captions and "features" not in clips:  # frames of a whole clip have no rate
        clips = {name: value for name, value in clips.items() if name != "fps"}
    read = {"clips": clips} if clips else {}
    return replace(result, settings={**result.settings, **search, **read})


def is_partial(trainer: Trainer) -> bool:
    """Tell whether a trainer was asked to score a part of the items only.

    Args:
        trainer: Has limits: a number of batches, or a share of them.
    """
    limit = trainer.limit_test_batches if trainer.testing else trainer.limit_val_batches
    return isinstance(limit, int) or limit < 1.0
