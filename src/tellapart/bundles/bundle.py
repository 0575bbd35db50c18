"""Bundle: a folder with a trained classifier. Data only, hashed, and verified before anything in it is used.

bundle.json     classes, preprocessing, recipe, metrics, and the SHA-256 of every other file
model.xml/.bin  OpenVINO graph from uint8 images (n, height, width, channels) to probabilities (n, classes)
model.keras     the same network for Keras, without the temperature, for further training and exports
splits.json     hashes of its training and validation images, so that they are never used as test images

A copy to serve, as `tellapart package` makes it, has no model.keras: its manifest names the whole bundle in `copy_of`.

The graph of an estimator ends in its features, float32 (n, width). Instead of model.keras, its bundle has one of

head.xml/.bin     graph of k-NN or logistic regression, from features to probabilities in float32
estimator.skops   scikit-learn's random forest, without pickle
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tellapart.bundles.bundle_folder import bundle_folder
from tellapart.bundles.manifest import (
    FORMAT,
    GRAPH,
    KERAS,
    MANIFEST,
    SEEN,
    Manifest,
    StoredReject,
    file_names,
    manifest_hash,
    read_manifest,
)
from tellapart.bundles.reject import Reject
from tellapart.bundles.sandbox import Sandbox, SandboxLimits, is_verified, remember
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Graph, Precision, has_nan, last_line, read_graph
from tellapart.errors import BundleError
from tellapart.files import sha256
from tellapart.models.classical.estimators import Estimator, GraphEstimator, read_estimator
from tellapart.read_files import MAX_LIST_BYTES, ContentError, conform, read_json
from tellapart.version import __version__

ID_DIGITS = 12  # of its digest: enough to tell all bundles of a project apart, and short enough to compare by eye
HASH_DIGITS = 16  # of an image's SHA-256 in splits.json: 64 bits distinguish a billion images


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder, description and hashes. `open` reads the manifest; `verify` checks every byte."""

    folder: Path
    manifest: Manifest
    hashes: Mapping[str, str]
    digest: str
    """The SHA-256 of the manifest's content, and so of the whole bundle."""

    @staticmethod
    def open(folder: str | Path) -> "Bundle":
        """Read `bundle.json` and nothing else; the folder of a run stands for its bundle. Raises BundleError."""
        folder = bundle_folder(folder)
        return Bundle(folder, *read_manifest(folder))

    @staticmethod
    def of(bundle: "Bundle | str | Path") -> "Bundle":
        """Return the bundle itself, or open the one in a folder. Raises BundleError."""
        return bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)

    @property
    def id(self) -> str:
        """The first digits of its digest, which `bundle.json` states as `sha256`; a copy to serve has the same."""
        return (self.manifest.copy_of or self.digest)[:ID_DIGITS]

    @property
    def precision(self) -> Precision:
        """The numeric precision of inference, from its recipe."""
        precision: Precision = self.manifest.recipe.get("precision", "auto")
        return precision

    @property
    def name(self) -> str:
        """The name of the data set it was trained on."""
        return self.manifest.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the graph's outputs."""
        return self.manifest.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of images before the graph."""
        return self.manifest.preprocessing

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split, as in the run's `metrics.json`."""
        return self.manifest.metrics

    @cached_property
    def reject(self) -> Reject | None:
        """The reject option; None if it never answers "I don't know". Raises BundleError."""
        if self.manifest.reject is None:
            return None
        try:
            stored: StoredReject = conform(self.manifest.reject, StoredReject, "reject")
        except ContentError as error:
            raise BundleError(
                f"{self.folder / MANIFEST} has an invalid reject option ({error}): calibrate again"
            ) from error
        return Reject(stored["probability"], stored["strangeness"])

    def require_whole(self) -> None:
        """Refuse a copy to serve, which lacks the network for Keras and must not be changed. Raises BundleError."""
        if self.manifest.copy_of is not None:
            raise BundleError(
                f"{self.folder} is a copy to serve, without {KERAS}: use the bundle that it was made from, in whose "
                f"{MANIFEST} sha256 begins with {self.id}"
            )

    def verify(self) -> None:
        """Check every file by its hash, and the graph against classes and preprocessing. Raises BundleError.

        Missing, extra, truncated and altered files are refused. The first time on a machine, the bundle is run once in
        a process of its own before this one reads its graph. A forest is loaded and needs scikit-learn: raises
        MissingPackageError without it.
        """
        if is_verified(self.digest):
            self._verify_files()
        else:
            with Sandbox(self.folder, SandboxLimits.of(self.folder, self.preprocessing)) as sandbox:
                self._verify_files()
                sandbox.require_sound()
            remember(self.digest)
        self.require_interface()

    def _verify_files(self) -> None:
        present = {entry.name for entry in os.scandir(self.folder)}
        expected = {*file_names(self.hashes, self.manifest)}
        if missing := sorted({*self.hashes, MANIFEST} - present) + sorted(expected - {*self.hashes}):
            raise BundleError(f"{self.folder} lacks {', '.join(missing)}: copy the whole bundle again")
        if extra := sorted(present - {*expected, MANIFEST}):
            raise BundleError(
                f"{self.folder} has {', '.join(extra)}, which does not belong to it: remove what you added"
            )
        for name, expected_hash in self.hashes.items():
            path = self.folder / name
            if path.is_symlink() or not path.is_file() or sha256(path) != expected_hash:
                raise BundleError(f"{path} is not the file that was written: copy the whole bundle again")

    def require_matching_graph(self) -> None:
        """Check the graph, which is not run, against classes and preprocessing. Raises BundleError."""
        self.require_interface()
        graphs = [self.graph, getattr(self.estimator, "graph", None)]
        if any(has_nan(graph) for graph in graphs if graph is not None):
            raise BundleError(f"the weights in {self.folder} are damaged: some are not numbers (NaN). Train it again")

    def require_interface(self) -> None:
        """Check what the graph takes and gives; its weights are not examined. Raises BundleError."""
        try:
            outputs = _width(self.graph, "u8", 4)
            if isinstance(self.estimator, GraphEstimator):
                _width(self.estimator.graph, "f32", 2)
            input_shape = str(self.graph.input(0).partial_shape[1:])
        except (RuntimeError, IndexError, ValueError) as error:  # a missing input or output, or an unknown shape
            raise BundleError(
                f"{self.folder / GRAPH} is not a graph from images to (n, classes): copy the bundle again"
            ) from error
        if self.estimator is not None:
            if outputs != self.estimator.width:
                raise BundleError(
                    f"the graph of {self.folder} has {outputs} features, its estimator expects "
                    f"{self.estimator.width}: copy the whole bundle again"
                )
            outputs = self.estimator.classes
        if outputs != len(self.manifest.classes):
            raise BundleError(
                f"{self.folder} names {len(self.manifest.classes)} classes, its graph has {outputs} outputs"
            )
        shape = self.manifest.preprocessing
        if input_shape != f"[{shape.height},{shape.width},{shape.channels}]":
            raise BundleError(
                f"{self.folder} preprocesses images to {shape.height} x {shape.width} x {shape.channels}, its graph "
                f"expects {input_shape}: copy the whole bundle again"
            )

    @cached_property
    def graph(self) -> Graph:
        """The OpenVINO graph, read but not compiled."""
        try:
            return read_graph(self.folder / GRAPH)
        except RuntimeError as error:
            raise BundleError(f"{self.folder / GRAPH} is not a graph that can be read: {last_line(error)}") from error

    @cached_property
    def estimator(self) -> Estimator | None:
        """The estimator from features to probabilities; None if the graph itself ends in probabilities."""
        return read_estimator(self.folder, self.hashes, len(self.manifest.classes))

    @cached_property
    def seen(self) -> Mapping[str, str]:
        """The split, `train` or `validation`, of each image used in training, by the first digits of its hash.

        Raises BundleError.
        """
        path = self.folder / SEEN
        try:
            return split_by_hash(read_json(path, dict[str, list[str]], MAX_LIST_BYTES))
        except (OSError, ContentError) as error:
            raise BundleError(f"{path} cannot be read: {error}. Copy the bundle again, as a whole") from error


