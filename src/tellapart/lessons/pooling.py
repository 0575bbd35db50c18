"""Lesson: pooling keeps how strongly a feature is present, and loses some of its position.

Sources: Scherer et al., Evaluation of pooling operations (2010), for maxima and means; Zhang, Making convolutional
networks shift-invariant again (2019), for shifts by less than a window.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tellapart.backend import load_keras
from tellapart.lessons.drawing import PERCENT, drawing, lines, square, tiles
from tellapart.lessons.images import Part, images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

PADDED = {8: 16, 28: 32}  # the side of an image in pixels, without and with a black border that lets all windows fit
WINDOW = 4  # the window that the text describes
KINDS = ("max", "average")

Maps = NDArray[np.float32]
"""float32 (n, height, width, channels)."""


def run(settings: Settings) -> Findings:
    """Pool edge maps by hand and by the layer, then measure the effect of windows of all sizes."""
    data = images("mnist", settings)
    train, test = data.train.take(slice(settings.of(2_000, small=500))), data.test.take(slice(1_000))
    side, shift = PADDED[test.images.shape[1]], test.images.shape[1] // 8
    windows = [2**power for power in range(side.bit_length())]
    learned, plain, by_one, shifted = edges(train), edges(test), edges(test, 1), edges(test, shift)

    difference = {kind: np.abs(pooled(plain, WINDOW, kind) - by_layer(plain, kind)).max() for kind in KINDS}
    changes: dict[str, list[float]] = {kind: [] for kind in KINDS}
    accuracy: dict[str, list[float]] = {f"{kind}{name}": [] for kind in KINDS for name in ("", ", shifted")}
    for kind in KINDS:
        for window in windows:
            rows = [pooled(maps, window, kind).reshape(len(maps), -1) for maps in (learned, plain, by_one, shifted)]
            changes[kind].append(change(rows[1], rows[2]))
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000, tol=1e-3))
            model.fit(rows[0], train.labels)
            accuracy[kind].append(float(model.score(rows[1], test.labels)))
            accuracy[f"{kind}, shifted"].append(float(model.score(rows[3], test.labels)))

    whole = pad(test)
    rotated = windows_of(whole, WINDOW)[:, :, ::-1, :, ::-1].reshape(whole.shape)
    chosen = windows.index(WINDOW)
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "window": WINDOW,
        "window_pixels": WINDOW**2,
        "shift": shift,
        "side": side,
        **{f"{kind}_difference": float(difference[kind]) for kind in KINDS},
        "rotated_change": float(np.mean((whole != rotated)[(whole > 0) | (rotated > 0)])),
        "rotated_max_change": float(np.abs(pooled(whole, WINDOW, "max") - pooled(rotated, WINDOW, "max")).max()),
        "plain_change": changes["max"][0],
        **{f"{kind}_change": changes[kind][chosen] for kind in KINDS},
        "plain": accuracy["max"][0],
        "plain_shifted": accuracy["max, shifted"][0],
        **{f"{kind}_accuracy": accuracy[kind][chosen] for kind in KINDS},
        **{f"{kind}_shifted": accuracy[f"{kind}, shifted"][chosen] for kind in KINDS},
        **{f"{kind}_all": accuracy[kind][-1] for kind in KINDS},
    }
    large = pooled(whole[:1], WINDOW, "max").repeat(WINDOW, axis=1).repeat(WINDOW, axis=2)
    sizes = ("side of the window in pixels", np.log2(windows))
    across = {"tickvals": np.log2(windows).tolist(), "ticktext": [str(window) for window in windows]}
    figures = (
        drawing(
            "An image, the same with each window rotated, and the result of max pooling for both",
            "On the right is the maximum of each window, which is the same for both images: its position is lost.",
            square("after pooling", tiles(np.concatenate([whole[:1], rotated[:1], large])[..., 0], 3), height=200),
        ),
        drawing(
            "The change of the numbers when the image is shifted by one pixel",
            "Relative to their size. A window of one pixel is no pooling; the largest covers the whole image.",
            lines(f"{changes['max'][0]:.2f} without pooling, {changes['max'][chosen]:.2f} with {WINDOW} x {WINDOW}",
                  sizes, "change", changes, across=across, rangemode="tozero"),
        ),
        drawing(
            "Accuracy after pooling",
            "On original and on shifted test images. Larger windows tolerate a shift, until they lose too much.",
            lines(f"shifted by {shift} of {side} pixels, and not", sizes, "accuracy", accuracy, across=across,
                  range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def pad(part: Part) -> Maps:
    """Pad images, in [0, 1], with black."""
    border = (PADDED[part.images.shape[1]] - part.images.shape[1]) // 2
    whole: Maps = np.pad(part.images / np.float32(255), ((0, 0), (border, border), (border, border), (0, 0)))
    return whole


def edges(part: Part, shift: int = 0) -> Maps:
    """Compute four maps of each image, shifted to the right: where it gets lighter or darker, across and down."""
    whole = np.roll(pad(part), shift, axis=2)
    across, down = (np.roll(whole, -1, axis=axis) - whole for axis in (2, 1))
    maps: Maps = np.maximum(np.concatenate([across, -across, down, -down], axis=3), 0)
    return maps


def windows_of(maps: Maps, window: int) -> Maps:
    """Divide maps into windows: (n, rows, window, columns, window, channels)."""
    n, height, width, channels = maps.shape
    return maps.reshape(n, height // window, window, width // window, window, channels)


def pooled(maps: Maps, window: int, kind: str) -> Maps:
    """Return the maximum, or the mean, of each window."""
    windows = windows_of(maps, window)
    result: Maps = windows.max(axis=(2, 4)) if kind == "max" else windows.mean(axis=(2, 4))
    return result


def by_layer(maps: Maps, kind: str) -> Maps:
    """Pool by Keras's layer."""
    load_keras()
    from keras.layers import AveragePooling2D, MaxPooling2D

    return np.asarray((MaxPooling2D if kind == "max" else AveragePooling2D)(WINDOW)(maps))


