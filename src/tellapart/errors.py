"""Exceptions that tellapart raises.

    TellapartError            the base class: catch it to catch them all
    ├── ImageError            an image cannot be decoded, or exceeds the limits
    ├── DatasetError          the images and labels do not form a data set
    ├── RecipeError           a recipe asks for something impossible or unknown
    ├── WeightsError          external weights or models are missing, do not fit or are refused
    ├── RunError              a run's folder cannot be used
    ├── BundleError           a bundle is incomplete, altered or not a bundle
    ├── StorageError          the disk cannot be written: full, read-only, no permission
    ├── ClusterError          a cluster cannot be reached, or abandons work
    ├── SettingsError         this process has settings that tellapart cannot work with
    └── MissingPackageError   an optional package is not installed

Each message says what was found, what was expected and what to do.
"""

import importlib
import re
from collections.abc import Iterable
from difflib import get_close_matches
from types import ModuleType


class TellapartError(Exception):
    """The base class of all exceptions of tellapart."""


class ImageError(TellapartError):
    """An image cannot be decoded, or exceeds the limits."""


PictureError = ImageError  # the former name


class DatasetError(TellapartError):
    """The images and labels do not form a data set."""


class RecipeError(TellapartError):
    """A recipe asks for something impossible or unknown."""


class WeightsError(TellapartError):
    """External weights or models are missing, do not fit or are refused."""


class RunError(TellapartError):
    """A run's folder cannot be used."""


class BundleError(TellapartError):
    """A bundle is incomplete, altered or not a bundle."""


class StorageError(TellapartError):
    """The disk cannot be written: full, read-only, no permission."""


class ClusterError(TellapartError):
    """A cluster cannot be reached, or abandons work."""


class SettingsError(TellapartError):
    """This process has settings that tellapart cannot work with."""


class MissingPackageError(TellapartError):
    """An optional package is not installed."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module. Raises MissingPackageError that names the extra of tellapart to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingPackageError(
            f"this needs {module}, which is not installed: pip install 'tellapart[{extra}]'"
        ) from error


def first_line(error: Exception, max_chars: int | None = 200) -> str:
    """Return the first line of another library's error, cut to `max_chars`, to quote in a sentence; else its type.

    Sentences that advise loading a file without the library's protections are left out.
    """
    line = (str(error).strip().splitlines() or [""])[0]
    safe = " ".join(sentence for sentence in SENTENCE_END.split(line) if not UNSAFE_ADVICE.search(sentence))
    return (safe or type(error).__name__)[:max_chars].rstrip(".:")


SENTENCE_END = re.compile(r"(?<=[.!?]) ")
UNSAFE_ADVICE = re.compile(
    r"safe_mode ?= ?`?False|unsafe_deserialization|allow_pickle ?= ?`?True|weights_only ?= ?`?False"
)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Suggest the known names closest to a misspelled one, or list all when none is close, as half a sentence."""
    names = list(names)
    close = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(sorted(names))}"
