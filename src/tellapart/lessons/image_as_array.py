"""Lesson: to a computer an image is an array of numbers, which can be averaged, subtracted and compared."""

from io import BytesIO

import numpy as np
from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.decoding.decode import decode
from tellapart.lessons.drawing import drawing, square
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings

CROP = 8  # rows and columns whose numbers are printed


def run(settings: Settings) -> Findings:
    """Print one image as numbers, save it in two file formats, and average the images of each class."""
    data = images("mnist", settings)
    image = data.train.images[0]
    png, jpeg = (decode(encoded(image, format)) for format in ("PNG", "JPEG"))

    # Numbers can be averaged: the mean image of each class...
    means = np.stack([data.train.pixels[data.train.labels == label].mean(axis=0) for label in range(len(data.classes))])
    # ...and subtracted: predict the class whose mean image is the nearest.
    test = data.test.take(slice(1_000))
    distances = ((test.pixels[:, np.newaxis] - means) ** 2).sum(axis=2)

    height, width = image.shape[:2]
    framed = np.pad(means.reshape(-1, height, width), ((0, 0), (1, 1), (1, 1)), constant_values=1)
    rows = [np.hstack(list(framed[start : start + 5])) for start in (0, 5)]
    results = {
        "data": data.name,
        "height": height,
        "width": width,
        "numbers": image.size,
        "lowest": int(image.min()),
        "highest": int(image.max()),
        "black": float(np.mean(image == 0)),
        "label": data.classes[data.train.labels[0]],
        "png": int(np.abs(png.astype(int) - image).max()),
        "jpeg": int(np.abs(jpeg.astype(int) - image).max()),
        "accuracy": float(np.mean(distances.argmin(axis=1) == test.labels)),
        "majority": float(np.bincount(test.labels).max() / len(test)),
        "test": len(test),
    }
    figures = (
        drawing(
            "An image as an array",
            "Each square is one number of the array: 0 is black and 255 is white.",
            square(f"{height} x {width} numbers", image[:, :, 0]),
        ),
        drawing(
            f"{CROP} x {CROP} of these numbers, from the middle",
            "The same squares with their numbers: a stroke is bright in its middle and has grey edges.",
            square(f"{CROP**2} of {image.size} numbers", centre(image), written=True),
        ),
        drawing(
            "The mean image of each class",
            "Each number is the mean over all images of the class at that position: nearly all writers drew on white "
            "pixels, some on grey ones.",
            square(f"{len(data.train):,} images in {len(means)} means", np.vstack(rows), height=240),
        ),
    )
    return Findings(results, figures)


def centre(image: ImageArray) -> ImageArray:
    """Crop the centre of a grey image."""
    top, left = ((side - CROP) // 2 for side in image.shape[:2])
    return image[top : top + CROP, left : left + CROP, 0]


def encoded(image: ImageArray, format: str) -> bytes:
    """Encode a grey image in a file format."""
    content = BytesIO()
    Image.fromarray(image[:, :, 0]).save(content, format)
    return content.getvalue()


LESSON = Lesson(
    name="image-as-array",
    question="What is an image to a computer?",
    needs="mnist",
    seconds=2,
    run=run,
    method="""
        We take the first image of {data} as an [array], save it as a PNG file and as a JPEG file, and read both again.
        Then we calculate with images: we average all images of each class, and predict for each of {test:,} test
        images the class whose mean image is the nearest.""",
    outcome="""
        The image has the [shape] ({height}, {width}, 1): {height} rows of {width} [pixels|pixel] with 1 [channel],
        that is {numbers} integers, here from {lowest} to {highest}; {black:.0%} of them are 0, black. A colour photo
        would have 3 channels, for red, green and blue. The array does not contain the digit that it shows: its
        [label], {label}, is stored separately.

        PNG returns the same numbers. JPEG, which saves space by leaving out what is hardly visible, changes some by up
        to {jpeg} of 255 levels.

        By averages and differences alone, {accuracy:.1%} of the test images are predicted correctly; always predicting
        the most frequent class would get {majority:.1%}.""",
    claims=(
        Claim("PNG changes no number: the largest change is {png}.",
              lambda results: results["png"] == 0),
        Claim("JPEG changes some numbers: the largest change is {jpeg}.",
              lambda results: results["jpeg"] > 0),
        Claim("Distances between arrays distinguish digits: the accuracy is {accuracy:.1%}, more than five times the "
              "{majority:.1%} of the most frequent class.",
              lambda results: results["accuracy"] > 5 * results["majority"]),
    ),
    conclusion="""
        To a computer an image is an array of numbers. Every model, from averages to deep networks, calculates with
        these numbers and knows nothing else about the image.""",
    try_next="""
        Shift every test image by two pixels to the right (`np.roll`). How much does the accuracy fall, and why do
        people hardly notice the shift?""",
)  # fmt: skip
