"""Parity of an export and its bundle, measured on real images."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.evaluate import align_classes, split_for
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH, preprocessed
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Engine, core, read_graph
from tellapart.errors import BundleError, DatasetError, require
from tellapart.exporting.odd_sizes import OwnSize, vary_sizes
from tellapart.progress import notify

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]
MAX_IMAGES, MIN_UNSEEN_IMAGES = 200, 100
MIN_AGREEMENT = 0.995  # share of equal predictions: near ties may flip by rounding


@dataclass(frozen=True)
class Runtime:
    """A runtime's name, and a function from up to BATCH images, uint8 (n, h, w, c), to float32 (n, classes)."""

    name: str
    predict: Callable[[Images], Probabilities]


def openvino(path: Path) -> Runtime:
    """Load an OpenVINO graph in float32. OpenVINO reads ONNX too."""
    graph = read_graph(path)
    if graph.input(0).partial_shape[1].is_dynamic:  # it takes images of any size
        compiled = core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return Runtime("openvino", lambda images: np.array(compiled([images])[0]))
    engine = Engine(graph, batch=BATCH, precision="float32")
    return Runtime("openvino", lambda images: next(engine.run([images])))


def onnx(path: Path) -> Runtime:
    """Load an ONNX model in onnxruntime, or in OpenVINO if that is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return openvino(path)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read at import
    runtime = require("onnxruntime", extra="onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return Runtime("onnxruntime", lambda images: session.run(["probabilities"], {"pictures": images})[0])


def litert(path: Path) -> Runtime:
    """Load a LiteRT model; its only signature takes any number of images."""
    interpreter = require("ai_edge_litert.interpreter", extra="litert").Interpreter(model_path=str(path))
    run = interpreter.get_signature_runner()
    return Runtime("litert", lambda images: run(pictures=images)["probabilities"])


def saved_model(path: Path) -> Runtime:
    """Load a SavedModel; the signature is the one that TensorFlow Serving calls."""
    load_keras()
    tf = require("tensorflow", extra="train")
    loaded = tf.saved_model.load(str(path))

    def predict(images: Images) -> Probabilities:
        signature = loaded.signatures["serving_default"]  # keeps `loaded` alive, which owns the signature's variables
        probs: Probabilities = signature(pictures=tf.constant(images))["probabilities"].numpy()
        return probs

    return Runtime("tensorflow", predict)


def keras(path: Path) -> Runtime:
    """Load a .keras or .h5 file in plain Keras, without any of tellapart's code."""
    load_keras()
    network = require("keras", extra="train").saving.load_model(path, compile=False, safe_mode=True)
    return Runtime("keras", lambda images: np.asarray(network.predict_on_batch(images)))


@dataclass(frozen=True)
class Parity:
    """Agreement of an export: images compared, equal predictions (`same`), largest difference of probabilities.

    `unseen` is true if the images were used in neither training nor model selection. `runtime` ran the export.
    `sizes` is the number of different sizes that an export for images of any size was given.
    """

    images: int
    unseen: bool
    runtime: str
    same: int
    largest_difference: float
    sizes: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the fields for `export.json`."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, eq=False)
class Sample:
    """Images to compare on, uint8 (n, height, width, channels); `unseen` as in Parity.

    `originals` are the same before they are resized, uint8 (h, w, channels), for exports that resize them.
    """

    images: Images
    unseen: bool
    originals: tuple[Images, ...] | None = None


def draw_sample(bundle: Bundle, dataset: Dataset, *, any_size: bool = False) -> Sample:
    """Sample up to 200 images evenly: test images, or all if fewer than 100 are for test. Raises DatasetError.

    With `any_size` the sample has them in many sizes, too.
    """
    preprocessing = bundle.preprocessing
    images, unseen = _draw(bundle, dataset, OwnSize.of(preprocessing) if any_size else preprocessing)
    if not any_size:
        return Sample(np.stack(images), unseen)
    originals = tuple(vary_sizes(images))
    return Sample(np.stack([preprocessing(image) for image in originals]), unseen, originals)


