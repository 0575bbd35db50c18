"""How do scores become probabilities? By softmax, which sees only how far the scores are apart.

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
from tellapart.lessons.images import Part, as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.reports.report import Table

CONSTANT, SHARP = 1_000.0, 100.0  # what is added to all logits, and what they are multiplied by
TEMPERATURES = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5, "1": 1.0, "2": 2.0, "4": 4.0, "8": 8.0}
PAIR = [4, 9]  # digits that look alike

Floats = NDArray[np.floating]


def run(settings: Settings) -> Findings:
    """Follow the logits of a trained network to its bundle's probabilities, and change them in several ways."""
    data = images("mnist", settings)
    learned, test = data.train.take(slice(settings.of(4_000, small=700))), data.test.take(slice(2_000))
    logits, said, temperature = answers(learned, test, data.classes, settings)
    wide, probs = logits.astype(np.float64), softmax(logits.astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):  # it overflows: that is what is to be seen
        naive = np.exp(logits + np.float32(CONSTANT))
        naive /= naive.sum(axis=1, keepdims=True)
    true = (np.arange(len(test)), test.labels)
    zeros = int(np.sum(softmax(np.float32(SHARP) * logits)[true] == 0))
    loss = np.logaddexp.reduce(SHARP * wide, axis=1) - SHARP * wide[true]  # minus the logarithm of softmax

    tempered = [softmax(wide / each) for each in TEMPERATURES.values()]
    sure = [float(each.max(axis=1).mean()) for each in tempered]
    right = [float(np.mean(each.argmax(axis=1) == test.labels)) for each in tempered]

    pair = only(test)
    one, pair_said, pair_temperature = answers(only(learned), pair, ("4", "9"), settings)
    two = wide[np.isin(test.labels, PAIR)][:, PAIR]  # the ten-class network's logits of the same images

    shown = int(np.abs(probs.max(axis=1) - 0.6).argmin())  # an image the network is in two minds about
    results = {
        "data": data.name,
        "n": len(learned),
        "test": len(test),
        "top": data.classes[int(probs[shown].argmax())],
        "temperature": temperature,
        "off": greatest(softmax(wide / temperature) - said),
        "constant": CONSTANT,
        "moved": greatest(softmax(wide + CONSTANT) - probs),
        "naive": int(np.isfinite(naive).all(axis=1).sum()),
        "changed": int(sum(np.sum(each.argmax(axis=1) != wide.argmax(axis=1)) for each in tempered)),
        "cold": sure[0],
        "usual": sure[len(sure) // 2],
        "hot": sure[-1],
        "sharp": SHARP,
        "zeros": zeros,
        "loss": float(loss.mean()),
        "pair": len(pair),
        "one_right": float(np.mean((one[:, 0] > 0) == pair.labels)),
        "two_right": float(np.mean((two[:, 1] > two[:, 0]) == pair.labels)),
        "one_off": greatest(sigmoid(one[:, 0] / pair_temperature) - pair_said[:, 1]),
        "two_off": greatest(softmax(two)[:, 1] - sigmoid(two[:, 1] - two[:, 0])),
    }
    few = np.argsort(-probs[shown])[:4]
    three = {f"temperature {name}": softmax(wide[shown] / TEMPERATURES[name])[few] for name in ("1/4", "1", "4")}
    places = np.log2(list(TEMPERATURES.values()))
    curves = lines(f"{right[0]:.1%} right at every temperature", ("temperature", places), "share of images",
                   {"told right": right, "mean probability of the answer": sure},
                   across={"tickvals": places.tolist(), "ticktext": list(TEMPERATURES)}, **PERCENT)  # fmt: skip
    figures = (
        drawing(
            "One image at three temperatures",
            "Its four likeliest classes. The likeliest stays the likeliest, but not as likely.",
            bars(f"always {results['top']}, more or less surely", "probability", [data.classes[label] for label in few],
                 three, form=".0%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "All images at seven temperatures",
            "Where they cross, the network is as sure as it is right. The dashed line was found on other images.",
            marked(curves, {"found": float(np.log2(temperature))}),
        ),
    )  # fmt: skip
    by_hand = tuple((name, f"{logit:.2f}", f"{np.exp(logit):,.3f}", f"{share:.1%}")
                    for name, logit, share in zip(data.classes, wide[shown], probs[shown], strict=True))  # fmt: skip
    table = Table(("class", "logit", "exp(logit)", "share of the sum"), by_hand)
    return Findings(results, figures, {"One image, by hand": table})


def softmax(logits: Floats) -> Floats:
    """The exponentials' shares of their sum, along the last axis: of logits less their greatest, none overflows."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def greatest(differences: Floats) -> float:
    """The greatest of them, in either direction."""
    return float(np.abs(differences).max())


def only(part: Part) -> Part:
    """The images of two digits, as classes 0 and 1."""
    some = part.take(np.flatnonzero(np.isin(part.labels, PAIR)))
    return Part(some.images, (some.labels == PAIR[1]).astype(np.int32))


def answers(learned: Part, test: Part, classes: tuple[str, ...], settings: Settings) -> tuple[Floats, Floats, float]:
    """Train a network; its logits, float32 (n, k), or (n, 1) for two classes; its bundle's answers and temperature."""
    held = len(learned) // 6
    dataset = as_dataset("digits", classes, train=learned.take(slice(held, None)), validation=learned.take(slice(held)))
    recipe = Recipe(model="mlp", loss="binary" if len(classes) == 2 else "categorical", epochs=15, batch_size=32,
                    precision="float32", seed=settings.seed)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(dataset, recipe, out=Path(folder) / "run").bundle
        network = load_network(bundle)
        (probs,) = compile_bundle(bundle, batch=len(test)).run([test.images])
    import keras  # brought in by the training

    logits = keras.Model(network.input, network.get_layer("logits").output)(test.images, training=False)
    return np.asarray(logits), probs, (bundle.facts.calibration or {"temperature": 1.0})["temperature"]


LESSON = Lesson(
    name="softmax-and-logits",
    question="How do scores become probabilities?",
    needs="mnist",
    seconds=3,
    run=run,
    method="""
        A [dense network|dense layer] learns {n:,} images of {data}. For each of {test:,} new ones it gives a score
        for each class, its [logit]. [Softmax|softmax] makes them probabilities: the exponential of each, as a share
        of the sum of all. We do that by hand, then add {constant:,.0f} to all logits, multiply them by {sharp:.0f},
        and divide them by [temperatures|temperature] from an eighth to eight. Last, a network that tells 4 from 9
        with a single logit, which a [sigmoid] makes a probability.""",
    outcome="""
        The table has one image, which is most likely {top}. With the temperature that tellapart found on
        [validation|validation set] images, {temperature:.2f}, what we calculate by hand is what the bundle says,
        within {off:.1g}.

        {constant:,.0f} more for every logit changes the probabilities by {moved:.1g}: only differences count. But who
        takes the exponentials as the formula has them gets a number for {naive} of {test:,} images: they are more
        than the numbers of a network can hold. To subtract the greatest logit first changes no result, and nothing
        overflows. With logits {sharp:.0f} times as large, the true class of {zeros} images gets a probability of
        exactly 0, which has no logarithm; from the logits, the [log-loss] is {loss:.1f}.

        However hot or cold, {changed} answers change. How sure they sound does: the mean probability of the answer is
        {cold:.1%} at an eighth, {usual:.1%} at 1 and {hot:.1%} at 8.

        Of {pair} fours and nines, the network with one logit tells {one_right:.1%} right, two logits of the first
        network {two_right:.1%}. The sigmoid of the one is what its bundle says, within {one_off:.1g}; softmax of two
        is the sigmoid of their difference, within {two_off:.1g}.""",
    claims=(
        Claim("By hand and by the bundle, probabilities agree within {off:.1g}.",
              lambda results: results["off"] < 1e-4),
        Claim("A constant changes {moved:.1g}; by the formula as it stands {naive} of {test:,} images have a number.",
              lambda results: results["moved"] < 1e-9 and results["naive"] == 0),
        Claim("Where {zeros} probabilities become exactly 0, the loss from logits is still a number, {loss:.1f}.",
              lambda results: results["zeros"] > 0 and results["loss"] < 1e6),
        Claim("A temperature changes {changed} answers, but how sure they are: {cold:.1%}, {usual:.1%}, {hot:.1%}.",
              lambda results: results["changed"] == 0 and results["cold"] > results["usual"] > results["hot"] + 0.1),
        Claim("One logit does for two classes: {one_right:.1%} and {two_right:.1%}.",
              lambda results: results["one_right"] > results["two_right"] - 0.03 and results["one_off"] < 1e-4),
    ),
    conclusion="""
        What a network says is how far its logits are apart. tellapart trains on logits, where the loss is safe, and
        joins softmax on at the end, with the temperature that makes the probabilities of validation images mean
        what they say: [calibration] that costs no accuracy. `tellapart calibrate` finds it on other images.""",
    try_next="""
        Divide the logits of every second image by 4. Does any answer change? And does the order of the images, by
        how sure their answers are?""",
)  # fmt: skip
