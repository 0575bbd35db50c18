"""The pixels of an export: every step in words, an image with its expected probabilities, and a reference in Python."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tellapart.bundles.bundle import Bundle
from tellapart.data.decoding.conversion import MAX_VALUE
from tellapart.data.preprocessing import Preprocessing
from tellapart.exporting import reference
from tellapart.exporting.parity import bundle_probabilities

TEST_IMAGE, REFERENCE = "test-image.png", "reference.py"
TEST_SIZE = (171, 123)  # pixels, neither square nor a multiple of anything
BOXES = {
    "crop": "the largest centred box with the proportions of the input, {unit}",
    "stretch": "the whole image, whatever its proportions",
    "pad": "the whole image in its own proportions, centred between black borders",
}
FILTERS = {
    "pillow-bicubic": ("Pillow's bicubic (a = -0.5)", True, "with fractions of a pixel"),
    "keras-bilinear": ("bilinear between the four nearest pixels, half-pixel centres", False, "in whole pixels"),
    "keras-nearest": ("the nearest pixel, as Pillow takes it", False, "in whole pixels"),
}

IN_THE_GRAPH = ["box", "filter", "antialiasing", "rounding", "scaling", "unchanged"]
DIFFERENCES = {
    "pillow-bicubic": "weights are float32, those of Pillow have 22 bits: up to 2 numbers of 1,000 differ, by 1 of 255",
    "keras-bilinear": "nothing: the same arithmetic in float32",
    "keras-nearest": "nothing in float64; LiteRT and OpenVINO compute positions in float32, and may take another pixel "
    "where a position is exactly between two",
}


def describe_pixels(preprocessing: Preprocessing) -> dict[str, Any]:
    """Name every step from a file to the input of the graph, in order."""
    name, antialiased, unit = FILTERS[preprocessing.resize]
    low, high = preprocessing.range or (None, None)
    return {
        "orientation": "as EXIF says, before anything else",
        "jpeg": "fast integer DCT, fancy upsampling" if preprocessing.conversion.fast_jpeg else "accurate integer DCT",
        "16 bits": "the high byte" if low is None else f"{low} becomes 0 and {high} 255 (of {MAX_VALUE}), rounded",
        "alpha": f"laid on {preprocessing.alpha}" + " (grey of 128)" * (preprocessing.alpha == "mean"),
        "channels": "RGB, grey repeated" if preprocessing.channels == 3 else "grey: 0.299 R + 0.587 G + 0.114 B",
        "box": BOXES[preprocessing.fit].format(unit=unit),
        "filter": name,
        "antialiasing": antialiased,
        "rounding": "to the nearest of 0 to 255; Pillow rounds after columns and again after rows, or the other way "
        "round where the image loses more than twice as many rows as columns",
        "scaling": "none: the graph takes uint8 and scales it itself",
        "unchanged": "an image that already has the input's height and width is not resized",
    }


def describe_resizing(preprocessing: Preprocessing) -> dict[str, Any]:
    """Tell which steps an export for images of any size takes itself, and how its pixels may differ from those."""
    return {
        "in the graph": IN_THE_GRAPH,
        "before the graph": [step for step in describe_pixels(preprocessing) if step not in IN_THE_GRAPH],
        "differs": DIFFERENCES[preprocessing.resize],
        "precision": "run it in float32: the graph has positions of pixels, which bfloat16 and float16 cannot hold",
    }


def write_pixel_recipe(bundle: Bundle, folder: Path) -> dict[str, Any]:
    """Write the test image and the reference beside an export; returns what `export.json` says of them."""
    (folder / REFERENCE).write_text(Path(reference.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    make_test_image().save(folder / TEST_IMAGE)
    image = bundle.preprocessing.of_bytes((folder / TEST_IMAGE).read_bytes())
    (probabilities,) = bundle_probabilities(bundle, image[np.newaxis])
    return {
        "pixels": describe_pixels(bundle.preprocessing),
        "test_image": {"file": TEST_IMAGE, "probabilities": [round(float(value), 6) for value in probabilities]},
        "reference": REFERENCE,
    }


def make_test_image() -> Image.Image:
    """Make soft coloured shapes with noise, in part transparent: RGBA. The same each time."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)).resize(
        TEST_SIZE, Image.Resampling.BICUBIC
    )
    noisy = np.clip(np.asarray(coarse) + rng.normal(0, 12, (*TEST_SIZE[::-1], 3)), 0, 255).astype(np.uint8)
    alpha = np.linspace(64, 400, TEST_SIZE[0]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([noisy, np.broadcast_to(alpha, TEST_SIZE[::-1])]))


def embedded_metadata(bundle: Bundle) -> dict[str, str]:
    """Return what a file that is copied alone has to say itself: class names and pixels, as JSON."""
    return {
        "classes": json.dumps(bundle.classes, ensure_ascii=False),
        "preprocessing": json.dumps(bundle.preprocessing.as_json()),
    }
