"""From a model file made elsewhere to a bundle, checked before it is kept."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle, write_manifest
from tellapart.bundles.manifest import GRAPH, KERAS, SAVED_MODEL, SEEN, Manifest
from tellapart.data.image_size import Size
from tellapart.data.pipeline import BATCH
from tellapart.data.preprocessing import Fit, Preprocessing, Resize
from tellapart.engine import Engine, Precision, resolve_precision, write_graph
from tellapart.errors import BundleError, DatasetError, RecipeError, WeightsError, did_you_mean, first_line
from tellapart.files import atomic_folder, require_unused, sha256
from tellapart.models.catalogue import MODELS, Scaling
from tellapart.models.importing.archive import inspect_archive
from tellapart.models.importing.geometry import KERAS as KERAS_DATA
from tellapart.models.importing.geometry import describe
from tellapart.models.importing.saved_model import KERAS_METADATA, is_saved_model
from tellapart.progress import notify
from tellapart.read_files import ContentError, read_content
from tellapart.training.import_saved_model import read_saved_model

if TYPE_CHECKING:
    import keras

    from tellapart.engine import Graph

CHECKED = 2 * BATCH  # images
TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}  # of a probability
LONGEST_LIST = 4_000_000  # bytes of class names


def import_model(
    file: Path,
    *,
    classes: Path,
    preprocess: str,
    out: Path,
    size: Size | None = None,
    fit: Fit | None = None,
    resize: Resize | None = None,
    scale_twice: bool = False,
    name: str | None = None,
) -> Bundle:
    """Make a bundle of a `.keras` or `.h5` file of built-in layers; nothing of it runs before it was inspected.

    A SavedModel folder is read by OpenVINO, in a process of its own; its bundle has no layers for Keras.

    `classes` is a text file with a name on each line, in the order of the outputs. `preprocess` says which numbers
    the model wants: a name of the catalogue, or unit, tf, torch, caffe, inside, none; a model that scales its input
    itself is not scaled again, unless `scale_twice`. `size` is in pixels, for models that take any: one number for
    both sides, or "64x256". `fit` and `resize` are by default those of the tool that trained the model. Raises
    DatasetError, RecipeError, WeightsError, BundleError, StorageError.
    """
    names, scaling = class_names(classes), scaling_of(preprocess)
    require_unused(out)
    asked = _Asked(scaling, len(names), size, fit, resize, named=preprocess in MODELS, twice=scale_twice)
    with atomic_folder(out) as partial:
        read = _read_saved_model if is_saved_model(file) else _read_keras_file
        imported = read(file, partial, asked)
        for sentence in filter(None, (imported.ending, imported.scaled, imported.geometry)):
            notify(sentence)
        used = preprocess if imported.scaling == scaling else "none"  # left to the model
        recipe = {"adopted": file.name, "sha256": _digest(file), "preprocess": used}
        manifest = Manifest(
            name=name or file.stem,
            classes=names,
            preprocessing=imported.preprocessing,
            recipe={**recipe, "precision": imported.precision, **imported.marks},
            metrics={},
            fingerprint="",
            licence=None,
        )
        (partial / SEEN).write_text('{"train": [], "validation": []}')
        write_manifest(partial, manifest)
    return Bundle.open(out)


@dataclass(frozen=True)
class _Asked:
    """The caller's words about a model."""

    scaling: Scaling
    classes: int
    size: Size | None
    fit: Fit | None
    resize: Resize | None
    named: bool
    twice: bool


@dataclass(frozen=True)
class _Imported:
    """Facts about a model whose graph is written, and sentences for its owner."""

    preprocessing: Preprocessing
    scaling: Scaling
    precision: Precision
    ending: str
    scaled: str | None
    geometry: str
    marks: Mapping[str, bool] = field(default_factory=dict)


