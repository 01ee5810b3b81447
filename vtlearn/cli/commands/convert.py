r"""Convert a published checkpoint into a folder that vtlearn.load and --weights open.

FILE is one of VT-TWINS, MIL-NCE, S3D_HowTo100M, VideoCLIP, TempCLR or Norton. The folder gets
model.safetensors, config.json (how the model is built, and which file it came from) and
vocabulary.json. None of these files carries its words, which are published beside:

  vtlearn convert pretrained.pth.tar --to vttwins --vocabulary dict.npy
  vtlearn test --config configs/paper/vttwins.yaml --weights vttwins --data configs/data/msrvtt.yaml

Every weight is accounted for; one that is missing, left over or of another shape is an error.
"""

import argparse
import sys
from pathlib import Path

from vtlearn.interop import KINDS, convert

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the published checkpoint")
    add("--to", type=Path, required=True, metavar="DIR", help="the folder to write, new or empty")
    add("--kind", choices=KINDS, help="whose it is (told by its keys)")
    add("--vocabulary", type=Path, metavar="FILE", help="its words: dict.npy, or BERT's vocab.txt")
    add(
        "--trust-pickle",
        action="store_true",
        help="load anything that is pickled in it, which may run code of its author",
    )
    add(
        "--allow-missing",
        nargs="+",
        action="extend",
        default=[],
        metavar="PREFIX",
        help="accept weights below these names that are missing, or left over",
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert it, and print what became of its weights.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        ArgumentError: If the folder is not empty, or a file is not there.
        CheckpointError: If the file is not a published checkpoint, or not whole.
    """
    done = convert(
        arguments.file,
        arguments.to,
        kind=arguments.kind,
        trust_pickle=arguments.trust_pickle,
        allow_missing=arguments.allow_missing,
        vocabulary=arguments.vocabulary,
    )
    sys.stdout.write(f"{arguments.file}: {done.published.kind}\n{done.report}\n")
    if done.published.remark:
        sys.stdout.write(f"{done.published.remark}\n")
    if done.report.missing:
        sys.stdout.write("what is missing begins at random\n")
    if not done.has_words:
        sys.stdout.write(
            f"it reads no texts yet: give its words, {done.published.vocabulary}, by --vocabulary, "
            "or to the model as model.text_encoder.init_args.vocabulary\n"
        )
    sys.stdout.write(f"written to {arguments.to}\n")
    return 0
