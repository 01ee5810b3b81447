"""Score what any model made, vectors or captions, by the protocols vtlearn scores its own by.

  vtlearn score --data FILE --list items.csv         what has to be embedded
  vtlearn score --data FILE --vectors vectors.npz    score it
  vtlearn score --pairs pairs.csv --vectors vectors.npz
  vtlearn score --data FILE --set task=captioning --captions captions.json

--data is a data configuration, such as configs/data/kitchen/msrvtt.yaml; --set root=DIR changes it,
and --num-frames says how long a window is where that is left to a video encoder. No model is made
and no video is decoded; videos need not be there, unless how long they last says which windows they
have. Kitchen is rendered where it is not there. Texts that say the same should have the same
vector, as any model gives them.

--list writes a CSV of item, path, start, end, text_id and caption, a row for each video and text of
it. An item that is scored by several windows has a row for each, as <item>@0, <item>@1 and so on,
from `start` to `end` in seconds; an empty `end` is that of the video. Any other is one vector,
pooled as you see fit. An item without texts has a row with an empty text_id; texts that belong to
no item, such as steps or paragraphs, have one with an empty item. Of what captions are written of,
there are no texts.

--vectors is an .npz or a .safetensors with `video` (videos, dim) and `text` (texts, dim), one for
each `item` and each `text_id`, whose ids are `video_ids` and `text_ids`: arrays of strings in an
.npz, JSON lists in the metadata of a .safetensors. `similarity` (texts, videos) may be there in
place of both. Vectors are compared as they are, by dot product unless --similarity says otherwise.

--captions is a list as COCO's results are, and as `vtlearn test` writes it: a JSON list of
{"image_id": <item>, "caption": <text>}, one for each item.

--pairs is a CSV of text and item, ids of your own: what is right for what. A text may have several
items, and an item several texts.
"""

import argparse
import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vtlearn.cli.commands.vector_tasks import load_data, pairs_task, vector_tasks
from vtlearn.datamodules import Stage
from vtlearn.datamodules.base import VideoTextData
from vtlearn.errors import ArgumentError, VTLearnError
from vtlearn.evaluation.caption_lists import read_caption_list
from vtlearn.evaluation.caption_scoring import score_captions, writes_nothing
from vtlearn.evaluation.given_vectors import GivenVectors, read_vectors
from vtlearn.evaluation.items_to_embed import (
    RowToEmbed,
    VectorIds,
    VectorTask,
    chosen_tasks,
    rows_to_embed,
)
from vtlearn.evaluation.results import print_results, write_results
from vtlearn.evaluation.vector_scoring import score_vectors, unserved
from vtlearn.storage.atomic import replace_text

__all__ = ["add_arguments", "run"]

