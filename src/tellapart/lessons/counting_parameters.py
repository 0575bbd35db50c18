"""Lesson: the parameters of a network, and the state that training keeps, can be counted on paper.

Source of Adam's two numbers for each weight: Kingma and Ba, Adam: A method for stochastic optimization (2015).
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart import Recipe, train
from tellapart.backend import load_keras
from tellapart.lessons.drawing import PERCENT, bars, drawing
from tellapart.lessons.images import as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.models.resolved_recipe import resolve_network
from tellapart.reports.report import Table
from tellapart.training.fitting.checkpoints import found

if TYPE_CHECKING:
    from tellapart.models.summary import Layer

UNITS = 128
FILTERS = (32, 64, 128)  # of the three convolutions, each 3 x 3 pixels and as deep as its input
FLOAT_BYTES = 4


def run(settings: Settings) -> Findings:
    """Count the parameters of two networks by hand and by the library, then train one and measure its files."""
    data = images("mnist", settings)
    side, classes = data.train.images.shape[1], len(data.classes)
    paper = on_paper(side, classes)
    dense, conv = (layers(model, side, classes) for model in paper)
    wide_dense, wide_conv = (layers(model, 2 * side, classes) for model in paper)

    with tempfile.TemporaryDirectory() as folder:
        part = data.train.take(slice(settings.of(3_000, small=300)))
        dataset = as_dataset(data.name, data.classes, train=part, validation=data.test.take(slice(200)))
        recipe = Recipe(model="cnn", optimizer="adam", epochs=1, seed=settings.seed)
        trained = train(dataset, recipe, out=Path(folder) / "run")
        state = found(trained.folder / "checkpoints")[-1]
        numbers = sum(array.size for array in state.state())
        kilobytes = {"graph": (trained.bundle.folder / "model.bin").stat().st_size / 1_000,
                     "bundle": size(trained.bundle.folder), "state": size(state.folder)}  # fmt: skip

    total = sum(layer.parameters for layer in conv.values())
    work = sum(layer.multiply_adds for layer in conv.values())
    filters = [name for name in conv if name.startswith("conv")]
    both = zip(paper, (dense, conv), strict=True)
    counted = [(name, model, layer) for model, network in both for name, layer in network.items()]
    results = {
        "data": data.name,
        "side": side,
        "pixels": side * side,
        "units": UNITS,
        "hidden": learned(*paper["mlp"]["hidden"]),
        "dense": sum(layer.parameters for layer in dense.values()),
        "filters": FILTERS[0],
        "first": learned(*paper["cnn"]["conv1"]),
        "total": total,
        "layers": len(counted),
        "different": sum(learned(*paper[model][name]) != layer.parameters for name, model, layer in counted),
        "growth": wide_dense["hidden"].parameters / dense["hidden"].parameters,
        "changed": sum(wide_conv[name].parameters != conv[name].parameters for name in filters),
        "convolution_share": sum(conv[name].parameters for name in filters) / total,
        "work_share": sum(conv[name].multiply_adds for name in filters) / work,
        "uses": work / total,
        "times": numbers // total,
        "beside": numbers % total,
        "weights": FLOAT_BYTES * total / 1_000,
        **kilobytes,
    }
    shares = {
        "of the parameters": [layer.parameters / total for layer in conv.values()],
        "of the arithmetic": [layer.multiply_adds / work for layer in conv.values()],
    }
    figures = (
        drawing(
            "Parameters and arithmetic of each layer",
            "The share of each layer in all parameters, and in all multiply-adds for one image. A filter is applied at "
            "every position, so that few parameters cause much arithmetic.",
            bars(f"convolutions do {results['work_share']:.0%} of the arithmetic", "share", list(conv), shares,
                 form=".1%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "Sizes on disk",
            "The parameters at 4 bytes each; the file in the bundle that contains them; the whole bundle, which also "
            "has the Keras network; and the state from which a training can resume.",
            bars(f"training keeps {results['times']} numbers for each parameter", "kB",
                 ["parameters", "model.bin", "whole bundle", "training state"],
                 {"kB": [results["weights"], *kilobytes.values()]}, form=",.0f"),
        ),
    )  # fmt: skip
    rows = tuple(
        (f"{model} {name}", "{0:,} x {1} + {1}".format(*paper[model][name]), f"{learned(*paper[model][name]):,}")
        for name, model, _ in counted
    )
    table = Table(("layer", "calculation", "parameters"), rows)
    return Findings(results, figures, {"Every layer": table})


def on_paper(side: int, classes: int) -> dict[str, dict[str, tuple[int, int]]]:
    """Return the inputs of each output, and the outputs with separate weights, for each layer of both networks.

    A unit has all outputs of the layer below as inputs, a filter 3 x 3 positions of all maps. Poolings halve the side.
    """
    depths = (1, *FILTERS)
    filters = {f"conv{i + 1}": (3 * 3 * depths[i], count) for i, count in enumerate(FILTERS)}
    flattened = (side // 8) ** 2 * FILTERS[-1]
    return {
        "mlp": {"hidden": (side * side, UNITS), "logits": (UNITS, classes)},
        "cnn": {**filters, "hidden": (flattened, UNITS), "logits": (UNITS, classes)},
    }


def learned(inputs: int, outputs: int) -> int:
    """Count a weight for each input, and a bias, for each output."""
    return inputs * outputs + outputs


def layers(model: str, side: int, classes: int) -> "dict[str, Layer]":
    """Summarise, by the library, the layers with parameters of a network for grey images."""
    load_keras()
    from tellapart.models.networks import scratch_network
    from tellapart.models.summary import summarise

    network = scratch_network(resolve_network(Recipe(model=model, size=side, units=UNITS), own_size=None), 1, classes)
    return {layer.name: layer for layer in summarise(network).layers if layer.parameters}


def size(folder: Path) -> float:
    """Return the size of all files in a folder, in kB."""
    return sum(path.stat().st_size for path in folder.iterdir()) / 1_000


LESSON = Lesson(
    name="counting-parameters",
    question="How many parameters does a network have, and how much space do they take?",
    needs="mnist",
    seconds=3,
    run=run,
    method="""
        We count the [parameters|parameter] of two networks for images of {data}, {side} x {side} [pixels|pixel], on
        paper, and compare with the library's count. One network has a [dense layer] of {units} units, the other three
        [convolutions|convolution] before its dense layer. We repeat this for images twice as high and wide. Then we
        train the second network for one [epoch] with the [optimizer] Adam, and measure the files on disk.""",
    outcome="""
        On paper, each of the {units} units has a weight for each of the {pixels} pixels and a bias: {pixels} x {units}
        + {units} = {hidden:,}. With its last layer, the dense network has {dense:,} parameters. A [filter] needs
        weights only for one small square: {filters} of them have {first}. The convolutional network has {total:,} in
        all. The library's count differs in {different} of {layers} layers.

        For images twice as high and wide, the dense layer needs {growth:.2f} times as many parameters; of the
        convolutions, {changed} need more. Convolutions have few parameters, but do much arithmetic: with
        {convolution_share:.0%} of the parameters they do {work_share:.0%} of the [multiply-adds|multiply-add], since a
        filter is applied at every position. On average a parameter is used {uses:.0f} times for one image.

        The training state has {times} numbers for each parameter: the parameter itself and Adam's running means of its
        gradient and of the squared gradient. Another {beside} numbers, such as the step count, are kept once. All this
        takes {state:,.0f} kB, the parameters alone {weights:,.0f} kB, and the bundle, which has them once for
        prediction and once for Keras, {bundle:,.0f} kB.""",
    claims=(
        Claim("The library's count differs from ours in {different} of {layers} layers.",
              lambda results: results["different"] == 0),
        Claim("For 4 times the pixels a dense layer has {growth:.2f} times the weights; {changed} convolutions grow.",
              lambda results: 3.8 < results["growth"] < 4 and results["changed"] == 0),
        Claim("Convolutions do {work_share:.0%} of the arithmetic with {convolution_share:.0%} of the parameters.",
              lambda results: results["work_share"] > results["convolution_share"]),
        Claim("With Adam, training keeps {times} numbers for each parameter, and {beside} others.",
              lambda results: results["times"] == 3 and results["beside"] < 10),
        Claim("A parameter takes 4 bytes in a bundle's graph: {graph:,.1f} kB for {weights:,.1f} kB.",
              lambda results: 0 <= results["graph"] - results["weights"] < 1),
    ),
    conclusion="""
        The size of a network follows from its layers and is known before training: `tellapart summary` counts
        parameters, measures time and forecasts memory. Prediction needs only the parameters, so a bundle contains no
        training state. Training keeps three times as many numbers, and the outputs of every layer for a batch.""",
    try_next="""
        Train with `optimizer="rmsprop"`, and with `optimizer="sgd"`. How many numbers does each keep for a parameter,
        and how does the loss decrease with each?""",
)  # fmt: skip
