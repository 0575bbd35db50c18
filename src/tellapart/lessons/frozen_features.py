"""How often must a frozen base see an image? Once: what it says of an image never changes, to the last bit."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier

from tellapart.backend import load_keras
from tellapart.lessons.backbones import Case, case_of, outputs
from tellapart.lessons.drawing import PERCENT, bars, drawing, lines
from tellapart.lessons.images import Part
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

SIDE = 150  # pixels of a photo: at half of Xception's own size it takes a quarter of the time
EPOCHS, FURTHER = 5, 45


def run(settings: Settings) -> Findings:
    """Train one head on features that are computed anew in each epoch, and one on features computed once."""
    load_keras()
    case = case_of(settings, side=SIDE, photos_each=500, few=200)
    x, labels, classes = case.learned.images, case.learned.labels, np.unique(case.learned.labels)
    engine = case.base.engine  # the base, made ready for this machine
    held = outputs(engine, case.test.images)

    started = time.process_time()
    known = outputs(engine, x)
    anew_seconds, once_seconds = [0.0], [time.process_time() - started]
    unit = np.linalg.norm(known, axis=1).mean()
    anew, once, different = head(settings), head(settings), 0
    rng = np.random.default_rng(settings.seed)
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        started = time.process_time()
        again = outputs(engine, x[order])
        anew.partial_fit(again / unit, labels[order], classes)
        anew_seconds.append(anew_seconds[-1] + time.process_time() - started)

        started = time.process_time()
        once.partial_fit(known[order] / unit, labels[order], classes)
        once_seconds.append(once_seconds[-1] + time.process_time() - started)
        different += differing(again, known[order])
    apart, early = differing(anew.coef_, once.coef_), once.score(held / unit, case.test.labels)

    # What the kept features are good for: many more epochs, in hardly any time.
    started = time.process_time()
    for _ in range(FURTHER):
        once.partial_fit(known / unit, labels)
    further_seconds = time.process_time() - started
    turned = outputs(engine, np.ascontiguousarray(x[:, :, ::-1]))

    results = {
        "data": case.data,
        "base": case.base.name,
        "before": case.before,
        "n": len(x),
        "test": len(case.test),
        "width": known.shape[1],
        "epochs": EPOCHS,
        "further": FURTHER,
        "numbers": EPOCHS * known.size,
        "different": different,
        "apart": apart,
        "weights": once.coef_.size,
        "turned_same": int(np.all(turned == known, axis=1).sum()),
        "anew_seconds": anew_seconds[-1],
        "once_seconds": once_seconds[-1],
        "ratio": anew_seconds[-1] / once_seconds[-1],
        "further_seconds": further_seconds,
        "early": float(early),
        "late": float(once.score(held / unit, case.test.labels)),
        "on_pixels": on_pixels(case, settings),
        "chance": float(np.bincount(case.test.labels).max() / len(case.test)),
    }
    figures = (
        drawing(
            "The time that training takes",
            "The line that runs the base in every epoch climbs by one pass over all images each time; the other "
            "begins with one such pass and then hardly climbs.",
            lines(f"{results['ratio']:.1f} times as long", ("epoch", range(EPOCHS + 1)), "seconds of computing",
                  {"base run in every epoch": anew_seconds, "base run once": once_seconds},
                  across={"dtick": 1}, rangemode="tozero"),
        ),
        drawing(
            "What a linear head reaches",
            "The longer a bar, the more of the new images are told right. The same kind of head stands on the pixels "
            "themselves and on what the base makes of them.",
            bars(f"{results['late']:.1%} on the features", "accuracy",
                 ["on pixels", f"features, {EPOCHS} epochs", f"features, {EPOCHS + FURTHER} epochs"],
                 {"accuracy": [results["on_pixels"], results["early"], results["late"]]},
                 form=".1%", range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def head(settings: Settings) -> SGDClassifier:
    """A linear model that learns image by image, and answers by the mean of its weights so far."""
    return SGDClassifier(loss="log_loss", learning_rate="constant", eta0=1.0, average=True, random_state=settings.seed)


def differing(some: NDArray[Any], others: NDArray[Any]) -> int:
    """How many numbers differ in any of their bits."""
    whole = f"uint{8 * some.dtype.itemsize}"
    return int(np.sum(np.ascontiguousarray(some).view(whole) != np.ascontiguousarray(others).view(whole)))


def on_pixels(case: Case, settings: Settings) -> float:
    """The accuracy of a head of the same kind on the pixels, of which large photos give a part."""
    step = -(-case.learned.images.shape[1] // 30)
    x, held = (Part(part.images[:, ::step, ::step], part.labels).pixels for part in (case.learned, case.test))
    unit, model, classes = np.linalg.norm(x, axis=1).mean(), head(settings), np.unique(case.learned.labels)
    for _ in range(EPOCHS + FURTHER):
        model.partial_fit(x / unit, case.learned.labels, classes)
    return float(model.score(held / unit, case.test.labels))


LESSON = Lesson(
    name="frozen-features",
    question="How often must a frozen base see an image?",
    needs="clothing",
    seconds=33,
    run=run,
    method="""
        The base is {base}, which has learned {before}, and does not change any more: it is [frozen|frozen base]. It
        turns an image into {width:,} numbers, its [features|feature]. On these stands a linear [head], a [logistic
        regression], which learns {n:,} images of {data} in {epochs} [epochs|epoch], each in another order. One head
        is given features that the base computes anew in every epoch. The other is given features that it computed
        once, before training began. We compare the features, the weights of the two heads, and the time.""",
    outcome="""
        Of {numbers:,} features that were computed anew, {different} differ in any bit from those computed once,
        though each image had other neighbours in each epoch. So the two heads have the same weights: {apart} of
        {weights:,} differ. Running the base in every epoch took {anew_seconds:.2f} s of computing, running
        it once {once_seconds:.2f} s.

        After {epochs} epochs the head tells {early:.1%} of {test:,} new images right. Another {further} epochs on
        the kept features take {further_seconds:.2f} s, and it tells {late:.1%}; on pixels the same kind of head gets
        {on_pixels:.1%}, and always naming the commonest class {chance:.1%}.

        Another image has other features: of {n:,} mirror images, {turned_same} have those of their image.""",
    claims=(
        Claim("The features are the same in every epoch, to the last bit: {different} of {numbers:,} differ.",
              lambda results: results["different"] == 0),
        Claim("So are the heads: {apart} of {weights:,} weights differ.",
              lambda results: results["apart"] == 0),
        Claim("Once is quicker: {once_seconds:.2f} s in place of {anew_seconds:.2f} s.",
              lambda results: results["ratio"] > 1.5),
        Claim("A linear head tells more from the features than from the pixels: {late:.1%} against {on_pixels:.1%}.",
              lambda results: results["late"] > results["on_pixels"]),
        Claim("What changes the image changes the features: {turned_same} of {n:,} mirror images kept theirs.",
              lambda results: results["turned_same"] < 0.05 * results["n"]),
    ),
    conclusion="""
        A frozen base is a function of the image, so one run over each image is enough for any number of epochs,
        heads, folds and searches. tellapart does so by itself: it keeps the features by the content of the image,
        and `tellapart features PHOTOS --model xception` computes them beforehand. It ends where images change:
        with augmentation each changed image has to be run, so tellapart draws a few for each and keeps those; and
        it ends where the base is trained on.""",
    try_next="""
        Let the base answer in batch normalisation's other way, as if it were training (`network(x, training=True)` in
        Keras). Does an image then still have the same features whatever its neighbours are?""",
)  # fmt: skip
