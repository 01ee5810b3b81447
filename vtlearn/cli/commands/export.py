"""Write a checkpoint's model into a folder of its own, without what only training needs.

MODEL is a checkpoint, such a folder, or a name on the Hugging Face hub. FOLDER gets
model.safetensors, config.json (how the model is built, and how its clips are read) and
vocabulary.json; vtlearn.load, --model and --weights open it, and it can be uploaded as it is:

  vtlearn export runs/vttwins/version_0/checkpoints/best.ckpt models/kitchen
  vtlearn search "chop the carrot" --in videos --model models/kitchen

With --onnx it also gets video.onnx and text.onnx, whose vectors are compared with torch's. They
need pip install 'vtlearn[export]'.
"""

import argparse
import json
import sys
from pathlib import Path

from vtlearn.inference import load
from vtlearn.inference.onnx_export import export_onnx
from vtlearn.model_folder import require_new_folder

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("model", metavar="MODEL", help="a checkpoint, a folder of a model, or a name on the hub")
    add("folder", type=Path, metavar="FOLDER", help="where to; new or empty")
    add("--onnx", action="store_true", help="write the two encoders as ONNX as well")
    add(
        "--trust-checkpoint",
        action="store_true",
        help="import classes that it names and vtlearn does not know, which may run any code",
    )
    add("--json", action="store_true", help="print what was written as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, and say what is in it.

    Args:
        arguments: The command's options.

    Returns:
        0; 1 where an encoder could not be exported to ONNX.

    Raises:
        VTLearnError: If there is no such model, something is in the folder already, or a package is
            missing.
    """
    require_new_folder(arguments.folder)
    model = load(arguments.model, trust=arguments.trust_checkpoint)
    model.save_pretrained(arguments.folder)
    exported = export_onnx(model, arguments.folder) if arguments.onnx else []
    if arguments.json:
        files = {x.path.name: x.reason or x.difference for x in exported}
        record = {"folder": str(arguments.folder), "sha256": model.sha256, "onnx": files}
        sys.stdout.write(f"{json.dumps(record, ensure_ascii=False)}\n")
    else:
        sys.stdout.write(f"written to {arguments.folder}: vtlearn.load opens it\n")
        for path, difference, reason in exported:
            found = reason or f"differs from torch by {difference:.1e} at most"
            sys.stdout.write(f"{path.name}: {'not exported, ' if reason else ''}{found}\n")
    return 1 if any(x.reason for x in exported) else 0
