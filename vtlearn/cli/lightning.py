"""fit, validate, test and predict from YAML and the command line."""

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import LearningRateMonitor, RichProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

# imported for their classes: a configuration names them without a path
import vtlearn.datamodules
import vtlearn.encoders.text
import vtlearn.encoders.video
import vtlearn.heads
import vtlearn.schedule  # noqa: F401
from vtlearn.callbacks import (
    AlignmentPictures,
    BestCheckpoint,
    BuildVocabulary,
    ConfigWriter,
    ContinuedLogs,
    DataWait,
    FeatureWriter,
    ResumeCheck,
    RunLock,
    StepCheckpoint,
    StopOnSignal,
    TrainingStopped,
    UnreadableReport,
)
from vtlearn.cli.argv import (
    find_configs,
    named_checkpoint,
    names_checkpoint,
    prefer_typed_weights,
    put_checkpoint_first,
    replace_data,
    separated,
    typed_text_dim,
)
from vtlearn.cli.launchers import find_launched, use_launched
from vtlearn.cli.logger_folder import DEFAULT_LOGGER
from vtlearn.cli.messages import Parser
from vtlearn.cli.moved_classes import current_class_path
from vtlearn.cli.own_folder import folder_without_logger, named_versions, run_of
from vtlearn.cli.stopping import ctrl_c_stops, describe_stop
from vtlearn.datamodules.base import VideoTextData
from vtlearn.errors import ArgumentError, VTLearnError, format_error
from vtlearn.interop import load_weights, read_weights
from vtlearn.learner import VideoTextLearner
from vtlearn.run_folder import is_working_directory

__all__ = ["run"]

_LOG = logging.getLogger(__name__)

_TRAINER_DEFAULTS = {
    "use_distributed_sampler": False,
    "log_every_n_steps": 10,
    "logger": DEFAULT_LOGGER,
}
#: Times per second that the bar is drawn: at Lightning's 100 it takes up to a tenth of a core.
_REDRAWS = 10
_TEXT_DIM = "model.text_encoder.init_args.dim"