def _read_keras_file(file: Path, into: Path, asked: _Asked) -> _Imported:
    with inspect_archive(file) as copy:
        load_keras()
        from tellapart.models.importing.keras_geometry import geometry_of
        from tellapart.models.importing.keras_import import build_classifier, input_shape, load_model, once_scaled

        with _about(file):
            model = load_model(copy)
            shape = input_shape(model, asked.size)
            scaling, scaled = once_scaled(model, asked.scaling, named=asked.named, twice=asked.twice)
            adopted = build_classifier(model, shape, scaling, asked.classes)
            graph = converted(adopted.network)
    geometry = geometry_of(model)
    preprocessing = Preprocessing(*shape, asked.fit or geometry.fit, asked.resize or geometry.resize)
    write_graph(graph, into / GRAPH)
    adopted.network.save(into / KERAS)
    return _Imported(
        preprocessing=preprocessing,
        scaling=scaling,
        precision=checked_precision(adopted.network, graph, preprocessing),
        ending=_ending(file, shape, adopted.ending),
        scaled=scaled,
        geometry=describe(geometry, preprocessing),
    )


def _read_saved_model(folder: Path, into: Path, asked: _Asked) -> _Imported:
    with _about(folder):
        if asked.resize is None and not (folder / KERAS_METADATA).is_file():
            raise RecipeError(
                f"{folder} does not say how images were made to fit when it was trained: --resize keras-bilinear, as "
                f"image_dataset_from_directory does; keras-nearest, as load_img does; or pillow-bicubic"
            )
        read = read_saved_model(
            folder,
            into,
            scaling=asked.scaling,
            classes=asked.classes,
            size=asked.size,
            named=asked.named,
            twice=asked.twice,
        )
    preprocessing = Preprocessing(*read.shape, asked.fit or KERAS_DATA.fit, asked.resize or KERAS_DATA.resize)
    return _Imported(
        preprocessing=preprocessing,
        scaling=read.scaling,
        precision=read.precision,
        ending=_ending(folder, read.shape, read.ending),
        scaled=read.scaled,
        geometry=describe(KERAS_DATA, preprocessing),
        marks={SAVED_MODEL: True},
    )


