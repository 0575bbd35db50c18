"""What is an image to a computer? An array of numbers, with which one can calculate."""

from io import BytesIO

import numpy as np
from PIL import Image

from tellapart.data.image import ImageArray, decode
from tellapart.lessons.drawing import drawing, square
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

SHOWN = 8  # rows and columns whose numbers are written


def run(settings: Settings) -> Findings:
    """Look at one image, send it through two file formats, and average the images of each class."""
    data = images("mnist", settings)
    one = data.train.images[0]
    png, jpeg = (decode(as_file(one, form)) for form in ("PNG", "JPEG"))

    # Numbers can be averaged: the mean image of each class...
    means = np.stack([data.train.pixels[data.train.labels == label].mean(axis=0) for label in range(len(data.classes))])
    # ...and subtracted: an image is of the class whose mean is the least far away.
    test = data.test.take(slice(1_000))
    distances = ((test.pixels[:, np.newaxis] - means) ** 2).sum(axis=2)

    height, width = one.shape[:2]
    framed = np.pad(means.reshape(-1, height, width), ((0, 0), (1, 1), (1, 1)), constant_values=1)
    rows = [np.hstack(list(framed[start : start + 5])) for start in (0, 5)]
    results = {
        "data": data.name,
        "height": height,
        "width": width,
        "numbers": one.size,
        "least": int(one.min()),
        "largest": int(one.max()),
        "black": float(np.mean(one == 0)),
        "label": data.classes[data.train.labels[0]],
        "png": int(np.abs(png.astype(int) - one).max()),
        "jpeg": int(np.abs(jpeg.astype(int) - one).max()),
        "right": float(np.mean(distances.argmin(axis=1) == test.labels)),
        "chance": float(np.bincount(test.labels).max() / len(test)),
        "test": len(test),
    }
    figures = (
        drawing(
            "One image as its numbers",
            "Each square is one number of the array: 0 is black and 255 is white.",
            square(f"{height} x {width} numbers", one[:, :, 0]),
        ),
        drawing(
            f"{SHOWN} x {SHOWN} of these numbers, from the middle",
            "The same squares with the numbers that they are: a line is light where it was pressed and has grey edges.",
            square(f"{SHOWN**2} of {one.size} numbers", middle(one), written=True),
        ),
        drawing(
            "The mean image of each class",
            "Each number is the mean of the numbers at the same place in all images of the class: what is white was "
            "drawn on by nearly all writers, what is grey by some.",
            square(f"{len(data.train):,} images in {len(means)} means", np.vstack(rows), height=240),
        ),
    )
    return Findings(results, figures)


def middle(image: ImageArray) -> ImageArray:
    """The numbers in the middle of a grey image."""
    top, left = ((side - SHOWN) // 2 for side in image.shape[:2])
    return image[top : top + SHOWN, left : left + SHOWN, 0]


def as_file(image: ImageArray, form: str) -> bytes:
    """The bytes of a file with the image in it."""
    content = BytesIO()
    Image.fromarray(image[:, :, 0]).save(content, form)
    return content.getvalue()


LESSON = Lesson(
    name="image-as-array",
    question="What is an image to a computer?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        We take the first image of {data} and look at it as an [array]. We save it as a PNG file and as a JPEG file
        and read both again. Then we calculate with images: we average all of a class, and take each of {test:,} new
        images for the class whose mean image is the least far away.""",
    outcome="""
        The image has the [shape] ({height}, {width}, 1): {height} rows of {width} [pixels|pixel] with 1 [channel],
        that is {numbers} whole numbers, here from {least} to {largest}; {black:.0%} of them are 0, black. A photo in
        colour would have 3 channels, for red, green and blue. Nothing in the array says which digit it shows: that it
        is {label} is its [label], which is kept beside it.

        PNG gave back the same numbers. JPEG, which saves room by leaving out what an eye hardly sees, changed some by
        up to {jpeg} of 255 levels.

        Only by averages and differences, {right:.1%} of the new images are told right; always naming the commonest
        class would get {chance:.1%}.""",
    claims=(
        Claim("PNG changes no number: the largest change is {png}.", lambda results: results["png"] == 0),
        Claim("JPEG changes some: the largest change is {jpeg}.", lambda results: results["jpeg"] > 0),
        Claim(
            "Distances between arrays tell digits apart: {right:.1%} right, more than five times the {chance:.1%} of a "
            "guess.",
            lambda results: results["right"] > 5 * results["chance"],
        ),
    ),
    conclusion="""
        To a computer an image is numbers at places. Whatever learns from images, from averages to deep networks,
        calculates with these numbers and knows nothing else.""",
    try_next="""
        Shift every new image by two pixels to the right (`np.roll`). How much of the accuracy is left, and why does
        a person not mind?""",
)
