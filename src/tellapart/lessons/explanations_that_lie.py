"""Lesson: an explanation can look right and say nothing about the model; a faithfulness score shows the difference.

Sources: Ribeiro et al., "Why should I trust you?" (2016); Adebayo et al., Sanity checks for saliency maps (2018).
"""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart import Bundle, Recipe, train
from tellapart.bundles.compile import compile_bundle
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.pipeline import BATCH
from tellapart.explaining.centred_logits import Heat, rescale
from tellapart.explaining.faithfulness import RANDOM_MAPS, faithfulness, upsample
from tellapart.explaining.methods import explainer
from tellapart.explaining.overlay import overlay
from tellapart.lessons.backbones import joined_names, outputs, scattered
from tellapart.lessons.drawing import PERCENT, bars, drawing, image_rows
from tellapart.lessons.images import Part, as_dataset, images, of_classes
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

CHOSEN = np.array([0, 2, 4, 6])  # four classes, one for each corner: the most similar clothes
DOT, LEVEL, AWAY = 2, 200, 1  # the mark: pixels a side, grey level, and pixels between it and the edges
CELLS = {"occlusion": (9, 9), "bright": (4, 4)}  # of a map
MAPS = {"occlusion": "by occlusion", "bright": "by brightness"}


def run(settings: Settings) -> Findings:
    """Train with and without a mark that reveals the class, evaluate both, and explain the first by two maps."""
    data = images("fashion-mnist", settings)
    rng = np.random.default_rng(settings.seed)
    part, test = (scattered(of_classes(split, CHOSEN).take(slice(2_400)), rng) for split in (data.train, data.test))
    tests = {"with the mark": marked(test, 0), "without the mark": test, "wrong corner": marked(test, 1)}
    with tempfile.TemporaryDirectory() as folder:
        shortcut = trained(marked(part, 0), Path(folder) / "shortcut", settings)
        control = trained(part, Path(folder) / "control", settings)
        scores, control_scores = ([accuracy(bundle, part) for part in tests.values()] for bundle in (shortcut, control))
        sample = tests["with the mark"].take(slice(settings.of(40, small=12)))
        heats, beaten = explained(shortcut, sample)

    results = {
        "data": data.name,
        "classes": joined_names(data.classes, CHOSEN),
        "n": len(part),
        "test": len(test),
        "explained": len(sample),
        "dot": DOT,
        "level": LEVEL,
        "random": RANDOM_MAPS,
        "at_random": 1 / len(CHOSEN),
        **dict(zip(("marked", "bare", "wrong"), scores, strict=True)),
        "control_bare": control_scores[1],
        **{f"{name}_at_mark": at_mark(heats[name], sample.labels) for name in MAPS},
        **{f"{name}_trusted": float(np.mean(np.equal(beaten[name], RANDOM_MAPS))) for name in MAPS},
    }
    first = sample.images[:4]
    rows = {"image": first} | {MAPS[name]: np.stack(list(map(overlay, first, heats[name]))) for name in MAPS}
    figures = (
        drawing(
            "Accuracy with and without the mark",
            "For a model that does not use the mark all three scores are similar.",
            bars(f"{results['marked']:.1%} with the mark, {results['bare']:.1%} without", "accuracy", list(tests),
                 {"trained with it": scores, "without": control_scores}, form=".1%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "Two saliency maps for the model trained with the mark",
            "Yellow marks what a map finds important. One map is computed with the model, the other without.",
            image_rows(f"at the mark: {results['occlusion_at_mark']:.0%}, {results['bright_at_mark']:.0%}", rows),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def marked(part: Part, off: int) -> Part:
    """Put a small grey mark in the corner that belongs to the class, or `off` corners further."""
    changed = part.images.copy()
    for image, label in zip(changed, part.labels, strict=True):
        down, right = divmod((int(label) + off) % len(CHOSEN), 2)
        flipped = image[:: -1 if down else 1, :: -1 if right else 1]  # a view that begins in that corner
        flipped[AWAY : AWAY + DOT, AWAY : AWAY + DOT] = LEVEL
    return Part(changed, part.labels)


def trained(part: Part, folder: Path, settings: Settings) -> Bundle:
    """Train a small convolutional network on two thirds of the images."""
    sixth, third = len(part) // 6, len(part) // 3
    splits = {"validation": slice(sixth), "test": slice(sixth, third), "train": slice(third, None)}
    classes = tuple(str(label) for label in range(len(CHOSEN)))
    dataset = as_dataset("marks", classes, **{name: part.take(indices) for name, indices in splits.items()})
    recipe = Recipe(model="lenet5", epochs=settings.of(8, small=18), learning_rate=2e-3, seed=settings.seed)
    return train(dataset, recipe, out=folder).bundle


def accuracy(bundle: Bundle, part: Part) -> float:
    """Return the accuracy of a classifier."""
    return float(np.mean(outputs(compile_bundle(bundle, batch=BATCH), part.images).argmax(axis=1) == part.labels))


def explained(bundle: Bundle, part: Part) -> tuple[dict[str, list[Heat]], dict[str, list[int]]]:
    """Map each image by occlusion and by brightness, and count the random maps that each of these beats."""
    occlusion, runner = explainer(bundle, "occlusion"), compile_bundle(bundle, batch=BATCH)
    heats, beaten = {name: list[Heat]() for name in MAPS}, {name: list[int]() for name in MAPS}
    for image in part.images:
        explanation = occlusion.explain(image, check=False)
        bright = rescale(upsample(brightness(image), *image.shape[:2]))
        for name, heat in (("occlusion", explanation.heat), ("bright", bright)):
            score = faithfulness(runner, image, heat, bundle.classes.index(explanation.label), cells=CELLS[name])
            heats[name].append(heat)
            beaten[name].append(score.beaten)
    return heats, beaten


def brightness(image: ImageArray) -> Heat:
    """Return the brightness of each large cell of an image, without any model."""
    pil_image = Image.fromarray(image[:, :, 0].astype(np.float32))
    return np.asarray(pil_image.resize(CELLS["bright"], Image.Resampling.BOX))


def at_mark(heats: list[Heat], labels: NDArray[np.integer]) -> float:
    """Return the share of maps whose maximum is in the quarter of the image that has the mark."""
    rows, columns = np.transpose([np.unravel_index(heat.argmax(), heat.shape) for heat in heats])
    side = len(heats[0])
    return float(np.mean(2 * (2 * rows // side) + 2 * columns // side == labels))


LESSON = Lesson(
    name="explanations-that-lie",
    question="Can an explanation be misleading?",
    needs="fashion-mnist",
    seconds=7,
    run=run,
    method="""
        We take images of four classes of {data}, {classes}, put each at a random position of a black square, and add a
        [shortcut]: a mark of {dot} x {dot} grey pixels in a corner, a different corner for each class. A small
        [convolutional network|convolution] is trained on {n:,} such images, and a second one on the same images
        without marks. We evaluate both on {test:,} test images: with the mark, without it, and with the mark of
        another class.

        Then we explain the predictions of the first network for {explained} marked images by two [saliency
        maps|saliency map]. One hides one position after the other and measures how much the class loses. The other
        shows where the image is bright: it never runs the network, so it would be the same if the network's weights
        were random.""",
    outcome="""
        With the mark the [accuracy] is {marked:.1%}, and a [test set] collected in the same way would never reveal the
        problem. Without the mark it is {bare:.1%}, and with the mark in a wrong corner {wrong:.1%}. The images
        themselves can be learned: the network trained without marks reaches {control_bare:.1%}.

        The occlusion map has its maximum in the quarter with the mark for {occlusion_at_mark:.0%} of the images, the
        brightness map for {bright_at_mark:.0%}, where a random position would get {at_random:.0%}. The brightness map
        shows the object in the image, which is what people expect to see. tellapart scores a map by how the prediction
        changes when the important positions are blurred, or are all that remains, against {random} random maps, and
        trusts a map that beats them all. It trusts the occlusion map for {occlusion_trusted:.0%} of the images, the
        brightness map for {bright_trusted:.0%}.""",
    claims=(
        Claim("A high accuracy hides the shortcut: {marked:.1%} with the mark, {bare:.1%} without.",
              lambda results: results["marked"] > 0.9 and results["marked"] - results["bare"] > 0.15),
        Claim("The mark decides: with the mark in a wrong corner the accuracy is {wrong:.1%}.",
              lambda results: results["wrong"] < results["bare"]),
        Claim("The images can be learned without marks: the accuracy is then {control_bare:.1%}.",
              lambda results: results["control_bare"] > results["bare"]),
        Claim("The occlusion map points at the mark in {occlusion_at_mark:.0%} of the images; the brightness map in "
              "{bright_at_mark:.0%}.",
              lambda results: results["occlusion_at_mark"] > max(0.6, results["bright_at_mark"] + 0.2)),
        Claim("Scores distinguish the two maps: {occlusion_trusted:.0%} and {bright_trusted:.0%} are trusted.",
              lambda results: results["occlusion_trusted"] > results["bright_trusted"] + 0.2),
    ),
    conclusion="""
        A plausible map may show what is in the image rather than what the model uses; some published methods draw much
        the same map for random weights. Ask of any map whether it would change if the model did. `tellapart explain
        BUNDLE photo.jpg` scores every map against random ones and reports when it is meaningless. A good score on
        images that were collected together proves little: look at what the model uses, and evaluate it on images from
        another source.""",
    try_next="""
        Make the mark fainter (`LEVEL`). At which grey level does the network stop using it, and can you still see
        it?""",
)  # fmt: skip
