"""Does augmentation help? If what it makes could have been drawn by a writer; if not, it teaches what is false.

Source: Simard, Steinkraus and Platt, Best practices for convolutional neural networks applied to visual document
analysis (2003), who drew digits anew by shifts, turns and bends.
"""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart import Evaluation, Recipe, evaluate, train
from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.augmented import augment
from tellapart.judging.paired import Comparison, compare
from tellapart.lessons.drawing import PERCENT, bars, drawing, square
from tellapart.lessons.images import Images, Part, as_dataset, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

WAYS = {
    "as they are": "",
    "shifts and turns": "shift=0.1,rotate=10",
    "vertical flips": "flip=vertical",
}
SHOWN = 8  # images of each way
Pair = tuple[Evaluation, Evaluation]
"""On images as they are, and on images moved a little."""


def run(settings: Settings) -> Findings:
    """Train the same network on images as they are, moved a little, and upside down; judge on untouched ones."""
    data = images("mnist", settings)
    learned, test = data.train.take(slice(settings.of(500, small=200))), data.test.take(slice(200, 4_000))
    elsewhere = Part(changed(test, WAYS["shifts and turns"], settings.seed), test.labels)
    trained = [judged(data, learned, test, elsewhere, way, settings) for way in WAYS.values()]
    (plain, plain_off), (moved, moved_off), (flipped, _) = trained
    gain, harm = difference(moved, plain).accuracy_difference, difference(flipped, plain).accuracy_difference

    recalls = [[one.recall.value if one.recall else 0.0 for one in evaluation.per_class]
               for evaluation in (plain, flipped)]  # fmt: skip
    worst = int(np.subtract(recalls[0], recalls[1]).argmax())
    results = {
        "data": data.name,
        "n": len(learned),
        "test": plain.n,
        "units": settings.of(256, small=32),
        "moves": WAYS["shifts and turns"],
        "flips": WAYS["vertical flips"],
        "plain": plain.accuracy.value,
        "moved": moved.accuracy.value,
        "flipped": flipped.accuracy.value,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "verdict": "a gain" if gain.low > 0 else "a loss" if gain.high < 0 else "no more than chance explains",
        "harm": harm.value,
        "harm_low": harm.low,
        "harm_high": harm.high,
        "plain_off": plain_off.accuracy.value,
        "moved_off": moved_off.accuracy.value,
        "worst": data.classes[worst],
        "worst_plain": recalls[0][worst],
        "worst_flipped": recalls[1][worst],
    }
    figures = (
        drawing(
            "What the network is shown",
            f"Above images as they are, in the middle the same with {WAYS['shifts and turns']}, below with "
            f"{WAYS['vertical flips']}, which turns about half of them upside down. Each epoch draws anew.",
            square("three ways to show the same images", sheet(learned, settings.seed), height=180),
        ),
        drawing(
            "Right on new images, by what was done to the training images",
            "The upper bar of each pair is on new images that nothing was done to, the lower on the same images, "
            "each moved and turned a little.",
            bars(f"untouched: {gain.value:+.1%} by shifts and turns, {harm.value:+.1%} by flips", "accuracy",
                 list(WAYS), {where: [pair[number].accuracy.value for pair in trained]
                              for number, where in enumerate(("untouched", "moved a little"))},
                 form=".1%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "Which digits suffer from flips",
            "The share of each digit that is found, of untouched images. A digit that upside down looks like itself, "
            "or like no other, minds flips least.",
            bars(f"the {data.classes[worst]} loses most", "recall", data.classes,
                 dict(zip(("as they are", "vertical flips"), recalls, strict=True)), form=".0%", range=[0, 1],
                 **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def judged(data: Images, learned: Part, test: Part, elsewhere: Part, way: str, settings: Settings) -> Pair:
    """Train on images augmented in that way, and judge on images as they are and on the same moved a little."""
    dataset = as_dataset(data.name, data.classes, train=learned, validation=data.test.take(slice(200)), test=test)
    recipe = Recipe(model="mlp", units=settings.of(256, small=32), augment=way, epochs=settings.of(60, small=40),
                    patience=20, batch_size=16, learning_rate=1e-3, seed=settings.seed)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(dataset, recipe, out=Path(folder) / "run").bundle
        return evaluate(bundle, dataset), evaluate(bundle, as_dataset(data.name, data.classes, test=elsewhere))


def difference(one: Evaluation, plain: Evaluation) -> Comparison:
    """How an evaluation differs from that without augmentation, image by image."""
    return compare(plain.labels, one.probs, plain.probs)


def changed(part: Part, way: str, seed: int) -> NDArray[np.uint8]:
    """The images augmented in that way, once: uint8 as they are."""
    rng = np.random.default_rng(seed)
    return np.stack([augment(one, Augmentation.parse(way), rng) for one in part.images])


def sheet(part: Part, seed: int) -> NDArray[np.floating]:
    """The first images, a row for each way: float (rows * height, columns * width), white is 1."""
    rows = [changed(part.take(slice(SHOWN)), way, seed)[:, :, :, 0] / 255 for way in WAYS.values()]
    return np.vstack([np.hstack([np.pad(one, 1, constant_values=0.5) for one in row]) for row in rows])


LESSON = Lesson(
    name="augmentation",
    question="Does augmentation help?",
    needs="mnist",
    seconds=14,
    run=run,
    method="""
        The same network, with one hidden layer of {units} units, learns {n} images of {data} three times: as they
        are; with [augmentation] `{moves}`, each image moved by up to a tenth of its side and turned by up to ten
        degrees, drawn anew in every [epoch]; and with `{flips}`, each image upside down with a chance of one half.
        All three are judged on the same {test:,} new images, to which nothing is done, and once more on these after
        each was moved and turned a little.""",
    outcome="""
        On untouched images: {plain:.1%} right without augmentation. With shifts and turns {moved:.1%}, a difference
        of {gain:+.1%} ({gain_low:+.1%} to {gain_high:+.1%}, a 95 % [confidence interval] from the same images):
        {verdict}. With vertical flips {flipped:.1%}, a difference of {harm:+.1%} ({harm_low:+.1%} to
        {harm_high:+.1%}). Of the digit {worst}, {worst_plain:.0%} were found without flips and {worst_flipped:.0%}
        with them.

        On images that stand a little elsewhere the network that was shown none has {plain_off:.1%}, the one that
        was shown such images {moved_off:.1%}.""",
    claims=(
        Claim(
            "Vertical flips harm: {harm:+.1%} ({harm_low:+.1%} to {harm_high:+.1%}) on untouched images.",
            lambda results: results["harm"] < 0,
        ),
        Claim(
            "Who was shown moved images knows moved images: {moved_off:.1%}, not {plain_off:.1%}.",
            lambda results: results["moved_off"] > results["plain_off"],
        ),
    ),
    conclusion="""
        Augmentation says what does not matter. It helps where that is true of the images to come and the few that
        are learned from do not show it: MNIST's digits stand in a wide frame at slightly different places. Those of
        scikit-learn fill a frame of 8 pixels, where a shift cuts off and blurs more than it teaches. Upside down a 2
        is hardly a 2, while a shirt in a mirror is a shirt. Look at what it makes with `tellapart augment`, and
        measure with `tellapart sweep --vary "augment=;shift=0.1;shift=0.1,rotate=10"`. tellapart augments training
        images alone: validation and test images stay what they are.""",
    try_next="""
        Give the network ten times as many images to learn from. How much do shifts and turns still change, and how
        much do flips still harm?""",
)