def _draw(bundle: Bundle, dataset: Dataset, preprocessing: Preprocessing) -> tuple[list[Images], bool]:
    """Return the images of a sample, and whether they are unseen."""
    dataset = align_classes(dataset, bundle.classes)
    images = list(read_images(_test_split(bundle, dataset), preprocessing, MAX_IMAGES))
    if len(images) >= MIN_UNSEEN_IMAGES:
        return images, True
    images = [image for split in dataset.splits.values() for image in read_images(split, preprocessing, MAX_IMAGES)]
    if not images:
        raise DatasetError(f"no image of {dataset.name} can be read: check the files")
    total = "" if len(images) >= MIN_UNSEEN_IMAGES else f", {len(images)} in total"
    notify(f"{dataset.name} has fewer than {MIN_UNSEEN_IMAGES} unseen images: comparing on seen ones too{total}")
    return [images[i] for i in _evenly(len(images), MAX_IMAGES)], False


def read_images(split: Split | None, preprocessing: Preprocessing, max_images: int) -> Iterator[Images]:
    """Yield up to `max_images` preprocessed images, sampled evenly from a split, without unreadable ones."""
    if split is None or not len(split):
        return
    for image in preprocessed(split.images, preprocessing, _evenly(len(split), max_images)):
        if isinstance(image, np.ndarray):
            yield image


def _evenly(count: int, max_count: int) -> list[int]:
    """Return up to `max_count` evenly spaced indices below `count`."""
    indices: list[int] = np.linspace(0, count - 1, min(max_count, count)).round().astype(int).tolist()
    return indices


def bundle_probabilities(bundle: Bundle, images: Images) -> Probabilities:
    """Predict with the bundle itself, in float32: float32 (n, classes)."""
    runner = compile_bundle(bundle, batch=BATCH, precision="float32")
    return np.concatenate(list(runner.run(_batches(images, runner.batch))))


def check_parity(runtime: Runtime, sample: Sample, expected: Probabilities) -> Parity:
    """Compare the predictions of an export and its bundle for a sample. Raises BundleError for another shape."""
    batches = (
        _batches(sample.images, BATCH)
        if sample.originals is None
        else (image[np.newaxis] for image in sample.originals)
    )
    probs = np.concatenate([np.asarray(runtime.predict(batch)) for batch in batches])
    if probs.shape != expected.shape:
        raise BundleError(
            f"the export returns probabilities of shape {probs.shape}, the bundle {expected.shape}: report this bug"
        )
    worst = float(np.abs(probs - expected).max())
    return Parity(
        images=len(probs),
        unseen=sample.unseen,
        runtime=runtime.name,
        same=int(np.count_nonzero(probs.argmax(axis=1) == expected.argmax(axis=1))),
        largest_difference=worst if np.isfinite(worst) else np.inf,
        sizes=len({image.shape for image in sample.originals}) if sample.originals else None,
    )


def require_parity(parity: Parity) -> None:
    """Refuse an export that disagrees with its bundle. Raises BundleError."""
    if parity.same >= MIN_AGREEMENT * parity.images and np.isfinite(parity.largest_difference):
        return
    raise BundleError(
        f"the export disagrees with the bundle: in {parity.runtime} it predicts the same class for {parity.same} of "
        f"{parity.images} images, expected {MIN_AGREEMENT:.1%}, and probabilities differ by up to "
        f"{parity.largest_difference:.2g}. It was removed; export to another format"
    )


def _test_split(bundle: Bundle, dataset: Dataset) -> Split | None:
    try:
        return split_for(dataset, "test", bundle.seen)
    except DatasetError:  # it has none
        return None


def _batches(images: Images, size: int) -> Iterator[Images]:
    return (images[start : start + size] for start in range(0, len(images), size))
