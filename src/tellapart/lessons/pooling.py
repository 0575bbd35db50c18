"""What does pooling do? It keeps how strongly something is there, and forgets a little of where.

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

FRAMED = {8: 16, 28: 32}  # the side of an image in pixels, and with the black around it that lets all windows fit
CHOSEN = 4  # the window that the text speaks of
KINDS = ("max", "average")

Maps = NDArray[np.float32]
"""float32 (n, height, width, channels)."""


def run(settings: Settings) -> Findings:
    """Pool edge maps by hand and by the layer, then see what windows of all sizes keep, forgive and lose."""
    data = images("mnist", settings)
    train, test = data.train.take(slice(settings.of(2_000, small=500))), data.test.take(slice(1_000))
    side, aside = FRAMED[test.images.shape[1]], test.images.shape[1] // 8
    windows = [2**power for power in range(side.bit_length())]
    learned, plain, by_one, shifted = edges(train), edges(test), edges(test, 1), edges(test, aside)

    unlike = {kind: np.abs(pooled(plain, CHOSEN, kind) - by_layer(plain, kind)).max() for kind in KINDS}
    moved: dict[str, list[float]] = {kind: [] for kind in KINDS}
    right: dict[str, list[float]] = {f"{kind}{name}": [] for kind in KINDS for name in ("", ", shifted")}
    for kind in KINDS:
        for window in windows:
            rows = [pooled(maps, window, kind).reshape(len(maps), -1) for maps in (learned, plain, by_one, shifted)]
            moved[kind].append(change(rows[1], rows[2]))
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000, tol=1e-3))
            model.fit(rows[0], train.labels)
            right[kind].append(float(model.score(rows[1], test.labels)))
            right[f"{kind}, shifted"].append(float(model.score(rows[3], test.labels)))

    whole = framed(test)
    turned = windows_of(whole, CHOSEN)[:, :, ::-1, :, ::-1].reshape(whole.shape)
    place = windows.index(CHOSEN)
    results = {
        "data": data.name,
        "n": len(train),
        "test": len(test),
        "window": CHOSEN,
        "left": CHOSEN**2,
        "aside": aside,
        "side": side,
        **{f"{kind}_unlike": float(unlike[kind]) for kind in KINDS},
        "mixed": float(np.mean((whole != turned)[(whole > 0) | (turned > 0)])),
        "mixed_max": float(np.abs(pooled(whole, CHOSEN, "max") - pooled(turned, CHOSEN, "max")).max()),
        "moved": moved["max"][0],
        **{f"{kind}_moved": moved[kind][place] for kind in KINDS},
        "plain": right["max"][0],
        "plain_shifted": right["max, shifted"][0],
        **{f"{kind}_right": right[kind][place] for kind in KINDS},
        **{f"{kind}_shifted": right[f"{kind}, shifted"][place] for kind in KINDS},
        **{f"{kind}_all": right[kind][-1] for kind in KINDS},
    }
    large = pooled(whole[:1], CHOSEN, "max").repeat(CHOSEN, axis=1).repeat(CHOSEN, axis=2)
    sizes = ("side of the window in pixels", np.log2(windows))
    across = {"tickvals": np.log2(windows).tolist(), "ticktext": [str(window) for window in windows]}
    figures = (
        drawing(
            "An image, the same with each window turned round, and what max pooling makes of both",
            "On the right is what is left of either: the greatest number of each window. Where it was is lost.",
            square("pooled to the same", tiles(np.concatenate([whole[:1], turned[:1], large])[..., 0], 3), height=200),
        ),
        drawing(
            "How far the numbers move when the image moves by one pixel",
            "In relation to how large they are. A window of one pixel is no pooling; the largest is all of an image.",
            lines(f"{moved['max'][0]:.2f} without pooling, {moved['max'][place]:.2f} with {CHOSEN} x {CHOSEN}", sizes,
                  "change", moved, across=across, rangemode="tozero"),
        ),
        drawing(
            "What is told right after pooling",
            "New images as they are, and shifted. Larger windows forgive a shift, until they forget too much.",
            lines(f"shifted by {aside} of {side} pixels, and not", sizes, "accuracy", right, across=across,
                  range=[0, 1], **PERCENT),
        ),
    )  # fmt: skip
    return Findings(results, figures)


def framed(part: Part) -> Maps:
    """The images, in [0, 1], with black around them."""
    around = (FRAMED[part.images.shape[1]] - part.images.shape[1]) // 2
    whole: Maps = np.pad(part.images / np.float32(255), ((0, 0), (around, around), (around, around), (0, 0)))
    return whole


def edges(part: Part, shift: int = 0) -> Maps:
    """Four maps of each image, shifted to the right: where it gets lighter or darker, across and down."""
    whole = np.roll(framed(part), shift, axis=2)
    across, down = (np.roll(whole, -1, axis=axis) - whole for axis in (2, 1))
    maps: Maps = np.maximum(np.concatenate([across, -across, down, -down], axis=3), 0)
    return maps


def windows_of(maps: Maps, window: int) -> Maps:
    """Maps cut into windows: (n, rows, window, columns, window, channels)."""
    n, height, width, channels = maps.shape
    return maps.reshape(n, height // window, window, width // window, window, channels)


def pooled(maps: Maps, window: int, kind: str) -> Maps:
    """The greatest, or the mean, of each window."""
    windows = windows_of(maps, window)
    result: Maps = windows.max(axis=(2, 4)) if kind == "max" else windows.mean(axis=(2, 4))
    return result


def by_layer(maps: Maps, kind: str) -> Maps:
    """The same by Keras's layer."""
    load_keras()
    from keras.layers import AveragePooling2D, MaxPooling2D

    return np.asarray((MaxPooling2D if kind == "max" else AveragePooling2D)(CHOSEN)(maps))


