"""How many numbers does a network learn? They can be counted on paper, and so can what training keeps besides.

Two numbers for each weight, by Adam: Kingma and Ba, Adam: A method for stochastic optimization (2015), algorithm 1.
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
FILTERS = (32, 64, 128)  # of the three convolutions, each 3 x 3 pixels and as deep as what it looks at
FLOAT_BYTES = 4


def run(settings: Settings) -> Findings:
    """Count two networks by hand and by the library, then train one for an epoch and see what lies on the disk."""
    data = images("mnist", settings)
    side, classes = data.train.images.shape[1], len(data.classes)
    paper = on_paper(side, classes)
    dense, conv = (layers(model, side, classes) for model in paper)
    wide_dense, wide_conv = (layers(model, 2 * side, classes) for model in paper)

    with tempfile.TemporaryDirectory() as folder:
        part = data.train.take(slice(settings.of(3_000, small=300)))
        dataset = as_dataset(data.name, data.classes, train=part, validation=data.test.take(slice(200)))
        recipe = Recipe(model="cnn", optimizer="adam", epochs=1, seed=settings.seed)
        done = train(dataset, recipe, out=Path(folder) / "run")
        state = found(done.folder / "checkpoints")[-1]
        numbers = sum(array.size for array in state.state())
        graph = (done.bundle.folder / "model.bin").stat().st_size / 1_000
        kilobytes = {"graph": graph, "bundle": size(done.bundle.folder), "state": size(state.folder)}

    total, work = sum(one.parameters for one in conv.values()), sum(one.multiply_adds for one in conv.values())
    filters = [name for name in conv if name.startswith("conv")]
    counted = [(name, model, one) for model, every in (("mlp", dense), ("cnn", conv)) for name, one in every.items()]
    results = {
        "data": data.name,
        "side": side,
        "pixels": side * side,
        "units": UNITS,
        "hidden": learned(*paper["mlp"]["hidden"]),
        "dense": sum(one.parameters for one in dense.values()),
        "filters": FILTERS[0],
        "first": learned(*paper["cnn"]["conv1"]),
        "total": total,
        "layers": len(counted),
        "unlike": sum(learned(*paper[model][name]) != one.parameters for name, model, one in counted),
        "growth": wide_dense["hidden"].parameters / dense["hidden"].parameters,
        "changed": sum(wide_conv[name].parameters != conv[name].parameters for name in filters),
        "held": sum(conv[name].parameters for name in filters) / total,
        "done": sum(conv[name].multiply_adds for name in filters) / work,
        "uses": work / total,
        "times": numbers // total,
        "beside": numbers % total,
        "weights": FLOAT_BYTES * total / 1_000,
        **kilobytes,
    }
    shares = {
        "of the numbers": [one.parameters / total for one in conv.values()],
        "of the multiplications": [one.multiply_adds / work for one in conv.values()],
    }
    figures = (
        drawing(
            "Where a convolutional network has its numbers, and where its work",
            "Each layer's share of all that is learned, and of all multiplications that one image takes: a filter is "
            "used at every place, so that few numbers make much work.",
            bars(f"convolutions: {results['held']:.0%} of the numbers, {results['done']:.0%} of the work",
                 "share", list(conv), shares, form=".1%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "What its numbers take on the disk",
            "The numbers learned, at 4 bytes each; the file that has them in the bundle; the whole bundle, with the "
            "network as Keras keeps it; and the state of a training that can be gone on with.",
            bars(f"training keeps {results['times']} numbers for each one learned", "kB",
                 ["numbers learned", "model.bin", "whole bundle", "training state"],
                 {"kB": [results["weights"], *kilobytes.values()]}, form=",.0f"),
        ),
    )  # fmt: skip
    rows = tuple(
        (f"{model} {name}", "{0:,} x {1} + {1}".format(*paper[model][name]), f"{learned(*paper[model][name]):,}")
        for name, model, _ in counted
    )
    table = Table(("layer", "on paper", "parameters"), rows)
    return Findings(results, figures, {"Every layer": table})


def on_paper(side: int, classes: int) -> dict[str, dict[str, tuple[int, int]]]:
    """For each layer of both: how many numbers an output looks at, and how many outputs have weights of their own.

    A unit looks at all numbers below it; a filter at 3 x 3 places of all maps. Poolings halve the side three times.
    """
    depths = (1, *FILTERS)
    filters = {f"conv{i + 1}": (3 * 3 * depths[i], count) for i, count in enumerate(FILTERS)}
    left = (side // 8) ** 2 * FILTERS[-1]
    return {
        "mlp": {"hidden": (side * side, UNITS), "logits": (UNITS, classes)},
        "cnn": {**filters, "hidden": (left, UNITS), "logits": (UNITS, classes)},
    }


def learned(looks: int, outputs: int) -> int:
    """A weight for each number that is looked at, and one number to add, for each output."""
    return looks * outputs + outputs


def layers(model: str, side: int, classes: int) -> "dict[str, Layer]":
    """What the library says of each layer that learns, in a network of tellapart's for grey images."""
    load_keras()
    from tellapart.models.networks import scratch_network
    from tellapart.models.summary import summarise

    network = scratch_network(resolve_network(Recipe(model=model, size=side, units=UNITS), own_size=None), 1, classes)
    return {layer.name: layer for layer in summarise(network).layers if layer.parameters}


