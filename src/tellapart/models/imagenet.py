"""Published networks with their top: images in, probabilities of ImageNet's 1,000 classes out.

The network with its top is converted once and then read from the cache, without Keras or TensorFlow.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.backend import downloads_on_stderr, load_keras
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.pipeline import BATCH, prefetch_map, run_engine
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.read_image import read_image
from tellapart.engine import Engine, Graph, Precision, read_graph, write_graph
from tellapart.errors import ImageError, RecipeError, WeightsError, first_line
from tellapart.files import cache_folder, cached_folder, sha256
from tellapart.models.catalogue import MODELS, lookup
from tellapart.models.weights import SUFFIXES, keras_download, keras_folder, local_weights
from tellapart.progress import notify
from tellapart.read_files import read_json

if TYPE_CHECKING:
    import keras

CLASS_COUNT = 1000
INDEX_FILE = "imagenet_class_index.json"
TOP_SUFFIX = "-top"  # of file names: weights with the top
FORMAT_VERSION = 1  # increased whenever the same weights give another graph


@dataclass(frozen=True)
class ImageNetClass:
    """One of ImageNet's classes: its WordNet ID, such as n02124075, and its English name."""

    wordnet: str
    label: str


@dataclass(frozen=True)
class ImageNet:
    """A published network, and the classes of its outputs in order."""

    graph: Graph
    preprocessing: Preprocessing
    classes: tuple[ImageNetClass, ...]

    def probabilities(
        self, paths: Iterable[str], *, precision: Precision = "auto"
    ) -> Iterator[NDArray[np.float32] | ImageError]:
        """Predict files, in order: probabilities, float32 (1000,), or the error of an unreadable file."""
        engine = Engine(self.graph, batch=BATCH, precision=precision)
        return run_engine(engine, prefetch_map(self._preprocess, paths, depth=4 * BATCH))

    def _preprocess(self, path: str) -> ImageArray | ImageError:
        try:
            return self.preprocessing(read_image(path))
        except ImageError as error:
            return error


def open_imagenet(name: str, weights: Path | None = None, *, size: int | None = None) -> ImageNet:
    """Open a network of the catalogue with its top.

    `weights` is a file, by default `$TELLAPART_WEIGHTS/<name>-top.weights.h5` or `-top.h5`, else Keras's download.
    `size` in pixels defaults to the network's own. Raises RecipeError, WeightsError.
    """
    model = lookup(name)
    if not model.pretrained:
        pretrained = ", ".join(model for model in MODELS if MODELS[model].pretrained)
        raise RecipeError(f"{name} was never trained on ImageNet; these were: {pretrained}")
    size = size or model.size
    file = _weights_file(name, weights)  # before the class names: a wrong path is the likelier mistake
    classes = imagenet_classes()
    graph = _cached(name, size, file) if file else None
    return ImageNet(graph or _converted(name, size, file, own=weights), Preprocessing(size, size, 3), classes)


def imagenet_classes() -> tuple[ImageNetClass, ...]:
    """List ImageNet's classes in the order of the outputs: from `$TELLAPART_WEIGHTS`, or Keras's download.

    Raises WeightsError.
    """
    folder = os.environ.get("TELLAPART_WEIGHTS")
    folders = [*([Path(folder)] if folder else []), keras_folder()]
    file = next((folder / INDEX_FILE for folder in folders if (folder / INDEX_FILE).is_file()), None)
    return _read_index(file or _download_index())


def _download_index() -> Path:
    notify("the names of ImageNet's classes are not on this machine: Keras downloads them")
    load_keras()
    import keras

    try:
        with _quiet():
            keras.applications.imagenet_utils.decode_predictions(np.zeros((1, CLASS_COUNT), np.float32))
    except Exception as error:
        raise WeightsError(
            f"the names of ImageNet's classes are not here and could not be downloaded ({first_line(error)}). Put "
            f"Keras's {INDEX_FILE} into a folder and set TELLAPART_WEIGHTS to it"
        ) from error
    return keras_folder() / INDEX_FILE


def _read_index(file: Path) -> tuple[ImageNetClass, ...]:
    try:
        pairs = read_json(file, dict[str, list[str]])
        return tuple(ImageNetClass(*map(str, pairs[str(number)])) for number in range(CLASS_COUNT))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{file} does not name ImageNet's classes: expected Keras's {INDEX_FILE}, "
            f'{{"0": ["n01440764", "tench"], ... "999": ...}}. Put the right file there, or remove this one'
        ) from error


def _weights_file(name: str, weights: Path | None) -> Path | None:
    """The file with the whole network's weights; None where Keras must download it."""
    if weights is not None:
        if not weights.is_file():
            raise WeightsError(f"there is no weights file {weights}; expected the weights of {name} with its top")
        return weights
    return local_weights(f"{name}{TOP_SUFFIX}") or keras_download(name, top=True)


def _cached(name: str, size: int, file: Path) -> Graph | None:
    folder = _folder(name, size, file)
    return read_graph(folder / "model.xml") if folder.exists() else None


def _folder(name: str, size: int, file: Path) -> Path:
    key = json.dumps([FORMAT_VERSION, name, size, sha256(file)])
    return cache_folder() / "graphs" / f"imagenet-{hashlib.sha256(key.encode()).hexdigest()}"


def _converted(name: str, size: int, file: Path | None, *, own: Path | None) -> Graph:
    """Build the network with Keras and convert it; cache the graph if the weights file is known."""
    if file is None:
        notify(f"the ImageNet weights of {name} with its top are not on this machine: Keras downloads them")
    load_keras()
    from tellapart.models.graphs.convert import to_graph

    local = own is not None or (file is not None and file.parent != keras_folder())
    graph = to_graph(_network(name, size, str(file) if local else "imagenet"))
    file = file or keras_download(name, top=True)
    if file is None:
        return graph
    folder = _folder(name, size, file)
    with cached_folder(folder) as partial:
        write_graph(graph, partial / "model.xml")
    return read_graph(folder / "model.xml")


def _network(name: str, size: int, source: str) -> "keras.Model":
    """The published network: uint8 images to the probabilities of ImageNet's classes."""
    import keras

    from tellapart.models.networks import scale_as_for_imagenet, scale_images

    build = getattr(keras.applications, str(lookup(name).keras_class))
    try:
        with _quiet():
            network = build(weights=source, include_top=True, input_shape=(size, size, 3))
    except Exception as error:
        raise _refused(name, source, error) from error
    if source != "imagenet" and name.startswith("efficientnet-b"):
        scale_as_for_imagenet(network)
    images = keras.Input((size, size, 3), dtype="uint8", name="pictures")
    return keras.Model(images, network(scale_images(images, lookup(name).scaling), training=False))


@contextmanager
def _quiet() -> Iterator[None]:
    """Send Keras's download progress to standard error, and silence its warnings about other sizes."""
    with downloads_on_stderr(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        yield


def _refused(name: str, source: str, error: Exception) -> WeightsError:
    if source == "imagenet":
        return WeightsError(
            f"the ImageNet weights of {name} with its top are not here and could not be downloaded "
            f"({first_line(error)}). Put them as {name}{TOP_SUFFIX}{SUFFIXES[0]} into a folder and set "
            f"TELLAPART_WEIGHTS to it, or pass --weights FILE"
        )
    return WeightsError(
        f"{source} does not fit {name} with its top: {first_line(error)}. Expected the whole network's weights, as "
        f"keras.applications saves them; weights without the top, which train takes, have no classes"
    )