_STAGES: Mapping[Stage, Stage] = {"test": "validate", "validate": "test"}
_OF_DATA = ("set", "stage", "protocol", "num_frames", "list")
_OF_VECTORS = ("similarity", "max_missing", "output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("--data", metavar="FILE", help="the corpus: a YAML file, or a class of datamodules")
    add(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="an argument of the corpus that wins over the file, as root=/data/msrvtt",
    )
    add("--pairs", type=Path, metavar="CSV", help="in place of a corpus, ids of your own")
    add("--vectors", type=Path, metavar="FILE", help="what to score, .npz or .safetensors")
    add(
        "--captions", type=Path, metavar="FILE", help="in place of vectors, captions to score, JSON"
    )
    add("--list", type=Path, metavar="CSV", help="write what has to be embedded, or captioned")
    add("--stage", choices=tuple(_STAGES), help="which split (test)")
    add("--protocol", metavar="NAME", help="score by this one alone, name or name@version")
    add("--similarity", choices=("cosine", "dot"), help="how vectors are compared (dot)")
    add(
        "--max-missing",
        type=int,
        metavar="N",
        help="how many ids may have no vector or caption; figures are then not comparable (0)",
    )
    add(
        "--num-frames",
        type=int,
        metavar="N",
        help="frames of a window, where the data leave them to a video encoder",
    )
    add("--output", type=Path, metavar="FILE", help="write results to this JSON file")


def run(arguments: argparse.Namespace) -> int:
    """List, or score and print.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If options contradict each other, the corpus is not there, or the vectors
            cannot be scored.
    """
    _check_options(arguments)
    data = None if arguments.data is None else load_data(arguments.data, arguments.set or [])
    # before the corpus, which may have to be rendered
    given = None if arguments.vectors is None else read_vectors(arguments.vectors)
    captions = None if arguments.captions is None else read_caption_list(arguments.captions)
    if data is None:
        corpus = _Corpus([pairs_task(arguments.pairs)])
    else:
        # captions have no windows; what has, and cannot score them, is refused by its name
        data.list_only(arguments.num_frames if captions is None else 1)
        data.prepare_data()
        if captions is not None:
            _score_captions(arguments, data, captions)
            return 0
        corpus = _corpus(arguments, data)
    if given is not None:
        _score(arguments, corpus, given)
    else:
        _write_list(arguments.list, list(rows_to_embed(corpus.chosen(arguments.protocol))))
    return 0


class _Corpus:
    """What there is to score, and what else ids may belong to."""

    def __init__(
        self,
        tasks: Sequence[VectorTask],
        data: VideoTextData | None = None,
        other_stage: Stage = "validate",
    ) -> None:
        self.tasks = list(tasks)
        self.known = VectorIds.of(self.tasks)
        self._data = data
        self._other_stage: Stage = other_stage

    def chosen(self, name: str | None) -> list[VectorTask]:
        return self.tasks if name is None else chosen_tasks(self.tasks, name)

    def elsewhere(self) -> dict[str, VectorIds]:
        """Return the ids of the other stage, unless its files are not there."""
        if self._data is None:
            return {}
        try:
            tasks = vector_tasks(self._data, self._other_stage)
        except (VTLearnError, OSError):
            return {}
        return {f"--stage {self._other_stage}": VectorIds.of(tasks)}


def _corpus(arguments: argparse.Namespace, data: VideoTextData) -> _Corpus:
    stage: Stage = arguments.stage or "test"
    tasks = vector_tasks(data, stage)
    _require_protocols(data, stage, tasks)
    return _Corpus(tasks, data, _STAGES[stage])


def _require_protocols(data: VideoTextData, stage: Stage, tasks: Sequence[VectorTask]) -> None:
    if not any(task.protocols for task in tasks):
        other = [one for one in _STAGES if one != stage and data.tasks(one)]
        way_out = f"; give --stage {other[0]}" if other else ""
        message = f"{type(data).__name__} has no protocol for --stage {stage}{way_out}"
        raise ArgumentError(message)


def _score_captions(
    arguments: argparse.Namespace, data: VideoTextData, captions: Mapping[str, str]
) -> None:
    stage: Stage = arguments.stage or "test"
    tasks = [VectorTask(task.protocols, []) for task in data.tasks(stage)]
    _require_protocols(data, stage, tasks)
    if arguments.protocol is not None:
        tasks = chosen_tasks(tasks, arguments.protocol)
    protocols = [protocol for task in tasks for protocol in task.protocols]
    reasons = [reason for one in protocols if (reason := writes_nothing(one))]
    if reasons:
        raise ArgumentError(reasons[0])
    results = score_captions(
        protocols,
        captions,
        max_missing=arguments.max_missing or 0,
        elsewhere=lambda: _captioned_elsewhere(data, _STAGES[stage]),
    )
    if arguments.output is not None:
        write_results(
            arguments.output,
            results,
            checkpoint=None,
            dtype=None,
            world_size=1,
            captions={result.protocol: arguments.captions for result in results},
        )
    print_results(results, arguments.output)


def _captioned_elsewhere(data: VideoTextData, stage: Stage) -> dict[str, list[str]]:
    """Return the ids of another stage, unless its files are not there."""
    try:
        tasks = data.tasks(stage)
    except (VTLearnError, OSError):
        return {}
    return {
        f"--stage {stage}": [one for task in tasks for x in task.protocols for one in x.expected]
    }


def _score(arguments: argparse.Namespace, corpus: _Corpus, given: GivenVectors) -> None:
    tasks = _served(corpus.chosen(arguments.protocol), given, asked_for=bool(arguments.protocol))
    results = score_vectors(
        tasks,
        given,
        similarity=arguments.similarity or "dot",
        max_missing=arguments.max_missing or 0,
        known=corpus.known,
        elsewhere=corpus.elsewhere,
    )
    if arguments.output is not None:
        write_results(
            arguments.output,
            results,
            checkpoint=None,
            dtype=given.dtype,
            world_size=1,
            vectors=arguments.vectors,
        )
    print_results(results, arguments.output)


def _served(
    tasks: Sequence[VectorTask], given: GivenVectors, *, asked_for: bool
) -> list[VectorTask]:
    """Leave out protocols that cannot score vectors, and say so."""
    reasons = [why for task in tasks for one in task.protocols if (why := unserved(one, given))]
    served = [
        VectorTask([one for one in task.protocols if unserved(one, given) is None], task.items)
        for task in tasks
    ]
    served = [task for task in served if task.protocols]
    if reasons and (asked_for or not served):
        raise ArgumentError("; ".join(reasons))
    for reason in reasons:
        sys.stderr.write(f"not scored: {reason}\n")
    return served


def _write_list(path: Path, rows: Sequence[RowToEmbed]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(RowToEmbed._fields)
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, text.getvalue())
    videos = {row.item for row in rows if row.item}
    texts = {row.text_id for row in rows if row.text_id}
    told = f" and {len(texts)} texts" if texts else ""  # of captions to be written there are none
    sys.stdout.write(f"{path}: {len(videos)} videos or windows{told}\n")


def _check_options(arguments: argparse.Namespace) -> None:
    if (arguments.data is None) == (arguments.pairs is None):
        message = "give either --data, a corpus's configuration, or --pairs, ids of your own"
        raise ArgumentError(message)
    asked = [arguments.vectors, arguments.captions, arguments.list]
    if arguments.data is not None and sum(one is not None for one in asked) != 1:
        message = (
            "give either --vectors or --captions, to score them, or --list, to write what to embed"
        )
        raise ArgumentError(message)
    if arguments.pairs is not None:
        _refuse(arguments, (*_OF_DATA, "captions"), "--pairs")
        if arguments.vectors is None:
            message = "give --vectors, which are to be scored by --pairs"
            raise ArgumentError(message)
    if arguments.list is not None:
        _refuse(arguments, _OF_VECTORS, "--list")
    if arguments.captions is not None:
        _refuse(arguments, ("similarity", "num_frames"), "--captions")
    for option, number, least in (
        ("--max-missing", arguments.max_missing, 0),
        ("--num-frames", arguments.num_frames, 1),
    ):
        if number is not None and number < least:
            message = f"{option} is {number}; it has to be {least} or more"
            raise ArgumentError(message)
    _check_written(arguments)


def _refuse(arguments: argparse.Namespace, names: Sequence[str], beside: str) -> None:
    for name in names:
        if getattr(arguments, name) is not None:
            message = f"--{name.replace('_', '-')} has no meaning beside {beside}; leave it out"
            raise ArgumentError(message)


def _check_written(arguments: argparse.Namespace) -> None:
    """Refuse to write over what is read, or a folder."""
    given = arguments.data, arguments.pairs, arguments.vectors, arguments.captions
    read = [Path(one) for one in given if one]
    for name in ("output", "list"):
        path: Path | None = getattr(arguments, name)
        if path is None:
            continue
        if path.is_dir():
            message = f"--{name} {path} is a directory; give the name of a file"
            raise ArgumentError(message)
        if path.resolve() in [one.resolve() for one in read]:
            message = f"--{name} {path} is read by this command; give another name"
            raise ArgumentError(message)
