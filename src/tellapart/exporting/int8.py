"""A network's OpenVINO graph in whole numbers of 8 bits: offered only where it is faster here and about as accurate."""

from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.evaluate import relabelled, unseen
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH
from tellapart.data.splits.draw_splits import HELD_OUT, draw_splits
from tellapart.engine import Engine, Graph, core, read_graph, write_graph
from tellapart.errors import BundleError, DatasetError, RecipeError, first_line, require
from tellapart.exporting.export import Exported, write_beside
from tellapart.exporting.formats import NETWORK, format_for, kind_of
from tellapart.exporting.graphs import whole_graph
from tellapart.exporting.int8_worth import FASTER, LOST, Worth, worth
from tellapart.exporting.parity import bundle_probabilities, check_parity, readable, sample_of
from tellapart.exporting.runtimes import Images, Opened
from tellapart.files import atomic_folder, require_unused
from tellapart.progress import notify
from tellapart.silence import silence_libraries

LEARNED_FROM = 300  # training images, which show the range of each layer's numbers
EXACT = ("Divide", "Log", "Maximum", "Softmax")
"""What makes probabilities of logits stays in float32: of 256 steps the lowest is 0, which has no logarithm."""


def export_int8(bundle: Bundle | str | Path, dataset: Dataset, *, to: str, out: Path) -> tuple[Exported, Worth]:
    """Quantise a network into the new folder `out`, with ranges learned from training images.

    Whether it is worth it is decided on validation images, not on those for test. Raises BundleError where it is
    less than 1.3 times as fast as float on this machine or loses more than a point of accuracy, RecipeError for
    another format than openvino, and as `export`.
    """
    bundle = Bundle.of(bundle)
    _require_possible(bundle, to)
    bundle.verify()
    require_unused(out)
    chosen = format_for(bundle, to)
    train, validation = _parts(bundle, dataset)
    sample = sample_of(bundle, dataset)
    graph = quantised(whole_graph(bundle), learning_images(bundle, train))
    with atomic_folder(out) as partial:
        path = partial / chosen.file
        write_graph(graph, path)
        found = worth(bundle, path, validation)
        if not found.offered:
            raise BundleError(
                f"int8 is not offered for {bundle.folder} on this machine: {found.sentence()}. Asked for are at least "
                f"{FASTER} times as fast and at most {100 * LOST:.0f} point lost; nothing was written"
            )
        same = check_parity(_opened(path), sample, bundle_probabilities(bundle, sample.pixels))
        own = {"format": to, "file": chosen.file, "agreement": same.as_json(), "int8": found.as_json()}
        write_beside(bundle, partial, own)
    return Exported(out, to, found.int8_bytes, same), found


def quantised(graph: Graph, pixels: Images) -> Graph:
    """The graph with 8-bit weights and layers, by images uint8 (n, height, width, channels). Raises BundleError.

    Source: nncf's post-training quantisation, with fast bias correction.
    """
    core()
    nncf = require("nncf", extra="int8")
    notify(f"int8: learning the range of each layer's numbers from {len(pixels)} training images")
    try:
        with silence_libraries():
            return nncf.quantize(
                graph.clone(),
                nncf.Dataset([pixels[place : place + 1] for place in range(len(pixels))]),
                subset_size=len(pixels),
                ignored_scope=nncf.IgnoredScope(types=list(EXACT), validate=False),
            )
    except Exception as error:  # whatever nncf says of a graph
        raise BundleError(f"nncf cannot quantise this network ({first_line(error)}): leave --int8 out") from error


def learning_images(bundle: Bundle, train: Split) -> Images:
    """Some of a split, evenly taken: uint8 (n, height, width, channels). Raises DatasetError where none can be read."""
    pixels = list(readable(train, bundle.preprocessing, LEARNED_FROM))
    if not pixels:
        raise DatasetError(f"none of the {len(train)} training images can be read: check the files")
    return np.stack(pixels)


def _require_possible(bundle: Bundle, to: str) -> None:
    if to != "openvino":
        raise RecipeError(f"int8 is made for OpenVINO: use --to openvino --int8, or --to {to} without --int8")
    if kind_of(bundle) != NETWORK:
        raise BundleError(
            f"{bundle.folder} is a {bundle.facts.recipe.get('model')}, int8 is for networks: leave it out"
        )
    require("nncf", extra="int8")


def _parts(bundle: Bundle, dataset: Dataset) -> tuple[Split, Split]:
    """The training and validation images: as the bundle's training divided them, else drawn here."""
    dataset = relabelled(dataset, bundle.classes)
    if not bundle.seen:
        dataset = draw_splits(dataset, validation=HELD_OUT, test=0, seed=0)
    return unseen(dataset, "train", bundle.seen), unseen(dataset, "validation", bundle.seen)


def _opened(path: Path) -> Opened:
    engine = Engine(read_graph(path), batch=BATCH)
    return Opened("openvino", lambda images: next(engine.run([images])))
