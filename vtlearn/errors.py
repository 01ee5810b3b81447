"""What vtlearn raises for a user's mistake: each says what is wrong, where, and the way out.

All of them derive from :class:`VTLearnError`, so that the command line can show one as a sentence
instead of a traceback, and all of them survive pickling, so that a loader's worker can raise one.
"""

from collections.abc import Sequence

from vtlearn.unicode import escape_bytes

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "CorpusNotFoundError",
    "EvaluationError",
    "FeatureError",
    "LostClipsError",
    "MetadataError",
    "MissingPackageError",
    "NoCaptionsError",
    "NonFiniteError",
    "OutsideCaptionsError",
    "ShardError",
    "TooManyUnreadableError",
    "TranscriptError",
    "UnreadableVideoError",
    "VTLearnError",
    "format_error",
]


class VTLearnError(Exception):
    """A user's mistake, or something wrong with a user's files.

    Subclasses compose their sentence from the constructor's arguments, which ``args`` keeps: that
    is what makes them picklable. All arguments but the first have defaults, because torch raises an
    error of a loader's worker again as ``kind(text of the traceback)``.

    Example:
        >>> import pickle
        >>> str(pickle.loads(pickle.dumps(UnreadableVideoError("a.mp4", "no video stream"))))
        'a.mp4 cannot be read: no video stream'
    """

    def __str__(self) -> str:
        """Return the sentence a user reads."""
        return _raised_in_worker(self) or self.sentence()

    def sentence(self) -> str:
        """Compose the sentence from the constructor's arguments."""
        return " ".join(str(part) for part in self.args)


class ArgumentError(VTLearnError, ValueError):
    """An argument, or a combination of arguments, that makes no sense."""


class CheckpointError(VTLearnError):
    """A checkpoint that does not fit the model, or is not a vtlearn checkpoint."""


class EvaluationError(VTLearnError):
    """Vectors or ids that cannot be scored: NaN, a repeated id, an id that is not expected."""


class FeatureError(VTLearnError):
    """Stored features that cannot be used: undescribed, or created with other settings."""


class ShardError(VTLearnError):
    """A shard that cannot be read, or must not be: a member would lie outside its folder."""


class TranscriptError(VTLearnError):
    """Captions that cannot be what they claim: no end, an end before the start, no text."""


class MetadataError(TranscriptError):
    """A file that says what a video is called, as yt-dlp writes it, and not a transcript."""


class MissingPackageError(VTLearnError, ImportError):
    """An optional package that is needed now.

    Args:
        package: The name it is imported by.
        extra: The extra of vtlearn that installs it.
        purpose: What it is needed for.
    """

    def __init__(self, package: str, extra: str = "", purpose: str = "") -> None:
        super().__init__(package, extra, purpose)

    def sentence(self) -> str:
        """Name the package and the command that installs it."""
        package, extra, purpose = self.args
        return (
            f"{purpose} needs the package {package}: pip install 'vtlearn[{extra}]' (in a clone: "
            f"pip install -e '.[{extra}]')"
        )


class UnreadableVideoError(VTLearnError):
    """A video that cannot be opened, has no video stream, yields no frame, or takes too long.

    Args:
        path: The file.
        reason: What the decoder said.
        stage: How far reading came: ``open``, ``decode``, or ``time`` where its budget was used up.
    """

    def __init__(self, path: str, reason: str = "", stage: str = "open") -> None:
        super().__init__(path, reason, stage)

    @property
    def stage(self) -> str:
        """How far reading came."""
        return str(self.args[2])

    def sentence(self) -> str:
        """Name the file and the reason."""
        path, reason, _ = self.args
        return f"{path} cannot be read: {reason}"


class NoCaptionsError(VTLearnError):
    """A readable sample that comes without captions, where that is known when it is read."""


class LostClipsError(VTLearnError):
    """A readable video of which the clips that were drawn lie in a damaged stretch, all of them.

    Args:
        video_id: Its id.
        starts: Where they start, in seconds.
    """

    def __init__(self, video_id: str, starts: Sequence[float] = ()) -> None:
        super().__init__(video_id, tuple(starts))

    def sentence(self) -> str:
        """Name the video and the times."""
        video_id, starts = self.args
        times = ", ".join(f"{start:.1f}" for start in starts)
        return f"{video_id} has no frame in the clips drawn at {times} s: it is damaged there"


