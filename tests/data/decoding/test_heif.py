"""HEIC photos, where pillow-heif is installed: as phones write them, within the limits, and never half decoded."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.decoding.decode import decode, read_header
from tellapart.data.decoding.decode_limits import Limits, decoding_memory
from tellapart.data.decoding.formats import SUFFIXES, format_of
from tellapart.errors import ImageError

pillow_heif: Any = pytest.importorskip("pillow_heif")

Y, X = np.mgrid[0:96, 0:128]
SCENE = np.stack([X * 2, Y * 2, 255 * (X < 32)], -1).astype(np.uint8)


def saved(image: Image.Image, **options: object) -> bytes:
    pillow_heif.register_heif_opener()
    stream = io.BytesIO()
    image.save(stream, "HEIF", quality=95, **options)
    return stream.getvalue()


def far(image: ImageArray, other: ImageArray) -> float:
    assert image.shape == other.shape
    return float(np.abs(image.astype(int) - other).mean())


def test_a_photo_comes_close() -> None:
    content = saved(Image.fromarray(SCENE))
    assert format_of(content) == "HEIF"
    assert far(decode(content), SCENE) < 4
    assert (read_header(content).format, read_header(content).frames) == ("HEIF", 1)
    assert ".heic" in SUFFIXES


def test_a_photo_of_tiles_as_of_an_iphone_comes_close() -> None:
    assert far(decode(saved(Image.fromarray(SCENE), tile_size=64)), SCENE) < 4


def test_transparency_is_white() -> None:
    clear = Image.fromarray(np.dstack([SCENE, np.zeros_like(SCENE[:, :, :1])]))
    assert decode(saved(clear)).min() > 250


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photo_comes_out_upright_once(orientation: int) -> None:
    turned = {1: SCENE, 3: SCENE[::-1, ::-1], 6: np.rot90(SCENE), 8: np.rot90(SCENE, -1)}[orientation]
    image = Image.fromarray(np.ascontiguousarray(turned))
    image.getexif()[0x0112] = orientation  # written as a rotation of the container, which is what counts
    assert far(decode(saved(image)), SCENE) < 4


def test_it_keeps_to_the_limits() -> None:
    content = saved(Image.fromarray(SCENE))
    with pytest.raises(ImageError, match="128 x 96 pixels, at most 12,287 in all"):
        decode(content, limits=Limits(pixels=128 * 96 - 1))
    with Image.open(io.BytesIO(content)) as image:
        assert 7 <= decoding_memory(image, content) / image.width / image.height <= 16


def test_cut_anywhere_it_is_refused() -> None:
    content = saved(Image.fromarray(SCENE))
    for length in range(20, len(content) - 30, len(content) // 40):
        with pytest.raises(ImageError):
            decode(content[:length])


def test_altered_it_is_an_image_or_refused() -> None:
    content, rng = saved(Image.fromarray(SCENE), tile_size=64), np.random.default_rng(0)
    for _ in range(200):
        changed = bytearray(content)
        for at in rng.integers(8, len(content), 3):
            changed[at] = rng.integers(256)
        try:
            assert decode(bytes(changed), limits=Limits(pixels=1_000_000)).dtype == np.uint8
        except ImageError as error:
            assert str(error)  # noqa: PT017
