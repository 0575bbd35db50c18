"""Can an explanation lie? A map can look right and know nothing of the model, which may be right for a wrong reason.

Sources: Ribeiro et al., "Why should I trust you?" (2016); Adebayo et al., Sanity checks for saliency maps (2018).
"""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart import Bundle, Recipe, train
from tellapart.bundles.compile import compile_bundle
from tellapart.data.image import ImageArray
from tellapart.data.pipeline import BATCH
from tellapart.explaining.centred_logits import Heat, rescale
from tellapart.explaining.faithfulness import RANDOM_MAPS, faithfulness, upsample
from tellapart.explaining.methods import explainer
from tellapart.explaining.overlay import overlay
from tellapart.lessons.backbones import joined_names, outputs, scattered
from tellapart.lessons.drawing import PERCENT, bars, drawing, image_rows
from tellapart.lessons.images import Part, as_dataset, images, of_classes
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

CHOSEN = np.array([0, 2, 4, 6])  # four classes, one for each corner; of the clothes those that are most alike
DOT, LEVEL, AWAY = 2, 200, 1  # the mark: pixels a side, grey level, and pixels between it and the edges
CELLS = {"hidden": (9, 9), "bright": (4, 4)}  # of a map
MAPS = {"hidden": "by hiding", "bright": "by brightness"}


