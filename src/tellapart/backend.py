"""Import Keras and TensorFlow without their greeting on standard error."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from tellapart.errors import require
from tellapart.silence import hold_stderr

# Set before Keras is first imported. The user's own setting wins.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "2"
)  # warnings from TensorFlow's C++ side that users can do nothing about


def load_keras() -> None:
    """Import Keras and TensorFlow, or raise MissingPackageError that says how to install them.

    TensorFlow's C++ side greets on standard error at every log level; it is printed only when the import fails.
    """
    if "tensorflow" in sys.modules:
        return
    with hold_stderr(), _hide("sklearn"), _without_garbage_collection():
        require("tensorflow", extra="train")
        require("keras", extra="train")
    # It warns of functions that are compiled again: each network has its own compiled steps, and needs them.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def downloads_on_stderr() -> Iterator[None]:
    """Send the progress of Keras's downloads to standard error: standard output is for results, such as JSON."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause garbage collection, which takes a tenth of the import: 3,000 modules make many objects, hardly any garbage.

    The modules stay until the process ends, so they are frozen: the last collection alone would take a second.
    """
    enabled = gc.isenabled()
    gc.collect()  # or else present garbage would be frozen too
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _hide(package: str) -> Iterator[None]:
    """Keep a package from being imported: Keras spends 2 s on scikit-learn, for wrappers that are not used here."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # the import system reads it as "not there"
    try:
        yield
    finally:
        del sys.modules[package]
