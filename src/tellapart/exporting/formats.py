"""The formats that a bundle can be exported to: how each is written, how it is run, what it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.errors import BundleError, RecipeError, did_you_mean, require
from tellapart.exporting import graphs, networks, runtimes
from tellapart.models.classical.estimators import FOREST, HEAD

NETWORK, ESTIMATOR, FOREST_KIND = "network", "estimator", "forest"


@dataclass(frozen=True)
class Format:
    """A format: the name of its file or folder, the kinds of bundle that it can hold, the extra it needs.

    `write` makes it of a bundle; `opened` runs what was written in the format's own runtime. `modules` are looked for
    before any work.
    """

    file: str
    kinds: tuple[str, ...]
    write: Callable[[Bundle, Path], None]
    opened: Callable[[Path], runtimes.Opened]
    extra: str | None = None
    modules: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    "openvino": Format("model.xml", (NETWORK, ESTIMATOR), graphs.write_openvino, runtimes.openvino),
    "onnx": Format("model.onnx", (NETWORK, ESTIMATOR), graphs.write_onnx, runtimes.onnx, "onnx", ("onnx",)),
    "litert": Format(
        "model.tflite",
        (NETWORK,),
        networks.write_litert,
        runtimes.litert,
        "litert",
        ("ai_edge_litert",),
    ),
    "savedmodel": Format("saved_model", (NETWORK,), networks.write_saved_model, runtimes.saved_model, "train"),
    "keras": Format("model.keras", (NETWORK,), networks.write_keras, runtimes.keras, "train"),
    "h5": Format("model.h5", (NETWORK,), networks.write_h5, runtimes.keras, "train"),
}


def format_for(bundle: Bundle, name: str) -> Format:
    """The format of that name. Raises RecipeError, BundleError where the bundle does not fit, MissingPackageError."""
    if name not in FORMATS:
        raise RecipeError(f"there is no format {name!r}: {did_you_mean(name, FORMATS)}")
    chosen, kind = FORMATS[name], kind_of(bundle)
    if kind not in chosen.kinds:
        raise BundleError(_no_way(bundle, kind, name))
    for module in chosen.modules:
        require(module, extra=chosen.extra or "train")
    return chosen


def kind_of(bundle: Bundle) -> str:
    """What the bundle consists of: a network, an estimator that is a graph, or a forest."""
    return FOREST_KIND if FOREST in bundle.hashes else ESTIMATOR if HEAD in bundle.hashes else NETWORK


def _no_way(bundle: Bundle, kind: str, name: str) -> str:
    model = bundle.facts.recipe.get("model")
    others = [other for other, one in FORMATS.items() if kind in one.kinds]
    if not others:
        return (
            f"{bundle.folder} is a {model}, which no other format holds as it is: its trees are scikit-learn's. Use it "
            f"with predict and serve, or train a network, knn or logistic"
        )
    return f"{bundle.folder} is a {model}, and there is no Keras network to make {name} of: use {' or '.join(others)}"
