"""Environment of a run: enough to repeat it."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.version import __version__

PACKAGES = (
    "keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy", "pillow", "imagehash", "scikit-learn", "skops",
    "optuna",
)  # fmt: skip


def environment(dataset: Dataset) -> dict[str, Any]:
    """Collect the command, versions, machine and images of a run, as JSON."""
    return {
        "command": sys.argv,
        "tellapart": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: installed for name in PACKAGES if (installed := _version(name))},
        "dataset": {
            "name": dataset.name,
            "source": _absolute(dataset.source),
            "reading": _reading(dataset.read_options),
            "fingerprint": dataset.fingerprint,
            "classes": list(dataset.classes),
            "pictures": {name: len(split) for name, split in dataset.splits.items()},
        },
    }


def reading_of(dataset: Mapping[str, Any]) -> ReadOptions:
    """Return the options that a run's images were read with, to open the same ones again."""
    options = dataset.get("reading", {})  # a run of an earlier version has none
    labels, skip = tuple(options.get("exclude_label", ())), options.get("skip")
    return ReadOptions(**{**options, "exclude_label": labels, "skip": None if skip is None else Path(skip)})


def _reading(read_options: ReadOptions) -> dict[str, Any]:
    skip = None if read_options.skip is None else str(read_options.skip.absolute())
    return asdict(read_options) | {"exclude_label": list(read_options.exclude_label), "skip": skip}


def _absolute(source: str | None) -> str | None:
    """Make a path absolute, so that a report finds it from any folder; a data set's name stays as it is."""
    path = Path(source or "")
    return str(path.absolute()) if source and (path.is_dir() or (path.suffix and path.is_file())) else source


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