def size(folder: Path) -> float:
    """Of all files in a folder, in kB."""
    return sum(path.stat().st_size for path in folder.iterdir()) / 1_000


LESSON = Lesson(
    name="counting-parameters",
    question="How many numbers does a network learn, and what do they take?",
    needs="mnist",
    seconds=3,
    run=run,
    method="""
        We count the [parameters|parameter] of two networks for images of {data}, {side} x {side} [pixels|pixel] on
        paper, and ask the library to count too: one has a [dense layer] of {units} units, the other three
        [convolutions|convolution]. We ask again for images twice as high and wide. Then we train the second for one
        [epoch] with the [optimizer] Adam, and look at what lies on the disk.""",
    outcome="""
        On paper, each of the {units} units has a weight for each of the {pixels} pixels and one number to add:
        {pixels} x {units} + {units} = {hidden:,}. With what leads to the answer, the dense network has {dense:,}. A
        [filter] looks at one small square at a time and needs weights for that alone: {filters} of them have {first}.
        The convolutional network has {total:,} in all. The library counts otherwise in {unlike} of {layers} layers.

        For images twice as high and wide, the dense layer needs {growth:.2f} times as many; of the convolutions,
        {changed} need more. They are cheap to keep, not to use: with {held:.0%} of the network's numbers they do
        {done:.0%} of its multiplications, since a filter works at every place. All in all a number is used
        {uses:.0f} times for one image.

        The state of the training has {times} numbers for each parameter: itself and two of Adam's, running means of
        its slope and of the slope's square. Another {beside} numbers, such as the count of steps, are kept once. All
        this takes {state:,.0f} kB, the parameters alone {weights:,.0f} kB, and the bundle, which has them once for
        predicting and once for Keras, {bundle:,.0f} kB.""",
    claims=(
        Claim("Of {layers} layers, the library counts {unlike} otherwise than we do on paper.",
              lambda results: results["unlike"] == 0),
        Claim("For four times the pixels a dense layer has {growth:.2f} times the parameters; {changed} convolutions "
              "have more.", lambda results: 3.8 < results["growth"] < 4 and results["changed"] == 0),
        Claim("Convolutions do more than their share: {done:.0%} of the work with {held:.0%} of the numbers.",
              lambda results: results["done"] > results["held"]),
        Claim("With Adam, training keeps {times} numbers for each parameter, and {beside} besides.",
              lambda results: results["times"] == 3 and results["beside"] < 10),
        Claim("A parameter takes 4 bytes in a bundle's graph: {graph:,.1f} kB for {weights:,.1f} kB.",
              lambda results: 0 <= results["graph"] - results["weights"] < 1),
    ),
    conclusion="""
        What a network takes follows from its layers, and is known before it is trained: `tellapart summary` counts,
        measures and forecasts. To predict, the parameters are enough: a bundle holds no state of a training. To train
        takes room for three times as many, and for what every layer makes of a batch of images.""",
    try_next="""
        Train with `optimizer="rmsprop"`, and with `optimizer="sgd"`. How many numbers does each keep for a parameter,
        and how does the loss get on with them?""",
)  # fmt: skip
