"""What a run ran on and with: enough to repeat it."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.version import __version__

PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy", "pillow", "scikit-learn", "skops", "optuna")


def environment(dataset: Dataset) -> dict[str, Any]:
    """The command, the versions, the machine and the pictures of a run, as JSON can hold them."""
    return {
        "command": sys.argv,
        "tellapart": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "dataset": {
            "name": dataset.name,
            "source": _place(dataset.source),
            "fingerprint": dataset.fingerprint,
            "classes": list(dataset.classes),
            "pictures": {name: len(split) for name, split in dataset.splits.items()},
        },
    }


def _place(source: str | None) -> str | None:
    """Where pictures are, whatever folder a report is asked for in; the name of a named set stays one."""
    path = Path(source or "")
    return str(path.absolute()) if source and (path.is_dir() or path.suffix.lower() == ".npz") else source


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
