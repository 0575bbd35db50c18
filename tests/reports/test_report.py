"""The content of a report: thumbnails and formatted values."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tellapart.errors import ImageError
from tellapart.judging.intervals import Estimate
from tellapart.reports.report import Explanation, NamedValue, Thumbnail, data_uri, named_estimate, thumbnail_jpeg


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((400, 300, 3), (72, 96)),
        ((60, 96, 1), (96, 60)),
        ((28, 28, 1), (84, 84)),  # enlarged three times
        ((1, 5000, 3), (96, 1)),
        ((1, 1, 3), (96, 96)),
    ],
)
def test_a_thumbnail_fits_its_square_and_keeps_its_shape(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    pil_image = opened(thumbnail_jpeg(np.zeros(shape, np.uint8)))
    assert (pil_image.format, pil_image.size) == ("JPEG", size)


def test_a_thumbnail_shows_the_image() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, 100:] = (250, 20, 20)
    pixels = np.asarray(opened(thumbnail_jpeg(image, 64))).astype(int)
    assert pixels.shape == (64, 64, 3)
    assert np.abs(pixels[:, :28]).max() < 30
    assert np.abs(pixels[:, 36:] - (250, 20, 20)).max() < 30


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_arrays_that_are_not_decoded_images_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 \(height, width, 1 or 3\)"):
        thumbnail_jpeg(image)


def test_a_data_uri_contains_the_bytes() -> None:
    kind, _, content = data_uri(b"\xff\xd8 bytes").partition(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(content) == b"\xff\xd8 bytes"


def test_an_estimate_is_formatted() -> None:
    assert named_estimate("Accuracy", Estimate(0.9247, 0.8934, 0.9481), "Share right.") == NamedValue(
        "Accuracy", "92.5%", "89.3% to 94.8%", "Share right."
    )
    assert named_estimate("Log-loss", Estimate(0.25, 0.2, 0.3), form=".3f").interval == "0.200 to 0.300"
    assert named_estimate("ROC-AUC", None) == NamedValue("ROC-AUC", "not defined")


@pytest.mark.parametrize(
    ("deletion", "insertion", "expected"),
    [(0.2, 0.8, False), (0.2, 0.4, False), (0.6, 0.8, False), (0.6, 0.4, True), (0.5, 0.5, True)],
)
def test_a_map_is_compared_with_a_random_one(deletion: float, insertion: float, expected: bool) -> None:
    thumb = Thumbnail("data:,", "a.jpg")
    explanation = Explanation(thumb, thumb, "dress", 0.9, deletion, 0.5, insertion, 0.5)
    assert explanation.no_better_than_random is expected