def change(before: Maps, after: Maps) -> float:
    """Return the relative change of each row of numbers, averaged over rows."""
    return float(np.mean(np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)))


LESSON = Lesson(
    name="pooling",
    question="What does pooling do, and what does it cost?",
    needs="mnist",
    seconds=5,
    run=run,
    method="""
        Four [feature maps|feature map] of each image of {data} show where it gets lighter or darker, across and down.
        [Pooling|pooling] replaces each window of a map by its maximum or its mean. We do this by hand and by the
        library's layer, and shift the image by one [pixel]. Then a [logistic regression] is trained on {n:,} images
        after pooling with windows of every size, and evaluated on {test:,} test images, original and shifted by
        {shift} of {side} pixels.""",
    outcome="""
        The results by hand agree with the layer within {max_difference:.1g} for maxima and {average_difference:.1g}
        for means. Pooling has no parameters, and a window of {window} x {window} leaves one number of {window_pixels}.
        It loses the position: rotating each window of an image changes {rotated_change:.0%} of the numbers that are
        not black, and the maxima by {rotated_max_change:.0f}.

        After a shift by one pixel, maxima change by {max_change:.2f} of their size and means by {average_change:.2f};
        without pooling, the numbers change by {plain_change:.2f}.

        Without pooling the [accuracy] is {plain:.1%}, and {plain_shifted:.1%} on shifted images. With windows of
        {window} x {window} it is {max_accuracy:.1%} and {max_shifted:.1%} for maxima, {average_accuracy:.1%} and
        {average_shifted:.1%} for means. With the whole image as one window it is {max_all:.1%} and {average_all:.1%},
        shifted or not: position is lost completely.""",
    claims=(
        Claim("Maxima by hand agree within {max_difference:.1g}, means within {average_difference:.1g}.",
              lambda results: max(results["max_difference"], results["average_difference"]) < 1e-6),
        Claim("Rotating windows changes {rotated_change:.0%} of the numbers, maxima by {rotated_max_change:.0f}.",
              lambda results: results["rotated_change"] > 0.5 and results["rotated_max_change"] == 0),
        Claim("A shift by one pixel changes pooled numbers less than half as much, but not by 0: {max_change:.2f} and "
              "{average_change:.2f} against {plain_change:.2f}.",
              lambda results: 0 < max(results["max_change"], results["average_change"])
              < 0.5 * results["plain_change"]),
        Claim("Pooling helps on shifted images: {max_shifted:.1%} and {average_shifted:.1%}, not {plain_shifted:.1%}.",
              lambda results: min(results["max_shifted"], results["average_shifted"])
              > results["plain_shifted"] + 0.02),
        Claim("Too much pooling harms: one window leaves {max_all:.1%} and {average_all:.1%} of {plain:.1%}.",
              lambda results: max(results["max_all"], results["average_all"]) < results["plain"] - 0.2),
    ),
    conclusion="""
        Pooling trades position for robustness and for less arithmetic. Small shifts matter less, but still matter.
        tellapart's cnn takes maxima after each of three [convolutions|convolution]; a pre-trained backbone ends with
        the mean of each map.""",
    try_next="""
        Shift the training images too, each by a different number of pixels. Is the best window still the same?""",
)  # fmt: skip