def _width(graph: Graph, taken: str, rank: int) -> int:
    """Return the width of a graph's first output.

    Raises ValueError unless it takes one tensor of this type and rank and gives vectors of floats, RuntimeError where a
    width is unknown.
    """
    (tensor,), results = graph.inputs, graph.outputs
    if tensor.element_type.to_string() != taken or len(tensor.partial_shape) != rank or len(results) not in (1, 2):
        raise ValueError
    if any(result.element_type.to_string() != "f32" or len(result.partial_shape) != 2 for result in results):
        raise ValueError
    return int(results[0].partial_shape[1].get_length())


def split_by_hash(splits: Mapping[str, list[str]]) -> dict[str, str]:
    """Invert a mapping from splits to hashes."""
    return {digest: split for split, digests in splits.items() for digest in digests}


def write_manifest(folder: Path, manifest: Manifest, *, proved: bool = False) -> None:
    """Hash the files in `folder` and write `bundle.json` next to them, the last step of creating a bundle.

    `proved` states that this process made the graph and has run it on images: no other needs to run it first here.
    """
    present = [entry.name for entry in os.scandir(folder)]
    described = asdict(manifest)
    if manifest.copy_of is None:
        del described["copy_of"]
    fields = {
        "format": FORMAT,
        "tellapart": __version__,
        **described,
        "preprocessing": manifest.preprocessing.as_json(),
        "files": {name: sha256(folder / name) for name in file_names(present, manifest)},
    }
    text = json.dumps({**fields, "sha256": manifest_hash(fields)}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    if proved:
        _remember_sound(folder)


def _remember_sound(folder: Path) -> None:
    bundle = Bundle.open(folder)
    with suppress(BundleError):  # weights that are not numbers: `verify` reports them
        bundle.require_matching_graph()
        remember(bundle.digest)