class OutsideCaptionsError(LostClipsError):
    """A readable video that shows nothing while its captions are said, any of them.

    Args:
        video_id: Its id.
        captions: How many captions it has.
        start: When its first frame is shown, in seconds.
        end: When its last frame ends.
    """

    def __init__(
        self, video_id: str, captions: int = 0, start: float = 0.0, end: float = 0.0
    ) -> None:
        VTLearnError.__init__(self, video_id, captions, start, end)

    def sentence(self) -> str:
        """Name the video and the times."""
        video_id, captions, start, end = self.args
        frames = f"its frames are from {start:.1f} to {end:.1f} s"
        return f"all {captions} captions of {video_id} are outside its time: {frames}"


class TooManyUnreadableError(VTLearnError):
    """More videos of a corpus are unreadable than its owner said were acceptable.

    Args:
        unreadable: How many have been met.
        total: How many videos the corpus has.
        limit: The largest share that was to be accepted.
        report: The file that names them.
        allowed: How many that share is of the corpus.
    """

    def __init__(
        self,
        unreadable: int,
        total: int = 0,
        limit: float = 0.0,
        report: str = "",
        allowed: int = 0,
    ) -> None:
        super().__init__(unreadable, total, limit, report, allowed)

    def sentence(self) -> str:
        """Give the arithmetic, the report, and the argument to change."""
        unreadable, total, limit, report, allowed = self.args
        if unreadable <= allowed:  # nothing is left, though that many were to be accepted
            return (
                f"none of the {total} videos can be read: {report} names {unreadable} of {total}. "
                "Fix them"
            )
        return (
            f"{unreadable} of {total} videos cannot be read, more than the {allowed} that "
            f"max_unreadable_fraction={limit} allows; {report} names them. "
            "Fix or remove them, or accept more by a larger max_unreadable_fraction."
        )


class NonFiniteError(VTLearnError):
    """A loss or a gradient of a training that is NaN or infinite, more often than is tolerated.

    Args:
        what: What is not finite.
        step: How many steps the optimiser had made.
        report: The file that says where it came from.
        tolerated: How many such steps were to be left out.
    """

    def __init__(self, what: str, step: int = 0, report: str = "", tolerated: int = 0) -> None:
        super().__init__(what, step, report, tolerated)

    def sentence(self) -> str:
        """Say where it happened, where to look, and what to try."""
        what, step, report, tolerated = self.args
        after = f", after {tolerated} that were left out" if tolerated else ""
        return (
            f"{what} at step {step}{after}, which has changed no weight: {report} names the batch "
            "and the parameters; try a lower learning rate, --trainer.gradient_clip_val 1.0, or "
            f"--model.skip_nonfinite {tolerated + 1} to leave so many such steps out"
        )


class CorpusNotFoundError(VTLearnError):
    """A corpus that is not on disk where it was looked for.

    Args:
        corpus: Its name.
        missing: The files or folders that were expected, each with what it should hold.
        source: Where its authors publish it; empty for a user's own data.
    """

    def __init__(self, corpus: str, missing: Sequence[str] = (), source: str = "") -> None:
        super().__init__(corpus, tuple(missing), source)

    def sentence(self) -> str:
        """List what was expected and where it can be had."""
        corpus, missing, source = self.args
        expected = "\n".join(f"  {line}" for line in missing)
        published = f"\nIts authors publish it at {source}" if source else ""
        return f"{corpus} was not found. Expected:\n{expected}{published}"


def format_error(error: VTLearnError | OSError) -> str:
    r"""Say at the command line what is wrong with what a user gave, or with a user's disk.

    Example:
        >>> format_error(PermissionError(13, "Permission denied", "runs"))
        'vtlearn: error: runs: Permission denied\n'
    """
    if isinstance(error, OSError) and error.strerror and not isinstance(error, VTLearnError):
        where = "" if error.filename is None else f"{error.filename}: "
        return escape_bytes(f"vtlearn: error: {where}{error.strerror}\n")
    return escape_bytes(f"vtlearn: error: {error}\n")


def _raised_in_worker(error: VTLearnError) -> str | None:
    """Take our sentence out of the traceback that torch makes of a worker's error."""
    text = str(error.args[0]) if error.args else ""
    if len(error.args) > 0 and text.startswith("Caught ") and " worker process " in text:
        return text.rpartition(f"{type(error).__module__}.{type(error).__name__}: ")[2].strip()
    return None