def _ending(file: Path, shape: tuple[int, int, int], ending: str) -> str:
    return f"{file.name}: images of {shape[0]} x {shape[1]}, {'colour' if shape[2] == 3 else 'grey'}; {ending}"


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files and their names."""
    if file.is_file():
        return sha256(file)
    paths = sorted(path for path in file.rglob("*") if path.is_file())
    lines = (f"{sha256(path)}  {path.relative_to(file).as_posix()}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def class_names(file: Path) -> tuple[str, ...]:
    """Read a class name from each line, or from lines of numbers and names, such as `0 cat`. Raises DatasetError."""
    try:
        text = read_content(file, LONGEST_LIST).decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, ContentError, UnicodeDecodeError) as error:
        no_text = isinstance(error, UnicodeDecodeError)
        reason = getattr(error, "strerror", None) or ("it is no UTF-8 text" if no_text else error)
        raise DatasetError(f"the class names in {file} cannot be read: {reason}. Write a name on each line") from error
    names = _without_numbers([line.strip() for line in text.rstrip().split("\n")])
    for number, name in enumerate(names, start=1):
        if not name or not name.isprintable():
            raise DatasetError(f"line {number} of {file} holds no class name: it is {ascii(name)[:80]}")
        if name in names[: number - 1]:
            first = names.index(name) + 1
            raise DatasetError(f"{file} names {name!r} on lines {first} and {number}: every class once, in order")
    if len(names) < 2:
        raise DatasetError(f"{file} names {len(names):,} classes; expected 2 or more, a name on each line")
    return tuple(names)


def _without_numbers(lines: list[str]) -> list[str]:
    """Remove numbers from lines such as `0 cat`, as in Teachable Machine's labels.txt, if they are the outputs'."""
    numbered = [line.split(maxsplit=1) for line in lines]
    if all(len(parts) == 2 and parts[0] == str(number) for number, parts in enumerate(numbered)):
        return [parts[1] for parts in numbered]
    return lines


def scaling_of(preprocess: str) -> Scaling:
    """Return the scaling that `--preprocess` names. Raises RecipeError with suggestions."""
    if preprocess in MODELS:
        return MODELS[preprocess].scaling
    known: dict[str, Scaling] = {**{name: name for name in get_args(Scaling)}, "none": "inside"}
    if preprocess not in known:
        raise RecipeError(f"there is no preprocess {preprocess!r}: {did_you_mean(preprocess, [*known, *MODELS])}")
    return known[preprocess]


def converted(network: "keras.Model") -> "Graph":
    """Convert the network to an OpenVINO graph. Raises WeightsError when a layer has no counterpart there."""
    from tellapart.models.graphs.convert import to_graph

    try:
        return to_graph(network)
    except Exception as error:  # of TensorFlow's tracing or OpenVINO's conversion
        reason = first_line(error)
        raise WeightsError(f"OpenVINO, which predicts here, cannot take over a layer of the model: {reason}") from error


def checked_precision(network: "keras.Model", graph: "Graph", preprocessing: Preprocessing) -> Precision:
    """Compare Keras and the graph on synthetic images: auto where the fast arithmetic agrees, else float32.

    Raises WeightsError when the output is no probabilities, BundleError when the graph says something else.
    """
    images = made_up(preprocessing)
    expected: NDArray[np.float32] = np.asarray(network(images, training=False)).astype(np.float32)
    _require_probabilities(expected)
    if (difference := _difference(graph, "float32", images, expected)) > TOLERANCE["float32"]:
        raise BundleError(
            f"the converted graph disagrees with Keras: probabilities differ by up to {difference:.3f}, at "
            f"most {TOLERANCE['float32']} is rounding. Nothing is kept; please report which layers the model has"
        )
    return _fast_precision(graph, images, expected)


def precision_of_graph(graph: "Graph", preprocessing: Preprocessing) -> Precision:
    """Compare a graph in both precisions on synthetic images: auto where the fast arithmetic agrees, else float32.

    Raises WeightsError when the output is no probabilities.
    """
    images = made_up(preprocessing)
    expected = _answers(graph, "float32", images)
    _require_probabilities(expected)
    return _fast_precision(graph, images, expected)


def _require_probabilities(probs: NDArray[np.float32]) -> None:
    if not np.isfinite(probs).all() or np.abs(probs.sum(axis=1) - 1).max() > 2 * TOLERANCE["bfloat16"]:
        raise WeightsError(
            f"the model's numbers are not probabilities: they add up to {probs[0].sum():.3g} on a synthetic image, "
            f"expected 1. Its softmax may run over another axis, or its weights be damaged"
        )


def _fast_precision(graph: "Graph", images: NDArray[np.uint8], expected: NDArray[np.float32]) -> Precision:
    fast = resolve_precision("auto")
    if _difference(graph, fast, images, expected) <= TOLERANCE[fast]:
        return "auto"
    notify("bfloat16 changes its answers by more than rounding: the bundle predicts in float32")
    return "float32"


def made_up(preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Make soft shapes with noise: uint8 (CHECKED, height, width, channels). Noise alone varies too little."""
    rng = np.random.default_rng(0)
    side = (preprocessing.width, preprocessing.height)
    images = []
    for cells in rng.integers(2, 9, CHECKED):
        coarse = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        soft = np.asarray(Image.fromarray(coarse).resize(side, Image.Resampling.BICUBIC), np.float32)
        noisy = np.clip(soft + rng.normal(0, 8, soft.shape), 0, 255).astype(np.uint8)
        images.append(noisy[:, :, : preprocessing.channels])
    return np.stack(images)


def _difference(
    graph: "Graph", precision: Precision, images: NDArray[np.uint8], expected: NDArray[np.float32]
) -> float:
    probs = _answers(graph, precision, images)
    worst = float(np.abs(probs - expected).max())
    return worst if np.isfinite(worst) else np.inf


def _answers(graph: "Graph", precision: Precision, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    engine = Engine(graph, batch=BATCH, precision=precision)
    return np.concatenate(list(engine.run(images[i : i + BATCH] for i in range(0, CHECKED, BATCH))))


@contextmanager
def _about(file: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with its model."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{file} is not imported: {error}") from error
