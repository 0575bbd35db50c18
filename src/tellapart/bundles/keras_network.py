"""The Keras model of a bundle. Needs tellapart[train]."""

from typing import TYPE_CHECKING

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import KERAS
from tellapart.errors import BundleError
from tellapart.models.importing.archive import inspect_archive

if TYPE_CHECKING:
    import keras


def load_network(bundle: Bundle) -> "keras.Model":
    """Inspect and load a bundle's Keras model. Raises BundleError, WeightsError, MissingPackageError."""
    bundle.require_whole()
    if KERAS not in bundle.hashes:
        kind = bundle.manifest.recipe.get("model", "SavedModel")
        raise BundleError(
            f"{bundle.folder} has no network: a {kind} has no gradients and no layers. Use the method cam or occlusion"
        )
    load_keras()
    from tellapart.models.importing.keras_import import load_model

    with inspect_archive(bundle.folder / KERAS) as copy:
        return load_model(copy)