class VTLearnCLI(LightningCLI):
    """LightningCLI with our model, our data, and a checkpoint that carries its model.

    The command line wins over files, later files over earlier ones, files over the checkpoint.
    """

    parser_type: type[Parser] = Parser
    makes_folders = True

    def __init__(self, argv: Sequence[str]) -> None:
        super().__init__(
            VideoTextLearner,
            VideoTextData,
            subclass_mode_data=True,
            trainer_defaults=_TRAINER_DEFAULTS,
            seed_everything_default=0,
            parser_class=self.parser_type,
            save_config_callback=ConfigWriter,
            save_config_kwargs={"overwrite": True},
            args=list(argv),
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,  # the learner describes itself
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the commands, with the arguments that are not the user's to give."""
        commands = LightningCLI.subcommands()
        return {name: commands[name] for name in ("fit", "validate", "test", "predict")}

    def setup_parser(self, *args: Any, **kwargs: Any) -> None:
        """Let our table stand in place of Lightning's, and open checkpoints safely.

        Args:
            args: As LightningCLI has them.
            kwargs: As LightningCLI has them.
        """
        super().setup_parser(*args, **kwargs)
        for name, parser in self._subcommand_parsers.items():
            options = self._subcommand_method_arguments[name]
            wanted = {"verbose": False, "weights_only": True, "return_predictions": False}
            parser.set_defaults({key: value for key, value in wanted.items() if key in options})
        if "predict" in self._subcommand_parsers:
            self._subcommand_parsers["predict"].add_lightning_class_args(FeatureWriter, "features")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Give the callbacks that are always there sections of their own.

        Args:
            parser: One command's.
        """
        parser.add_argument(
            "--trust_checkpoint",
            action="store_true",
            help="import any class that the checkpoint names, which may run code of its author",
        )
        parser.add_argument(
            "--weights",
            type=str | None,
            metavar="FILE|DIR",
            help="weights and vocabulary to begin with: a .ckpt, a folder of vtlearn convert, or a "
            "published file that fits the model",
        )
        parser.add_argument(
            "--resume_changed",
            action="store_true",
            help="resume --ckpt_path with another batch size, seed, corpus or head, in another "
            "folder",
        )
        parser.add_lightning_class_args(BestCheckpoint, "best_checkpoint")
        parser.add_lightning_class_args(StepCheckpoint, "step_checkpoint")
        parser.add_lightning_class_args(AlignmentPictures, "alignment_pictures")
        parser.link_arguments("model.video_encoder.init_args.dim", _TEXT_DIM)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the command line, a checkpoint's model first of all.

        Args:
            parser: The parser of all commands.
            args: The command line.
        """
        argv = [current_class_path(word) for word in find_configs(separated(args))]
        argv = prefer_typed_weights(argv)
        checkpoint = named_checkpoint(argv)
        if checkpoint is not None:
            argv = put_checkpoint_first(argv, checkpoint)
        elif names_checkpoint(argv):  # last, and there is none yet
            argv = [*argv, "--ckpt_path", "null"]
        self.config = parser.parse_args(replace_data(argv))
        self._typed_text_dim = typed_text_dim(argv)

    def _require_one_dim(self) -> None:
        """Refuse a width of texts that is not that of videos, which a link would replace."""
        typed, dim = self._typed_text_dim, self._get(self.config, _TEXT_DIM)
        if typed is not None and dim is not None and typed != dim:
            message = (
                f"{_TEXT_DIM}={typed}, but videos have dim={dim} and are compared with texts: give "
                "dim to the video encoder alone"
            )
            raise ArgumentError(message)

    def _require_one_source(self) -> None:
        """Refuse weights that a checkpoint would replace."""
        weights, checkpoint = (self._get(self.config, x) for x in ("weights", "ckpt_path"))
        if weights is not None and checkpoint is not None:
            message = (
                f"--weights {weights} would be overwritten by --ckpt_path {checkpoint}: give one "
                "of them (--weights null, where a configuration names both)"
            )
            raise ArgumentError(message)

    def _parse_ckpt_path(self) -> None:
        """Do nothing: Lightning would lay the checkpoint over the command line here."""

    def before_instantiate_classes(self) -> None:
        """Refuse what would make figures wrong, and use the processes that were started."""
        self._require_one_dim()
        self._require_one_source()
        trainer = self._get(self.config, "trainer")
        if trainer.use_distributed_sampler:
            message = (
                "trainer.use_distributed_sampler=true would repeat items to make the processes' "
                "shares even, and count them twice; leave it out: vtlearn shares batches out itself"
            )
            raise ArgumentError(message)
        use_launched(trainer, os.environ)

    def instantiate_classes(self) -> None:
        """Build everything, and give the model the weights to begin with."""
        path = self._get(self.config, "weights")
        weights = None if path is None else read_weights(Path(path))  # before anything takes time
        logger = self._get(self.config, "trainer").logger if self.makes_folders else None
        with named_versions(logger, self._resumed_run()):
            super().instantiate_classes()
        if weights is None:
            return
        model = self.model
        report, remarks = load_weights(
            weights,
            model.video_encoder,
            model.text_encoder,
            model.head,
            reads_texts=self.subcommand != "predict",
        )
        model.weights = path
        _LOG.info("%s", "\n".join([f"weights: {path}", str(report), *remarks]))

    def _resumed_run(self) -> Path | None:
        """Return the folder of the run that is resumed in it; None where another one begins."""
        resumes = self.subcommand == "fit" and self.makes_folders
        if not resumes or self._get(self.config, "resume_changed"):
            return None
        return run_of(self._get(self.config, "ckpt_path"))

    def after_fit(self) -> None:
        """Say where the best model is, or the last, where none was chosen."""
        if self.trainer.fit_loop.is_resuming:  # still
            _LOG.info(
                "nothing was left to do: %s has all steps of max_epochs=%s, max_steps=%s. To train "
                "on raise them; to begin with its weights give --weights in place of --ckpt_path",
                *(self.trainer.ckpt_path, self.trainer.max_epochs, self.trainer.max_steps),
            )
        callbacks = self.trainer.checkpoint_callbacks
        # one that was resumed after its end has a path, and no score
        found = [x for x in callbacks if isinstance(x, BestCheckpoint) and x.best_model_path]
        best = [x for x in found if x.best_model_score is not None]
        for chosen in best:
            path, score = chosen.best_model_path, chosen.best_model_score
            _LOG.info("best model: %s (%s %.1f)", os.path.relpath(path), chosen.monitor, score)
        for latest in (x for x in callbacks if isinstance(x, StepCheckpoint) and not best):
            if latest.path.exists():
                _LOG.info("last model: %s", os.path.relpath(latest.path))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer, with the callbacks that its options leave room for.

        Args:
            kwargs: Options that win over the configured ones.
        """
        trainer = self._get(self.config_init, "trainer")
        keys = self._parser(self.subcommand).callback_keys
        if trainer.enable_checkpointing is False:
            keys[:] = [key for key in keys if not key.endswith("_checkpoint")]
        given = trainer.callbacks or []
        callbacks: list[Callback] = [BuildVocabulary(), *given, UnreadableReport(), DataWait()]
        logs = ContinuedLogs(self._resumed_run())
        if self.subcommand == "fit":
            checkpoint = self._get(self.config_init, "ckpt_path")
            changed = self._get(self.config_init, "resume_changed")
            check = ResumeCheck(checkpoint and Path(checkpoint), allow_changed=changed)
            callbacks += [RunLock(self._resumed_run()), check, logs, StopOnSignal()]
        if trainer.enable_progress_bar is not False:
            callbacks.append(RichProgressBar(refresh_rate=_REDRAWS))
        if trainer.logger is not False:
            callbacks.append(LearningRateMonitor("step"))
        if is_working_directory(Path(trainer.default_root_dir or ".")):
            # for what has no logger's folder: in the working directory it would replace a user's
            keeps = self.subcommand == "fit" and self.makes_folders and trainer.logger is False
            own = self._resumed_run() if keeps else None
            reserve = keeps and not trainer.fast_dev_run
            trainer.default_root_dir = own or folder_without_logger(reserve=reserve)
        built = super().instantiate_trainer(callbacks=callbacks, **kwargs)
        logs.put_back(built)
        return built


def run(argv: Sequence[str]) -> int:
    """Run one of Lightning's commands.

    Args:
        argv: Command and options.

    Returns:
        The exit code: 0; 2 for a user's mistake, which is shown as a sentence; or, as shells have
        it, 128 and the number of the signal that a training was stopped by.
    """
    _log_plainly()
    try:
        with ctrl_c_stops():
            VTLearnCLI(argv)
    except TrainingStopped as stopped:
        sys.stderr.write(describe_stop(stopped, argv))
        return 128 + stopped.signum
    except (VTLearnError, OSError) as error:
        sys.stderr.write(format_error(error))
        return 2
    except ValueError as error:
        own = own_error(error)
        if own is None:
            raise
        sys.stderr.write(format_error(own))
        return 2
    return 0


def own_error(error: BaseException | None) -> VTLearnError | None:
    """Find what a constructor said, where jsonargparse tried to make something of its class."""
    while error is not None and not isinstance(error, VTLearnError):
        error = error.__cause__ or error.__context__
    return error


def _log_plainly() -> None:
    """Show vtlearn's messages, and leave out what Lightning says in every run."""
    logger = logging.getLogger("vtlearn")
    logger.handlers = [logging.StreamHandler()]
    logger.propagate = False
    launched = find_launched(os.environ)  # there are no process groups yet
    is_first = launched is None or launched.rank == 0
    logger.setLevel(logging.INFO if is_first else logging.WARNING)
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.seed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # a test keeps its results apart from the training's, as it should
    warnings.filterwarnings("ignore", message="The dirpath has changed from")
    # figures are computed alike on every process, so there is nothing to reduce
    warnings.filterwarnings("ignore", message=r"It is recommended to use `self\.log\(.*sync_dist")
    # a stream's length is the same on every process and known beforehand
    warnings.filterwarnings("ignore", message="Your `IterableDataset` has `__len__` defined")
    # frozen parts rest, as they should
    warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
    # a corpus to train on alone has no loader to validate by
    warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")
    # a resumed training is in its own folder, and a new one has made it
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", message="Experiment logs directory .* exists and is not")
    # the training loader resumes with the next batch
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before")
    # of Lightning 2.6 with torch 2.13, about its own code
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*deprecated")
