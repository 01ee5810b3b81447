"""Import what is optional at the point of use, and say which extra installs it."""

import importlib
from types import ModuleType

from vtlearn.errors import MissingPackageError

__all__ = ["require"]


def require(package: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package.

    Args:
        package: The name it is imported by.
        extra: The extra of vtlearn that installs it.
        purpose: What it is needed for, as the beginning of a sentence.

    Returns:
        The module.

    Raises:
        MissingPackageError: If it is not installed.

    Example:
        >>> require("json", extra="dev", purpose="This example").dumps([1])
        '[1]'
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package.split(".")[0]:
            raise  # the package is there, and something it needs is not
        raise MissingPackageError(package, extra, purpose) from error
