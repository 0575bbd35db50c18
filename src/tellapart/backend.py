"""Bring Keras and TensorFlow in, quietly."""

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tellapart.errors import require

# Settled before Keras is first imported. A person's own setting wins.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what TensorFlow's C++ side warns of is not the user's doing


def load_keras() -> None:
    """Import Keras and TensorFlow, or raise MissingPackageError that says how to install them.

    TensorFlow's C++ side greets on standard error, past every log level; that greeting is kept back unless the
    import fails.
    """
    if "tensorflow" in sys.modules:
        return
    with _standard_error_held_back(), _hidden("sklearn"), _no_collection():
        require("tensorflow", extra="train")
        require("keras", extra="train")
    # It warns of functions that are compiled anew: each network has its own steps, as it must be.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Put off garbage collection: 3,000 modules make much that looks like garbage and is none, a tenth of the time.

    They stay to the end, so no later collection looks through them either; the last one alone would take a second.
    """
    wanted = gc.isenabled()
    gc.collect()  # what is garbage now would stay too
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if wanted:
            gc.enable()


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Keep a package from being imported: Keras takes 2 s for scikit-learn's, for wrappers that nothing here uses."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # what the import system reads as "not there"
    try:
        yield
    finally:
        del sys.modules[package]


@contextmanager
def _standard_error_held_back() -> Iterator[None]:
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(real, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)
