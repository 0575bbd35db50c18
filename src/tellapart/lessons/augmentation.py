"""Lesson: augmentation helps where it makes images that could occur, and harms where it does not.

Source: Simard, Steinkraus and Platt, Best practices for convolutional neural networks applied to visual document
analysis (2003), which augments digits by shifts, rotations and elastic distortions.
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
from tellapart.text import points

POLICIES = {
    "original": "",
    "shifts and rotations": "shift=0.1,rotate=10",
    "vertical flips": "flip=vertical",
}
COLUMNS = 8  # images of each policy
Pair = tuple[Evaluation, Evaluation]
"""Evaluations on the original test images and on slightly moved ones."""


def run(settings: Settings) -> Findings:
    """Train a network without augmentation, with shifts and rotations, and with vertical flips; compare them."""
    data = images("mnist", settings)
    learned, test = data.train.take(slice(settings.of(500, small=200))), data.test.take(slice(200, 4_000))
    moved_test = Part(changed(test, POLICIES["shifts and rotations"], settings.seed), test.labels)
    trained = [evaluations(data, learned, test, moved_test, policy, settings) for policy in POLICIES.values()]
    (plain, plain_off), (moved, moved_off), (flipped, _) = trained
    gain, harm = difference(moved, plain).accuracy_difference, difference(flipped, plain).accuracy_difference

    recalls = [[scores.recall.value if scores.recall else 0.0 for scores in evaluation.per_class]
               for evaluation in (plain, flipped)]  # fmt: skip
    worst = int(np.subtract(recalls[0], recalls[1]).argmax())
    results = {
        "data": data.name,
        "n": len(learned),
        "test": plain.n,
        "units": settings.of(256, small=32),
        "moves": POLICIES["shifts and rotations"],
        "flips": POLICIES["vertical flips"],
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
            "Training images under each policy",
            f"Top: the original images. Middle: the same with {POLICIES['shifts and rotations']}, bottom: with "
            f"{POLICIES['vertical flips']}, which flips about half of them. Every epoch draws new changes.",
            square("the same images under three policies", sheet(learned, settings.seed), height=180),
        ),
        drawing(
            "Test accuracy by augmentation of the training images",
            "The upper bar of each pair is for the original test images, the lower for the same images, each shifted "
            "and rotated a little.",
            bars(f"original images: {points(gain.value)} by shifts and rotations, {points(harm.value)} by flips",
                 "accuracy", list(POLICIES), {images_: [pair[number].accuracy.value for pair in trained]
                              for number, images_ in enumerate(("original", "moved"))},
                 form=".1%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "Recall of each digit with and without flips",
            "On the original test images. A digit that looks like itself when flipped, or like no other digit, suffers "
            "least.",
            bars(f"the {data.classes[worst]} loses most", "recall", data.classes,
                 dict(zip(("original", "vertical flips"), recalls, strict=True)), form=".0%", range=[0, 1],
                 **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def evaluations(data: Images, learned: Part, test: Part, moved_test: Part, policy: str, settings: Settings) -> Pair:
    """Train with an augmentation policy, and evaluate on the original and on the moved test images."""
    dataset = as_dataset(data.name, data.classes, train=learned, validation=data.test.take(slice(200)), test=test)
    recipe = Recipe(model="mlp", units=settings.of(256, small=32), augment=policy, epochs=settings.of(60, small=40),
                    patience=20, batch_size=16, learning_rate=1e-3, seed=settings.seed)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(dataset, recipe, out=Path(folder) / "run").bundle
        return evaluate(bundle, dataset), evaluate(bundle, as_dataset(data.name, data.classes, test=moved_test))


def difference(augmented: Evaluation, plain: Evaluation) -> Comparison:
    """Compare an evaluation with the one without augmentation, paired by image."""
    return compare(plain.labels, augmented.probs, plain.probs)


def changed(part: Part, policy: str, seed: int) -> NDArray[np.uint8]:
    """Augment each image once: uint8, of the same shape."""
    rng = np.random.default_rng(seed)
    return np.stack([augment(image, Augmentation.parse(policy), rng) for image in part.images])


def sheet(part: Part, seed: int) -> NDArray[np.floating]:
    """Arrange the first images, a row for each policy: float (rows * height, columns * width), white is 1."""
    rows = [changed(part.take(slice(COLUMNS)), policy, seed)[:, :, :, 0] / 255 for policy in POLICIES.values()]
    return np.vstack([np.hstack([np.pad(image, 1, constant_values=0.5) for image in row]) for row in rows])


LESSON = Lesson(
    name="augmentation",
    question="Does augmentation help?",
    needs="mnist",
    seconds=14,
    run=run,
    method="""
        We train the same network, with one hidden layer of {units} units, on {n} images of {data} three times: on the
        original images; with [augmentation] `{moves}`, which shifts each image by up to a tenth of its side and
        rotates it by up to ten degrees, differently in every [epoch]; and with `{flips}`, which flips each image
        vertically with probability one half. All three are evaluated on the same {test:,} test images, and again on
        those images after each was shifted and rotated a little.""",
    outcome="""
        On the original images the accuracy is {plain:.1%} without augmentation. With shifts and rotations it is
        {moved:.1%}, a difference of {gain:+.1p} ({gain_low:+.1p} to {gain_high:+.1p}, a paired 95 % [confidence
        interval]): {verdict}. With vertical flips it is {flipped:.1%}, a difference of {harm:+.1p} ({harm_low:+.1p} to
        {harm_high:+.1p}). The [recall] of the digit {worst} is {worst_plain:.0%} without flips and {worst_flipped:.0%}
        with them.

        On the moved images the network trained without augmentation reaches {plain_off:.1%}, the one trained with
        shifts and rotations {moved_off:.1%}.""",
    claims=(
        Claim(
            "Vertical flips harm: {harm:+.1p} ({harm_low:+.1p} to {harm_high:+.1p}) on the original images.",
            lambda results: results["harm"] < 0,
        ),
        Claim(
            "Training on moved images helps on moved images: {moved_off:.1%} instead of {plain_off:.1%}.",
            lambda results: results["moved_off"] > results["plain_off"],
        ),
    ),
    conclusion="""
        Augmentation tells a model which changes do not matter. It helps where that is true for future images and the
        few training images do not show it: MNIST's digits appear at slightly different positions in a wide frame. The
        digits of scikit-learn fill a frame of 8 pixels, where a shift cuts off and blurs more than it teaches. A
        flipped 2 is hardly a 2, while a mirrored shirt is still a shirt. Look at the augmented images with `tellapart
        augment`, and measure with `tellapart sweep --vary "augment=;shift=0.1;shift=0.1,rotate=10"`. tellapart
        augments training images only; validation and test images stay as they are.""",
    try_next="""
        Train on ten times as many images. How much do shifts and rotations still help, and how much do flips still
        harm?""",
)
