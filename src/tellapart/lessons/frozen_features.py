"""Lesson: a frozen backbone needs to run once per image, because the features never change, to the last bit."""

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

SIDE = 150  # pixels of a photo: half of Xception's usual size takes a quarter of the time
EPOCHS, MORE_EPOCHS = 5, 45


def run(settings: Settings) -> Findings:
    """Train one head on features that are recomputed in each epoch, and one on features computed once."""
    load_keras()
    case = case_of(settings, side=SIDE, photos_each=500, few=200)
    x, labels, classes = case.learned.images, case.learned.labels, np.unique(case.learned.labels)
    engine = case.backbone.engine  # compiled for this machine
    test_features = outputs(engine, case.test.images)

    started = time.process_time()
    cached = outputs(engine, x)
    recomputed_seconds, cached_seconds = [0.0], [time.process_time() - started]
    scale = np.linalg.norm(cached, axis=1).mean()
    recomputed_head, cached_head, different = head(settings), head(settings), 0
    rng = np.random.default_rng(settings.seed)
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        started = time.process_time()
        recomputed = outputs(engine, x[order])
        recomputed_head.partial_fit(recomputed / scale, labels[order], classes)
        recomputed_seconds.append(recomputed_seconds[-1] + time.process_time() - started)

        started = time.process_time()
        cached_head.partial_fit(cached[order] / scale, labels[order], classes)
        cached_seconds.append(cached_seconds[-1] + time.process_time() - started)
        different += count_different(recomputed, cached[order])
    different_weights = count_different(recomputed_head.coef_, cached_head.coef_)
    early = cached_head.score(test_features / scale, case.test.labels)

    # With cached features many more epochs take hardly any time.
    started = time.process_time()
    for _ in range(MORE_EPOCHS):
        cached_head.partial_fit(cached / scale, labels)
    more_seconds = time.process_time() - started
    mirrored = outputs(engine, np.ascontiguousarray(x[:, :, ::-1]))

    results = {
        "data": case.data,
        "backbone": case.backbone.name,
        "before": case.before,
        "n": len(x),
        "test": len(case.test),
        "width": cached.shape[1],
        "epochs": EPOCHS,
        "more": MORE_EPOCHS,
        "numbers": EPOCHS * cached.size,
        "different": different,
        "different_weights": different_weights,
        "weights": cached_head.coef_.size,
        "mirrored_same": int(np.all(mirrored == cached, axis=1).sum()),
        "recomputed_seconds": recomputed_seconds[-1],
        "cached_seconds": cached_seconds[-1],
        "ratio": recomputed_seconds[-1] / cached_seconds[-1],
        "more_seconds": more_seconds,
        "early": float(early),
        "late": float(cached_head.score(test_features / scale, case.test.labels)),
        "on_pixels": on_pixels(case, settings),
        "majority": float(np.bincount(case.test.labels).max() / len(case.test)),
    }
    figures = (
        drawing(
            "Training time",
            "With recomputed features every epoch takes one pass of the backbone over all images; with cached features "
            "only the start does.",
            lines(f"{results['ratio']:.1f} times as long", ("epoch", range(EPOCHS + 1)), "seconds",
                  {"recomputed in every epoch": recomputed_seconds, "computed once": cached_seconds},
                  across={"dtick": 1}, rangemode="tozero"),
        ),
        drawing(
            "The accuracy of a linear head",
            "The test accuracy of the same kind of head on the pixels and on the features of the backbone.",
            bars(f"{results['late']:.1%} on the features", "accuracy",
                 ["on pixels", f"features, {EPOCHS} epochs", f"features, {EPOCHS + MORE_EPOCHS} epochs"],
                 {"accuracy": [results["on_pixels"], results["early"], results["late"]]},
                 form=".1%", range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def head(settings: Settings) -> SGDClassifier:
    """Create a linear model that is trained image by image, and predicts with the mean of its weights so far."""
    return SGDClassifier(loss="log_loss", learning_rate="constant", eta0=1.0, average=True, random_state=settings.seed)


def count_different(first: NDArray[Any], second: NDArray[Any]) -> int:
    """Count the numbers that differ in any bit."""
    bits = f"uint{8 * first.dtype.itemsize}"
    return int(np.sum(np.ascontiguousarray(first).view(bits) != np.ascontiguousarray(second).view(bits)))


def on_pixels(case: Case, settings: Settings) -> float:
    """Return the accuracy of the same kind of head on pixels; large photos are subsampled."""
    step = -(-case.learned.images.shape[1] // 30)
    x, test_x = (Part(part.images[:, ::step, ::step], part.labels).pixels for part in (case.learned, case.test))
    scale, model, classes = np.linalg.norm(x, axis=1).mean(), head(settings), np.unique(case.learned.labels)
    for _ in range(EPOCHS + MORE_EPOCHS):
        model.partial_fit(x / scale, case.learned.labels, classes)
    return float(model.score(test_x / scale, case.test.labels))


LESSON = Lesson(
    name="frozen-features",
    question="How often must a frozen backbone run on an image?",
    needs="clothing",
    seconds=33,
    run=run,
    method="""
        The [backbone] is {backbone}, which was trained on {before} and does not change any more: it is [frozen|frozen
        backbone]. It turns an image into {width:,} numbers, its [features|feature]. A linear [head], a [logistic
        regression], is trained on the features of {n:,} images of {data} for {epochs} [epochs|epoch], each in a
        different order. One head gets features that the backbone recomputes in every epoch. The other gets features
        that it computed once, before training. We compare the features, the weights of the two heads, and the time.""",
    outcome="""
        Of {numbers:,} recomputed features, {different} differ in any bit from those computed once, though each image
        was in a different batch in each epoch. So the two heads have the same weights: {different_weights} of
        {weights:,} differ. With the backbone in every epoch training took {recomputed_seconds:.2f} s of processor
        time, with features computed once {cached_seconds:.2f} s.

        After {epochs} epochs the head has an [accuracy] of {early:.1%} on {test:,} test images. Another {more} epochs
        on the cached features take {more_seconds:.2f} s, and it reaches {late:.1%}; on pixels the same kind of head
        reaches {on_pixels:.1%}, and always predicting the most frequent class {majority:.1%}.

        A changed image has different features: of {n:,} mirrored images, {mirrored_same} have the features of the
        original.""",
    claims=(
        Claim("The features are the same in every epoch, to the last bit: {different} of {numbers:,} differ.",
              lambda results: results["different"] == 0),
        Claim("So are the heads: {different_weights} of {weights:,} weights differ.",
              lambda results: results["different_weights"] == 0),
        Claim("Computing features once is faster: {cached_seconds:.2f} s instead of {recomputed_seconds:.2f} s.",
              lambda results: results["ratio"] > 1.5),
        Claim("A linear head is more accurate on features than on pixels: {late:.1%} against {on_pixels:.1%}.",
              lambda results: results["late"] > results["on_pixels"]),
        Claim("Changing the image changes the features: {mirrored_same} of {n:,} mirrored images have the same.",
              lambda results: results["mirrored_same"] < 0.05 * results["n"]),
    ),
    conclusion="""
        A frozen backbone is a function of the image, so one run over each image is enough for any number of epochs,
        heads, folds and searches. tellapart does this by default: it caches the features by the content of the image,
        and `tellapart features PHOTOS --model xception` computes them beforehand. Caching ends where images change:
        with augmentation each changed image must be run, so tellapart draws a few variants of each and caches those.
        It also ends where the backbone is trained.""",
    try_next="""
        Run the backbone with batch normalization in training mode (`network(x, training=True)` in Keras). Do the
        features of an image still not depend on the rest of its batch?""",
)  # fmt: skip
