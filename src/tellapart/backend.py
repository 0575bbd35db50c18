"""Import Keras and TensorFlow with tellapart's own settings, and without their greeting on standard error.

Other programs leave settings of Keras on a machine: environment variables, and `~/.keras/keras.json`. They are set
aside, so that a recipe gives the same classifier whatever else is installed. `tellapart doctor` names them.
"""

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from tellapart.errors import SettingsError, require
from tellapart.silence import hold_stderr

BACKEND = "tensorflow"
KERAS_SETTINGS: Mapping[str, object] = {
    "backend": BACKEND, "floatx": "float32", "image_data_format": "channels_last", "epsilon": 1e-7,
}  # fmt: skip
"""The backend and Keras's own defaults, which every network of tellapart is built with."""
TF_KERAS = "TF_USE_LEGACY_KERAS"
TRUE = ("true", "True", "1")
"""Values that TensorFlow reads as true."""

os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "2"
)  # warnings from TensorFlow's C++ side that users can do nothing about


def load_keras() -> None:
    """Import Keras and TensorFlow, or raise MissingPackageError that says how to install them.

    Settings of other programs are set aside. Where this process has imported Keras already, they cannot be changed
    without changing what others compute with it, so settings other than tellapart's are refused with SettingsError.
    TensorFlow's C++ side greets on standard error at every log level; it is printed only when the import fails.
    """
    if settings := _foreign_settings():
        listed = " and ".join(f"{name} {value}" for name, value in settings.items())
        raise SettingsError(
            f"this process has imported Keras or TensorFlow already, with {listed}; tellapart needs the backend "
            f"{BACKEND} and the default settings. Call tellapart in a process of its own, or before these settings"
        )
    if "keras" in sys.modules:
        return
    os.environ["KERAS_BACKEND"] = BACKEND
    os.environ.pop(TF_KERAS, None)  # for good: TensorFlow reads it again when `tf.keras` is first used
    with hold_stderr(), _hide("sklearn"), _without_keras_json(), _without_garbage_collection():
        require("tensorflow", extra="train")  # imports Keras, too
        require("keras", extra="train")
    # It warns of functions that are compiled again: each network has its own compiled steps, and needs them.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def keras_home() -> Path:
    """Return the folder of Keras's downloads and of its keras.json."""
    home = Path.home()
    parent = home if os.access(home, os.W_OK) else Path("/tmp")  # noqa: S108  Keras's own choice
    return Path(os.environ.get("KERAS_HOME") or parent / ".keras")


@contextmanager
def _without_keras_json() -> Iterator[None]:
    """Let Keras, imported inside the block, start from its defaults; downloads are in the user's folder as ever."""
    before, home = os.environ.get("KERAS_HOME"), keras_home()
    with tempfile.TemporaryDirectory() as empty:
        os.environ["KERAS_HOME"] = empty
        try:
            yield
        finally:
            if before is None:
                del os.environ["KERAS_HOME"]
            else:
                os.environ["KERAS_HOME"] = before
    sys.modules["keras"].src.backend.config._KERAS_DIR = str(home)


def _foreign_settings() -> dict[str, object]:
    """Return the settings, by name, that are not tellapart's, of what this process has imported already."""
    if "tensorflow" in sys.modules and os.environ.get(TF_KERAS) in TRUE:
        return {TF_KERAS: os.environ[TF_KERAS]}
    if "keras" not in sys.modules:
        return {}
    config = require("keras", extra="train").config
    present: dict[str, object] = {name: getattr(config, name)() for name in KERAS_SETTINGS}
    policy = config.dtype_policy().name
    if policy != KERAS_SETTINGS["floatx"]:
        present["dtype_policy"] = policy
    return {name: value for name, value in present.items() if value != KERAS_SETTINGS.get(name)}


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
