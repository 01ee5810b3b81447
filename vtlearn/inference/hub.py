"""Models on the Hugging Face hub, by name."""

import logging
import re
from pathlib import Path

from vtlearn.errors import CheckpointError
from vtlearn.model_folder import FILES

__all__: list[str] = []

_NAME = re.compile(r"([\w-][\w.-]*/[\w.-]+)(?:@([\w./-]+))?")
_CHECKPOINTS = frozenset({".ckpt", ".pt", ".pth", ".tar"})


def find_model(named: str) -> Path:
    """Find a model on this machine, or on the hub.

    Args:
        named: A file or a folder; or a name on the hub, ``owner/name``, with ``@revision`` for
            another than the newest.

    Returns:
        The file or folder; of a name, where its files are kept. What was downloaded before is found
        without a network.

    Raises:
        CheckpointError: If there is no such file, and no such model can be reached.

    Example:
        >>> find_model("./absent.ckpt")
        Traceback (most recent call last):
            ...
        vtlearn.errors.CheckpointError: ./absent.ckpt: No such file or directory
    """
    path = Path(named).expanduser()
    match = _NAME.fullmatch(named)
    if path.exists():
        return path
    if match is None or path.suffix in _CHECKPOINTS:
        message = f"{named}: No such file or directory"
        raise CheckpointError(message)
    return _download(named, *match.groups())


def _download(named: str, repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    their_log = logging.getLogger("huggingface_hub")
    level = their_log.level
    their_log.setLevel(logging.ERROR)  # it tells of each attempt, and what is raised says it all
    try:
        folder = snapshot_download(repository, revision=revision, allow_patterns=list(FILES))
    except (OSError, ValueError, RuntimeError, HfHubHTTPError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        message = (
            f"{named} is neither a file nor a folder here, and cannot be read from the Hugging "
            f"Face hub ({reason}): give a checkpoint, or download {', '.join(FILES)} from "
            f"https://huggingface.co/{repository} where it can be reached, and give their folder"
        )
        raise CheckpointError(message) from error
    finally:
        their_log.setLevel(level)
    return Path(folder)
