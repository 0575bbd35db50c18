"""Everything tellapart raises on purpose.

    TellapartError            the root: catch this to catch them all
    ├── ImageError          an image cannot be decoded, or is beyond the limits
    ├── DatasetError          the images and labels do not make a data set
    ├── RecipeError           a recipe asks for something impossible or unknown
    ├── WeightsError          weights or models from elsewhere are absent, do not fit or are refused
    ├── RunError              a run's folder cannot be used
    ├── BundleError           a bundle is incomplete, altered or not a bundle
    ├── StorageError          the disk refuses: full, read-only, no permission
    ├── ClusterError          a cluster cannot be reached, or gives work up
    └── MissingPackageError   an optional package is not installed

Each message says what was found, what was expected and what to do.
"""

import importlib
from collections.abc import Iterable
from difflib import get_close_matches
from types import ModuleType


class TellapartError(Exception):
    """The root of the tree."""


class ImageError(TellapartError):
    """An image cannot be decoded, or is beyond the limits."""


class DatasetError(TellapartError):
    """The images and labels do not make a data set."""


class RecipeError(TellapartError):
    """A recipe asks for something impossible or unknown."""


class WeightsError(TellapartError):
    """Weights or models from elsewhere are absent, do not fit or are refused."""


class RunError(TellapartError):
    """A run's folder cannot be used."""


class BundleError(TellapartError):
    """A bundle is incomplete, altered or not a bundle."""


class StorageError(TellapartError):
    """The disk refuses: full, read-only, no permission."""


class ClusterError(TellapartError):
    """A cluster cannot be reached, or gives work up."""


class MissingPackageError(TellapartError):
    """An optional package is not installed."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or say which extra of tellapart brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingPackageError(
            f"this needs {module}, which is not installed: pip install 'tellapart[{extra}]'"
        ) from error


def first_line(error: Exception, most: int | None = 200) -> str:
    """What a foreign error says, to be put into a sentence: its first line, of `most` characters, or else its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most].rstrip(".:")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A half sentence that suggests the names most like the one given, or lists all when none is near."""
    names = list(names)
    close = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(sorted(names))}"