def change(before: Maps, after: Maps) -> float:
    """How far each row of numbers moves, in relation to how long it is; the mean over rows."""
    return float(np.mean(np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)))


LESSON = Lesson(
    name="pooling",
    question="What does pooling do, and what does it cost?",
    needs="mnist",
    seconds=5,
    run=run,
    method="""
        Four [feature maps|feature map] of each image of {data} say where it gets lighter or darker, across and
        down. [Pooling|pooling] puts one number in the place of each window of such a map: the greatest, or the mean.
        We do it by hand and by the library's layer, and shift the image by one [pixel]. Then a [logistic regression]
        learns {n:,} images after pooling with windows of every size, and is judged on {test:,} new ones, as they are
        and shifted by {aside} of {side} pixels.""",
    outcome="""
        By hand we get what the layer gives, within {max_unlike:.1g} for maxima and {average_unlike:.1g} for means.
        Nothing is learned for it, and a window of {window} x {window} leaves one number of {left}, which makes all
        that follows so much cheaper. What is lost is the place: with each window of an image turned round,
        {mixed:.0%} of the numbers that are not black differ, and the maxima by {mixed_max:.0f}.

        After a shift by one pixel, maxima change by {max_moved:.2f} of their size and means by {average_moved:.2f};
        without pooling, the numbers change by {moved:.2f}.

        Without pooling {plain:.1%} are told right, and {plain_shifted:.1%} of shifted images. With windows of
        {window} x {window} it is {max_right:.1%} and {max_shifted:.1%} by maxima, {average_right:.1%} and
        {average_shifted:.1%} by means. With the whole image as one window, it is {max_all:.1%} and
        {average_all:.1%} of both alike: whatever is anywhere is known, and no longer where.""",
    claims=(
        Claim("By hand and by the layer, maxima agree within {max_unlike:.1g} and means within {average_unlike:.1g}.",
              lambda results: max(results["max_unlike"], results["average_unlike"]) < 1e-6),
        Claim("Turning windows round changes {mixed:.0%} of the numbers, and their maxima by {mixed_max:.0f}.",
              lambda results: results["mixed"] > 0.5 and results["mixed_max"] == 0),
        Claim("A shift by one pixel changes pooled numbers less than half as much, but it does: {max_moved:.2f} and "
              "{average_moved:.2f} against {moved:.2f}.",
              lambda results: 0 < max(results["max_moved"], results["average_moved"]) < 0.5 * results["moved"]),
        Claim("More shifted images are told right with pooling: {max_shifted:.1%} and {average_shifted:.1%} against "
              "{plain_shifted:.1%}.",
              lambda results:
              min(results["max_shifted"], results["average_shifted"]) > results["plain_shifted"] + 0.02),
        Claim("Too much of it costs: one window for all leaves {max_all:.1%} and {average_all:.1%} of {plain:.1%}.",
              lambda results: max(results["max_all"], results["average_all"]) < results["plain"] - 0.2),
    ),
    conclusion="""
        Pooling trades place for calm, and for less work. Shifts still matter, but small ones matter less. tellapart's
        cnn takes maxima after each of three [convolutions|convolution], and so forgets place bit by bit; a pre-trained
        base ends in the mean of each map.""",
    try_next="""
        Shift the training images too, each by another number of pixels (`np.roll`). How much of what pooling forgave
        is now learned, and is the best window still the same?""",
)  # fmt: skip
