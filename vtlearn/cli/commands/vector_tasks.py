"""What there is to score: of a data configuration, as far as no video is read, or of pairs."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from vtlearn.cli.argv import find_configs
from vtlearn.cli.messages import Parser
from vtlearn.datamodules import Stage
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.lists import read_table
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.sampling.spans import UniformWindows
from vtlearn.datasets.sampling.windows import FrameWindows, TimedWindows, WholeSegment
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.items_to_embed import ItemToEmbed, VectorTask
from vtlearn.evaluation.result import Annotations
from vtlearn.evaluation.retrieval import Retrieval

__all__: list[str] = []

#: What an item is spread over whose windows are averaged, or that is one window.
_Segment = UniformWindows | FrameWindows | WholeSegment


def load_data(data: str, settings: Sequence[str] = ()) -> VideoTextData:
    """Make the datamodule that a configuration describes.

    Args:
        data: A YAML file, which is a data section or has one, here or among the shipped ones; or
            the name of a class whose arguments may all be left out.
        settings: Arguments that win over it, as ``root=/data/msrvtt``.

    Returns:
        The datamodule.

    Raises:
        ArgumentError: If there is no such file, or it is not valid YAML or has no data; or a
            setting is not ``name=value``.
        SystemExit: With code 2 and a sentence, if it is not the configuration of a datamodule.
    """
    _, found = find_configs(["--data", data])
    parser = Parser(prog="vtlearn score")
    parser.add_argument("--data", type=VideoTextData, required=True)
    wrong = [setting for setting in settings if not setting.partition("=")[1]]
    if wrong:
        message = f"--set: expected NAME=VALUE, got {wrong[0]!r}"
        raise ArgumentError(message)
    section = data if _is_class(data) else _section(Path(found))
    changed = [f"--data.init_args.{setting}" for setting in settings]
    config = parser.parse_args(["--data", section, *changed])
    make = (
        getattr(parser, "instantiate", None) or parser.instantiate_classes
    )  # the former from 4.49
    made: VideoTextData = make(config).data
    return made


def vector_tasks(data: VideoTextData, stage: Stage) -> list[VectorTask]:
    """List what a stage is scored by, and the vectors that it takes.

    Args:
        data: The datamodule; none of its videos is decoded.
        stage: Which split.

    Returns:
        A task for each of the datamodule's.

    Raises:
        VTLearnError: If the corpus is not there, or windows depend on a length that is not known.
    """
    tasks = data.tasks(stage)
    if data.reading.features is None:
        _require_lengths([item for task in tasks for item in task.items.items])
    return [
        VectorTask(
            list(task.protocols),
            [
                _to_embed(item, data.reading, texts=any(one.item_texts for one in task.protocols))
                for item in task.items.items
            ],
        )
        for task in tasks
    ]


def pairs_task(path: Path) -> VectorTask:
    r"""Make a task of ids of the user's own: find each text's items, and each item's texts.

    Args:
        path: A csv with the columns ``text`` and ``item``, a row per pair.

    Returns:
        Retrieval under the name ``pairs@1``.

    Raises:
        ArgumentError: If the file cannot be read, lacks a column or rows, or a pair comes twice.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "pairs.csv")
        ...     _ = file.write_text("text,item\nt,v\nt,w\n")
        ...     pairs_task(file).protocols[0].expected
        ['v', 'w']
    """
    relevance: dict[str, list[str]] = {}
    texts: dict[str, dict[str, str]] = {}
    for line, cells in read_table(path, ["text", "item"]):
        text, item = cells["text"], cells["item"]
        if text in texts.get(item, {}):
            message = f"{path} has the pair {text},{item} again in line {line}; remove one"
            raise ArgumentError(message)
        relevance.setdefault(text, []).append(item)
        texts.setdefault(item, {})[text] = ""
    if not texts:
        message = f"{path} has no pairs; give a row for each"
        raise ArgumentError(message)
    protocol = Retrieval("pairs", 1, list(texts), relevance, windows="as given")
    protocol.annotations = Annotations(hashlib.sha256(path.read_bytes()).hexdigest(), None)
    whole = [(math.nan, math.nan)]
    return VectorTask([protocol], [ItemToEmbed(item, whole, own) for item, own in texts.items()])


def _is_class(word: str) -> bool:
    return not Path(word).exists() and word.isidentifier()


def _section(path: Path) -> str:
    """Return the data section of a file, which it may be as a whole, as YAML in one line."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{path} is not valid YAML: {' '.join(str(error).split())}"
        raise ArgumentError(message) from error
    if isinstance(content, dict) and "class_path" not in content:
        content = content.get("data")
    if not content:
        message = f"{path} has no data section, and is none: give class_path and init_args"
        raise ArgumentError(message)
    if isinstance(content, str):
        return content
    return yaml.safe_dump(content, default_flow_style=True, width=math.inf)


def _require_lengths(items: Sequence[EvaluationItem]) -> None:
    """Refuse to guess how many windows a video has that is not there."""
    laid = [item for item in items if not isinstance(item.starts, _Segment)]
    absent = [item for item in laid if not Path(item.source).exists()]
    if absent:
        message = (
            f"{len(absent)} of {len(laid)} videos are not there (first: {absent[0].source}), and "
            "what their windows are depends on how long they last; bring them, or set "
            "data.init_args.features to a store of their features"
        )
        raise ArgumentError(message)


def _to_embed(item: EvaluationItem, reading: Reading, *, texts: bool) -> ItemToEmbed:
    own = dict(zip(item.text_ids, item.texts, strict=True)) if texts else {}
    return ItemToEmbed(item.id, list(_spans(item.starts, reading)), own, str(item.source))


def _spans(starts: _Segment | Sequence[float], reading: Reading) -> Iterator[tuple[float, float]]:
    """Yield what each vector of an item is made of; several windows have to have a known length."""
    if isinstance(starts, UniformWindows) and starts.each:  # spread over what may not be there
        yield from [(math.nan, math.nan)] * starts.count
        return
    if isinstance(starts, _Segment):  # its windows averaged to one vector
        yield starts.start, math.nan if starts.end is None else starts.end
        return
    known = len(starts) != 1 or reading.sampling.num_frames is not None
    seconds = [reading.clip_seconds if known else math.nan] * len(starts)
    if known and isinstance(starts, TimedWindows):
        stored, frames = reading.features is not None, reading.clip_shape.num_frames
        lengths = starts.frame_lengths(reading.fps, frames, stored=stored)
        seconds = [length / reading.fps for length in lengths]
    for start, lasts in zip(starts, seconds, strict=True):
        yield start, start + lasts
