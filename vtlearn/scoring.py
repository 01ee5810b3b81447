"""What joins a model and an evaluator, which know nothing of each other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor

from vtlearn.encoders.base import VideoEncoder
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.results import publish
from vtlearn.heads.base import Head
from vtlearn.run_folder import run_folder

__all__ = [
    "POOLED",
    "encoded_for",
    "ids_of",
    "make_evaluator",
    "named_figures",
    "publish_results",
    "score",
]

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


def score(
    evaluator: Evaluator,
    trainer: Trainer,
    head: Head,
    clips: Mapping[str, Any],
    selected_on: frozenset[str],
) -> list[Result]:
    """Compute what was asked of a model, and note in each result how it came about.

    Args:
        evaluator: Has seen the items.
        trainer: Says whether all of them, and whether this is training.
        head: What wrote the captions, where there are any.
        clips: How clips were read, as the data describe it; empty where they do not.
        selected_on: Hashes of the ids that the model was validated on while it was trained.

    Returns:
        One result per protocol, alike on every process.
    """
    results = [
        _with_settings(result, head, clips)
        for result in evaluator.compute(partial=_is_partial(trainer))
    ]
    if trainer.state.fn == "fit":
        return results
    # of all expected ids: that one video is missing makes no other test set
    return [
        replace(result, selected_on_test=not selected_on.isdisjoint(ids_of([result])))
        for result in results
    ]


def ids_of(results: Iterable[Result]) -> frozenset[str]:
    """Return the hashes of the ids that results are of.

    Args:
        results: What protocols found.
    """
    return frozenset(str(result.expected_sha256) for result in results)


def named_figures(
    results: Sequence[Result], tasks: Sequence[EvaluationTask], name: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Name the figures of results for a log.

    Args:
        results: What protocols found.
        tasks: What was asked; the first protocol's figure is the primary one.
        name: ``val`` or ``test``.

    Returns:
        ``name/protocol/metric`` of all, and ``name/primary``, if there is one.
    """
    first = tasks[0].protocols[0].name if tasks else None
    figures = {
        f"{name}/{result.protocol}/{key}": value
        for result in results
        for key, value in result.metrics.items()
    }
    primary = {
        f"{name}/primary": result.metrics[result.primary]
        for result in results
        if result.protocol == first
    }
    return figures, primary


def publish_results(results: Sequence[Result], trainer: Trainer, weights: str | None) -> None:
    """Write the results of a test to its folder, and print them; all processes call this at once.

    Args:
        results: What protocols found; nothing is done where there is none.
        trainer: Tested the model.
        weights: The file or folder that the model's weights were read from; None for a checkpoint.
    """
    if not results:
        return
    # every process asks for the folder, because they agree on it by talking
    folder = run_folder(trainer)
    if trainer.is_global_zero:
        publish(
            folder,
            results,
            checkpoint=trainer.ckpt_path,
            weights=weights,
            precision=str(trainer.precision),
            world_size=trainer.world_size,
        )


def _with_settings(result: Result, head: Head, clips: Mapping[str, Any]) -> Result:
    """Add to a result's settings how clips were read, and how captions were searched for."""
    search = head.captioner.search if head.captioner is not None and result.captions else {}
    if result.captions and "features" not in clips:  # frames of a whole clip have no rate
        clips = {name: value for name, value in clips.items() if name != "fps"}
    read = {"clips": clips} if clips else {}
    return replace(result, settings={**result.settings, **search, **read})


def _is_partial(trainer: Trainer) -> bool:
    """Tell whether a trainer was asked to score a part of the items only."""
    limit = trainer.limit_test_batches if trainer.testing else trainer.limit_val_batches
    return isinstance(limit, int) or limit < 1.0