def run(settings: Settings) -> Findings:
    """Train with and without a mark that gives the class away, judge both, and explain the one by two maps."""
    data = images("fashion-mnist", settings)
    rng = np.random.default_rng(settings.seed)
    part, test = (scattered(of_classes(one, CHOSEN).take(slice(2_400)), rng) for one in (data.train, data.test))
    tests = {"with the mark": marked(test, 0), "without it": test, "wrong corner": marked(test, 1)}
    with tempfile.TemporaryDirectory() as folder:
        fooled = trained(marked(part, 0), Path(folder) / "fooled", settings)
        honest = trained(part, Path(folder) / "honest", settings)
        right, control = ([accuracy(bundle, kind) for kind in tests.values()] for bundle in (fooled, honest))
        shown = tests["with the mark"].take(slice(settings.of(40, small=12)))
        heats, beaten = explained(fooled, shown)

    results = {
        "data": data.name,
        "classes": joined_names(data.classes, CHOSEN),
        "n": len(part),
        "test": len(test),
        "explained": len(shown),
        "dot": DOT,
        "level": LEVEL,
        "random": RANDOM_MAPS,
        "blindly": 1 / len(CHOSEN),
        **dict(zip(("marked", "bare", "wrong"), right, strict=True)),
        "control_bare": control[1],
        **{f"{name}_at_mark": at_mark(heats[name], shown.labels) for name in MAPS},
        **{f"{name}_trusted": float(np.mean(np.equal(beaten[name], RANDOM_MAPS))) for name in MAPS},
    }
    some = shown.images[:4]
    rows = {"image": some} | {MAPS[name]: np.stack(list(map(overlay, some, heats[name]))) for name in MAPS}
    figures = (
        drawing(
            "Accuracy with and without the mark",
            "The longer a bar, the more are told right. To a model that does not use the mark all three are alike.",
            bars(f"{results['marked']:.1%} with the mark, {results['bare']:.1%} without", "accuracy", list(tests),
                 {"learned with the mark": right, "learned without": control}, form=".1%", range=[0, 1], **PERCENT),
        ),
        drawing(
            "Two maps of the model that learned with the mark",
            "Yellow is what a map says the answer hangs on. One map asks the model, the other asks nobody.",
            image_rows(f"{results['hidden_at_mark']:.0%} and {results['bright_at_mark']:.0%} point at the mark", rows),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def marked(part: Part, off: int) -> Part:
    """The same images with a small grey mark in the corner of their class, or `off` corners further."""
    changed = part.images.copy()
    for one, label in zip(changed, part.labels, strict=True):
        down, right = divmod((int(label) + off) % len(CHOSEN), 2)
        first = one[:: -1 if down else 1, :: -1 if right else 1]  # seen so that the corner is the first
        first[AWAY : AWAY + DOT, AWAY : AWAY + DOT] = LEVEL
    return Part(changed, part.labels)


def trained(part: Part, folder: Path, settings: Settings) -> Bundle:
    """A small convolutional network that has learned these images."""
    held, rest = len(part) // 6, len(part) // 3
    splits = {"validation": slice(held), "test": slice(held, rest), "train": slice(rest, None)}
    classes = tuple(str(label) for label in range(len(CHOSEN)))
    dataset = as_dataset("marks", classes, **{name: part.take(which) for name, which in splits.items()})
    recipe = Recipe(model="lenet5", epochs=settings.of(8, small=18), learning_rate=2e-3, seed=settings.seed)
    return train(dataset, recipe, out=folder).bundle


def accuracy(bundle: Bundle, part: Part) -> float:
    """The share of images that a classifier tells right."""
    return float(np.mean(outputs(compile_bundle(bundle, batch=BATCH), part.images).argmax(axis=1) == part.labels))


def explained(bundle: Bundle, part: Part) -> tuple[dict[str, list[Heat]], dict[str, list[int]]]:
    """Each image's map by hiding and map of brightness, and how many random maps each of these beats."""
    ask, runner = explainer(bundle, "occlusion"), compile_bundle(bundle, batch=BATCH)
    heats, beaten = {name: list[Heat]() for name in MAPS}, {name: list[int]() for name in MAPS}
    for image in part.images:
        told = ask.explain(image, check=False)
        bright = rescale(upsample(brightness(image), *image.shape[:2]))
        for name, heat in (("hidden", told.heat), ("bright", bright)):
            score = faithfulness(runner, image, heat, bundle.classes.index(told.label), cells=CELLS[name])
            heats[name].append(heat)
            beaten[name].append(score.beaten)
    return heats, beaten


def brightness(image: ImageArray) -> Heat:
    """How bright each large cell of an image is: no model is asked."""
    pil_image = Image.fromarray(image[:, :, 0].astype(np.float32))
    return np.asarray(pil_image.resize(CELLS["bright"], Image.Resampling.BOX))


def at_mark(heats: list[Heat], labels: NDArray[np.integer]) -> float:
    """The share of maps whose highest place is in the quarter of the image that has the mark."""
    places = [np.unravel_index(heat.argmax(), heat.shape) for heat in heats]
    quarters = [
        2 * (2 * row // len(heat)) + 2 * column // len(heat) for (row, column), heat in zip(places, heats, strict=True)
    ]
    return float(np.mean(quarters == labels))


LESSON = Lesson(
    name="explanations-that-lie",
    question="Can an explanation lie?",
    needs="fashion-mnist",
    seconds=7,
    run=run,
    method="""
        We take images of four classes of {data}, {classes}, each at a random place of a black square, and plant a
        [shortcut]: a mark of {dot} x {dot} grey pixels stands in a corner, another corner for each class. A small
        [convolutional network|convolution] learns {n:,} such images, and a second one the same without marks. We
        judge both on {test:,} new images: with the mark, without it, and with the mark of another class.

        Then we ask why the first network answers as it does, by two [maps|saliency map] of {explained} marked
        images. One hides a place after the other and notes what the class loses. The other shows where the image
        is bright: it never asks the network, so that it would be the same if the network's weights were random.""",
    outcome="""
        With the mark the network tells {marked:.1%} right, and a [test set] collected in the same way would never show
        that anything is wrong. Without the mark it tells {bare:.1%}, and with the mark in a wrong corner
        {wrong:.1%}. It could have learned the images: the network that saw no marks tells {control_bare:.1%}.

        The map made by hiding is highest in the quarter with the mark in {hidden_at_mark:.0%} of images. The map of
        brightness is so in {bright_at_mark:.0%}, where pointing blindly would get {blindly:.0%}: it shows the thing
        in the image, which is what a person hopes to see. tellapart scores a map by what becomes of the answer when
        the places that it marks are blurred, or are all that is left, against {random} random maps, and trusts a map
        that beats them all. The map made by hiding is trusted in {hidden_trusted:.0%} of images, the other in
        {bright_trusted:.0%}.""",
    claims=(
        Claim("A high accuracy hides the shortcut: {marked:.1%} with the mark, {bare:.1%} without.",
              lambda results: results["marked"] > 0.9 and results["marked"] - results["bare"] > 0.15),
        Claim("It is the mark that decides: in a wrong corner {wrong:.1%} are right.",
              lambda results: results["wrong"] < results["bare"]),
        Claim("Without marks there is something to learn: {control_bare:.1%}.",
              lambda results: results["control_bare"] > results["bare"]),
        Claim("An honest map points at the mark, in {hidden_at_mark:.0%} of images; the other in "
              "{bright_at_mark:.0%}.",
              lambda results: results["hidden_at_mark"] > max(0.6, results["bright_at_mark"] + 0.2)),
        Claim("Scores tell the two apart: trusted are {hidden_trusted:.0%} and {bright_trusted:.0%}.",
              lambda results: results["hidden_trusted"] > results["bright_trusted"] + 0.2),
    ),
    conclusion="""
        A map that looks sensible proves nothing: it may show what is in the image, not what the model uses, and some
        published methods were found to draw much the same map when the weights were random. Ask of any map whether it
        would change if the model did.
        `tellapart explain BUNDLE photo.jpg` scores every map against random ones and says so when it is meaningless.
        And a good score on images that were collected in one go proves less than it seems: look where the model
        looks, and judge it on images from somewhere else.""",
    try_next="""
        Make the mark fainter (`LEVEL`). Down to which grey level does the network rely on it, and do you see it?""",
)  # fmt: skip
