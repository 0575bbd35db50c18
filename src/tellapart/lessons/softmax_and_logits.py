"""Lesson: softmax turns logits into probabilities, which depend only on the differences of the logits.

Sources: Bridle, Probabilistic interpretation of feedforward classification network outputs (1990); Guo et al., On
Calibration of Modern Neural Networks (2017), 4.2, for temperatures.
"""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit as sigmoid

from tellapart import Recipe, train
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.keras_network import load_network
from tellapart.lessons.drawing import PERCENT, bars, drawing, lines, marked
from tellapart.lessons.images import Part, as_dataset, images, of_classes
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.report import Table

CONSTANT, SHARP = 1_000.0, 100.0  # added to all logits; multiplied with all logits
TEMPERATURES = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5, "1": 1.0, "2": 2.0, "4": 4.0, "8": 8.0}
PAIR = np.array([4, 9])  # similar digits

Floats = NDArray[np.floating]


def run(settings: Settings) -> Findings:
    """Compute a bundle's probabilities from the logits of its network, and change the logits in several ways."""
    data = images("mnist", settings)
    learned, test = data.train.take(slice(settings.of(4_000, small=700))), data.test.take(slice(2_000))
    logits, bundle_probs, temperature = predict(learned, test, data.classes, settings)
    wide, probs = logits.astype(np.float64), softmax(logits.astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):  # the overflow is intended
        naive = np.exp(logits + np.float32(CONSTANT))
        naive /= naive.sum(axis=1, keepdims=True)
    true = (np.arange(len(test)), test.labels)
    zeros = int(np.sum(softmax(np.float32(SHARP) * logits)[true] == 0))
    loss = np.logaddexp.reduce(SHARP * wide, axis=1) - SHARP * wide[true]  # minus the logarithm of softmax

    tempered = [softmax(wide / value) for value in TEMPERATURES.values()]
    confidence = [float(p.max(axis=1).mean()) for p in tempered]
    accuracy = [float(np.mean(p.argmax(axis=1) == test.labels)) for p in tempered]

    pair = of_classes(test, PAIR)
    single, pair_probs, pair_temperature = predict(of_classes(learned, PAIR), pair, ("4", "9"), settings)
    two = wide[np.isin(test.labels, PAIR)][:, PAIR]  # logits of the network of ten classes, for the same images

    shown = int(np.abs(probs.max(axis=1) - 0.6).argmin())  # an image with an uncertain prediction
    results = {
        "data": data.name,
        "n": len(learned),
        "test": len(test),
        "top": data.classes[int(probs[shown].argmax())],
        "temperature": temperature,
        "difference": largest(softmax(wide / temperature) - bundle_probs),
        "constant": CONSTANT,
        "constant_change": largest(softmax(wide + CONSTANT) - probs),
        "naive": int(np.isfinite(naive).all(axis=1).sum()),
        "changed": int(sum(np.sum(p.argmax(axis=1) != wide.argmax(axis=1)) for p in tempered)),
        "low": confidence[0],
        "usual": confidence[len(confidence) // 2],
        "high": confidence[-1],
        "sharp": SHARP,
        "zeros": zeros,
        "loss": float(loss.mean()),
        "pair": len(pair),
        "single_accuracy": float(np.mean((single[:, 0] > 0) == pair.labels)),
        "two_accuracy": float(np.mean((two[:, 1] > two[:, 0]) == pair.labels)),
        "single_difference": largest(sigmoid(single[:, 0] / pair_temperature) - pair_probs[:, 1]),
        "two_difference": largest(softmax(two)[:, 1] - sigmoid(two[:, 1] - two[:, 0])),
    }
    top = np.argsort(-probs[shown])[:4]
    three = {f"temperature {name}": softmax(wide[shown] / TEMPERATURES[name])[top] for name in ("1/4", "1", "4")}
    logarithms = np.log2(list(TEMPERATURES.values()))
    curves = lines(f"accuracy {accuracy[0]:.1%} at every temperature", ("temperature", logarithms), "share",
                   {"accuracy": accuracy, "mean confidence": confidence},
                   across={"tickvals": logarithms.tolist(), "ticktext": list(TEMPERATURES)}, **PERCENT)  # fmt: skip
    figures = (
        drawing(
            "One image at three temperatures",
            "Its four most probable classes. Their order stays the same, their probabilities change.",
            bars(f"always {results['top']}, with different confidence", "probability",
                 [data.classes[label] for label in top], three, form=".0%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "All images at seven temperatures",
            "Where the lines cross, confidence equals accuracy. The dashed line was fitted on other images.",
            marked(curves, {"fitted": float(np.log2(temperature))}),
        ),
    )  # fmt: skip
    by_hand = tuple((name, f"{logit:.2f}", f"{np.exp(logit):,.3f}", f"{share:.1%}")
                    for name, logit, share in zip(data.classes, wide[shown], probs[shown], strict=True))  # fmt: skip
    table = Table(("class", "logit", "exp(logit)", "share of the sum"), by_hand)
    return Findings(results, figures, {"One image, by hand": table})


def softmax(logits: Floats) -> Floats:
    """Compute softmax along the last axis; the maximum is subtracted first so that nothing overflows."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def largest(differences: Floats) -> float:
    """Return the largest absolute difference."""
    return float(np.abs(differences).max())


def predict(learned: Part, test: Part, classes: tuple[str, ...], settings: Settings) -> tuple[Floats, Floats, float]:
    """Train a network; return its logits, float32 (n, k) or (n, 1), and its bundle's probabilities and temperature."""
    cut = len(learned) // 6
    dataset = as_dataset("digits", classes, train=learned.take(slice(cut, None)), validation=learned.take(slice(cut)))
    recipe = Recipe(model="mlp", loss="binary" if len(classes) == 2 else "categorical", epochs=15, batch_size=32,
                    precision="float32", seed=settings.seed)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(dataset, recipe, out=Path(folder) / "run").bundle
        network = load_network(bundle)
        (probs,) = compile_bundle(bundle, batch=len(test)).run([test.images])
    import keras  # already loaded by the training

    logits = keras.Model(network.input, network.get_layer("logits").output)(test.images, training=False)
    return np.asarray(logits), probs, (bundle.manifest.calibration or {"temperature": 1.0})["temperature"]


LESSON = Lesson(
    name="softmax-and-logits",
    question="How do scores become probabilities?",
    needs="mnist",
    seconds=3,
    run=run,
    method="""
        A [dense network|dense layer] is trained on {n:,} images of {data}. For each of {test:,} test images it
        computes a score for each class, its [logit]. [Softmax|softmax] turns logits into probabilities: the
        exponential of each, divided by the sum of all. We do that by hand, then add {constant:,.0f} to all logits,
        multiply them by {sharp:.0f}, and divide them by [temperatures|temperature] from an eighth to eight. Finally we
        train a network that distinguishes 4 from 9 with a single logit, which a [sigmoid] turns into a probability.""",
    outcome="""
        The table shows one image, whose most probable class is {top}. With the temperature that tellapart fitted on
        [validation|validation set] images, {temperature:.2f}, the probabilities computed by hand agree with the
        bundle's within {difference:.1g}.

        Adding {constant:,.0f} to every logit changes the probabilities by {constant_change:.1g}: only differences
        matter. But the formula as written gives finite numbers for {naive} of {test:,} images, because the
        exponentials overflow. Subtracting the largest logit first changes no result and avoids the overflow. With
        logits {sharp:.0f} times as large, the true class of {zeros} images gets a probability of exactly 0, which has
        no logarithm; computed from the logits, the [log-loss] is {loss:.1f}.

        A temperature changes {changed} predictions, but it changes the mean [confidence]: {low:.1%} at an eighth,
        {usual:.1%} at 1 and {high:.1%} at 8.

        On {pair} fours and nines, the network with one logit has an [accuracy] of {single_accuracy:.1%}, two logits of
        the first network {two_accuracy:.1%}. The sigmoid of the one logit agrees with its bundle within
        {single_difference:.1g}; softmax of two logits agrees with the sigmoid of their difference within
        {two_difference:.1g}.""",
    claims=(
        Claim("By hand and by the bundle, probabilities agree within {difference:.1g}.",
              lambda results: results["difference"] < 1e-4),
        Claim("A constant changes {constant_change:.1g}; by the plain formula {naive} of {test:,} images get finite "
              "numbers.",
              lambda results: results["constant_change"] < 1e-9 and results["naive"] == 0),
        Claim("Where {zeros} probabilities become exactly 0, the loss computed from logits is finite, {loss:.1f}.",
              lambda results: results["zeros"] > 0 and results["loss"] < 1e6),
        Claim("A temperature changes {changed} predictions, but the mean confidence: {low:.1%}, {usual:.1%}, "
              "{high:.1%}.",
              lambda results: results["changed"] == 0 and results["low"] > results["usual"] > results["high"] + 0.1),
        Claim("One logit is enough for two classes: {single_accuracy:.1%} and {two_accuracy:.1%}.",
              lambda results: results["single_accuracy"] > results["two_accuracy"] - 0.03
              and results["single_difference"] < 1e-4),
    ),
    conclusion="""
        A network's prediction depends on the differences of its logits. tellapart trains on logits, where the loss is
        numerically stable, and adds softmax at the end, with the temperature that calibrates the probabilities on
        validation images: [calibration] that costs no accuracy. `tellapart calibrate` fits it on other images.""",
    try_next="""
        Divide the logits of every second image by 4. Does any prediction change? And does the order of the images by
        confidence?""",
)  # fmt: skip
