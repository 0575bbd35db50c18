"""Find the folder of a bundle: a run stands for its bundle, and whatever else was named gets a sentence of its own."""

import os
import shlex
from itertools import islice
from pathlib import Path

from tellapart.bundles.manifest import MANIFEST
from tellapart.data.decoding.formats import SUFFIXES, other_format
from tellapart.data.read_image import web_address
from tellapart.errors import BundleError
from tellapart.text import counted

OF_RUN = "bundle"
"""The folder of the bundle in that of its run."""
RUN_RECIPE = "recipe.toml"
KERAS_MODELS = (".keras", ".h5", ".hdf5")
OTHER_MODELS = (".onnx", ".tflite", ".pt", ".pth", ".pb", ".xml", ".safetensors", ".pkl", ".joblib", ".skops")
MAX_RUNS = 200  # entries of a folder that are examined for runs


def bundle_folder(named: str | Path) -> Path:
    """Return the folder of the bundle that a path names: its own, or its run's. Raises BundleError."""
    folder = Path(named)
    if _exists(folder / MANIFEST) or (_exists(folder) and folder.is_dir() and not os.access(folder, os.X_OK)):
        return folder  # that of a folder that may not be entered is reported by who reads it
    if _exists(folder / OF_RUN / MANIFEST):
        return folder / OF_RUN
    if not _exists(folder):
        raise BundleError(_about_nothing(str(named)))
    raise BundleError(_about_folder(folder) if folder.is_dir() else _about_file(folder))


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  Path.exists would raise where a folder may not be entered


def _about_folder(folder: Path) -> str:
    if _exists(folder / "saved_model.pb"):
        return f"{folder} is a SavedModel, not a bundle: {_import(folder)} makes a bundle of it"
    if _exists(folder / RUN_RECIPE):
        return f"{folder} is not a bundle, but a run without one: finish its training with --resume"
    if runs := _runs_in(folder):
        return f"{folder} is not a bundle, but has {counted(len(runs), 'run')} in it: name one, such as {runs[0]}"
    return (
        f"{folder} is not a bundle: it has no {MANIFEST}. Name the folder of a run, or its bundle/, before the images"
    )


def _runs_in(folder: Path) -> list[str]:
    if not os.access(folder, os.R_OK):
        return []
    entries = sorted(islice(folder.iterdir(), MAX_RUNS))
    return [str(entry) for entry in entries if _exists(entry / MANIFEST) or _exists(entry / OF_RUN / MANIFEST)]


def _about_file(path: Path) -> str:
    name = path.name.lower()
    if name == MANIFEST:
        return f"{path} is a file of a bundle: name the folder that it is in, {path.parent}"
    if name.endswith(KERAS_MODELS):
        return f"{path} is a Keras model, not a bundle: {_import(path)} makes a bundle of it"
    other = other_format(name)
    if other or name.endswith(SUFFIXES):
        return f"{path} is {other.name if other else 'an image'}, not a bundle: name the bundle first, then the images"
    from tellapart.data.sources.open_source import is_one_file  # predicting does without it

    if is_one_file(name):
        return f"{path} is a data set, not a bundle: name the bundle first, then the labelled images"
    if name.endswith(OTHER_MODELS):
        return (
            f"{path} is a model in another format, not a bundle: `tellapart import` makes bundles of Keras models and "
            f"SavedModel folders"
        )
    return f"{path} is a file, not a bundle: name the folder of a run, or its {OF_RUN}/"


def _about_nothing(named: str) -> str:
    if address := web_address(named):
        return f"{address} is a web address, and nothing is fetched: download the bundle, and name its folder"
    from tellapart.data.sources.builtin_datasets import BUILTIN_DATASETS  # predicting does without it

    if named in BUILTIN_DATASETS:
        return f"{named} is a data set, not a bundle: name the bundle first, then the labelled images"
    return f"{named} is not a bundle: there is nothing of that name (now in {Path.cwd()}). Check the path"


def _import(path: Path) -> str:
    return f"`tellapart import {shlex.quote(str(path))} --classes NAMES.txt --preprocess NETWORK --out FOLDER`"
