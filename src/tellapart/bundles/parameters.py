"""The size of a bundle: its bytes, and the parameters of its network, counted without loading Keras."""

import zipfile
from io import BytesIO

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import KERAS
from tellapart.errors import BundleError, require

WEIGHTS = "model.weights.h5"
NOT_WEIGHTS = ("seed_generator", "optimizer")
"""Parts of the names of numbers that Keras stores beside the weights: states of random numbers, and of training."""


def bundle_bytes(bundle: Bundle) -> int:
    """Return the bytes of all files of a bundle."""
    return sum(entry.stat().st_size for entry in bundle.folder.iterdir())


def count_parameters(bundle: Bundle) -> int | None:
    """Count the weights of a bundle's network, as `count_params` of Keras does; None where it has no Keras file.

    Raises BundleError, MissingPackageError without h5py.
    """
    if KERAS not in bundle.hashes:
        return None
    h5py = require("h5py", extra="train")
    path = bundle.folder / KERAS
    sizes: list[int] = []

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not any(part in name for part in NOT_WEIGHTS):
            sizes.append(int(item.size))

    try:
        with zipfile.ZipFile(path) as archive, h5py.File(BytesIO(archive.read(WEIGHTS)), "r") as weights:
            weights.visititems(add)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"the weights in {path} cannot be read ({error}): copy the bundle again") from error
    return sum(sizes)
