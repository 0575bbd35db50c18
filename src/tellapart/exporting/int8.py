"""Quantization of a network's OpenVINO graph to int8, accepted only if it is faster and about as accurate."""

from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.evaluate import training_splits
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH
from tellapart.engine import Engine, Graph, core, read_graph, write_graph
from tellapart.errors import BundleError, DatasetError, RecipeError, first_line, require
from tellapart.exporting.export import ExportResult, write_metadata
from tellapart.exporting.formats import NETWORK, bundle_kind, format_for
from tellapart.exporting.graph_formats import full_graph
from tellapart.exporting.int8_comparison import MAX_ACCURACY_LOSS, MIN_SPEEDUP, Int8Comparison, compare_int8
from tellapart.exporting.parity import bundle_probabilities, check_parity, draw_sample, read_images
from tellapart.exporting.runtimes import Images, Runtime
from tellapart.files import atomic_folder, require_unused
from tellapart.progress import notify
from tellapart.silence import silence_libraries

MAX_CALIBRATION_IMAGES = 300  # training images that calibrate the range of each layer's activations
FLOAT_OPERATIONS = ("Divide", "Log", "Maximum", "Softmax")
"""Operations from logits to probabilities, which stay in float32: the lowest of 256 steps is 0, which has no log."""


def export_int8(
    bundle: Bundle | str | Path, dataset: Dataset, *, to: str, out: Path
) -> tuple[ExportResult, Int8Comparison]:
    """Quantize a network into the new folder `out`, calibrated on training images.

    It is compared with float on validation images, not test images. Raises BundleError if it is less than 1.3 times
    as fast as float on this machine or loses more than a point of accuracy, RecipeError for a format other than
    openvino, and the errors of `export`.
    """
    bundle = Bundle.of(bundle)
    _require_quantizable(bundle, to)
    bundle.verify()
    require_unused(out)
    target = format_for(bundle, to)
    train, validation = training_splits(bundle, dataset, "train", "validation")
    sample = draw_sample(bundle, dataset)
    graph = quantize(full_graph(bundle), calibration_images(bundle, train))
    with atomic_folder(out) as partial:
        path = partial / target.file
        write_graph(graph, path)
        comparison = compare_int8(bundle, path, validation)
        if not comparison.worthwhile:
            raise BundleError(
                f"int8 is not worthwhile for {bundle.folder} on this machine: {comparison.summary()}. Expected at "
                f"least {MIN_SPEEDUP} times the speed and at most {100 * MAX_ACCURACY_LOSS:.0f} point lost; nothing "
                f"was written"
            )
        parity = check_parity(_open(path), sample, bundle_probabilities(bundle, sample.images))
        fields = {"format": to, "file": target.file, "agreement": parity.as_json(), "int8": comparison.as_json()}
        write_metadata(bundle, partial, fields)
    return ExportResult(out, to, comparison.int8_bytes, parity), comparison


def quantize(graph: Graph, images: Images) -> Graph:
    """Quantize weights and activations, calibrated on images uint8 (n, height, width, channels). Raises BundleError.

    Source: nncf's post-training quantization, with fast bias correction.
    """
    core()
    nncf = require("nncf", extra="int8")
    notify(f"int8: calibrating on {len(images)} training images")
    try:
        with silence_libraries():
            return nncf.quantize(
                graph.clone(),
                nncf.Dataset([images[i : i + 1] for i in range(len(images))]),
                subset_size=len(images),
                ignored_scope=nncf.IgnoredScope(types=list(FLOAT_OPERATIONS), validate=False),
            )
    except Exception as error:  # of nncf
        raise BundleError(f"nncf cannot quantize this network ({first_line(error)}): remove --int8") from error


def calibration_images(bundle: Bundle, train: Split) -> Images:
    """Sample a split evenly: uint8 (n, height, width, channels). Raises DatasetError if no image can be read."""
    images = list(read_images(train, bundle.preprocessing, MAX_CALIBRATION_IMAGES))
    if not images:
        raise DatasetError(f"none of the {len(train)} training images can be read: check the files")
    return np.stack(images)


def _require_quantizable(bundle: Bundle, to: str) -> None:
    if to != "openvino":
        raise RecipeError(f"int8 requires OpenVINO: use --to openvino --int8, or --to {to} without --int8")
    if bundle_kind(bundle) != NETWORK:
        raise BundleError(
            f"{bundle.folder} is a {bundle.manifest.recipe.get('model')}, int8 supports networks only: remove --int8"
        )
    require("nncf", extra="int8")


def _open(path: Path) -> Runtime:
    engine = Engine(read_graph(path), batch=BATCH)
    return Runtime("openvino", lambda images: next(engine.run([images])))
