"""One training at a time in a run's folder, and since when."""

from pathlib import Path

from filelock import FileLock, Timeout
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vtlearn.callbacks.run_checkpoint import keeps_nothing
from vtlearn.errors import ArgumentError
from vtlearn.run_folder import is_first_process, run_folder

__all__ = ["RunLock"]

_FILE = ".training.lock"


class RunLock(Callback):
    """Refuse to train in a folder where another process trains.

    The lock ends with its process, however that ends; the file tells when it began.

    Args:
        resumed: The folder of a run that is resumed, which is locked at once: loggers change files
            there before any callback is asked. None for a new run's.

    Raises:
        ArgumentError: At once, or when a training begins, if another process trains in its folder.
    """

    def __init__(self, resumed: Path | None = None) -> None:
        self._lock: FileLock | None = None
        if resumed is not None and is_first_process():
            self._acquire(resumed)

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = run_folder(trainer)  # every process asks, because they agree on it by talking
        if stage != "fit" or keeps_nothing(trainer) or not trainer.is_global_zero:
            return
        self._acquire(folder)

    def _acquire(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock((folder / _FILE).resolve())
        if self._lock is not None and self._lock.lock_file == lock.lock_file:
            return
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            message = (
                f"another process trains in {folder}: wait until it has ended, or give another "
                "name (--trainer.logger.name)"
            )
            raise ArgumentError(message) from error
        except OSError:  # a disk that has no locks
            return
        (folder / _FILE).touch()
        self._lock = lock

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._release()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def began_at(run: Path) -> int | None:
    """Tell when a run was begun, or resumed, last.

    Args:
        run: Its folder.

    Returns:
        Nanoseconds as those of files; None where that is not known.
    """
    path = run / _FILE
    return path.stat().st_mtime_ns if path.is_file() else None
