"""BMP bit fields: as Pillow reads those layouts that it knows, and all others by their masks."""

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.decoding.bmp_bitfields import decode_bit_fields, read_bit_fields
from tellapart.data.decoding.decode import decode, read_header

RNG = np.random.default_rng(0)


def bmp(
    masks: tuple[int, ...], bits: int, values: NDArray[np.int64], *, header: int = 108, upwards: bool = True
) -> bytes:
    """Write a BMP of values, (height, width), as shown. Source: Windows GDI, BITMAPV4HEADER."""
    height, width = values.shape
    stride = (width * bits + 31) // 32 * 4
    rows = values[::-1] if upwards else values
    pixels = b"".join(row.astype(f"<u{bits // 8}").tobytes().ljust(stride, b"\0") for row in rows)
    fields = struct.pack("<4I", *masks, *[0] * (4 - len(masks)))[: 12 if header == 40 else 16]
    after = bytes(header - 40 - 16) if header > 40 else b""
    start = 14 + max(header, 40) + (12 if header == 40 else 0)
    sizes = struct.pack("<IiiHHIIiiII", header, width, height if upwards else -height, 1, bits, 3, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + sizes + fields + after + pixels


KNOWN_TO_PILLOW = [
    ((0xF800, 0x7E0, 0x1F), 16),
    ((0x7C00, 0x3E0, 0x1F), 16),
    ((0xFF0000, 0xFF00, 0xFF), 32),
    ((0xFF000000, 0xFF0000, 0xFF00), 32),
    ((0xFF, 0xFF00, 0xFF0000, 0xFF000000), 32),
    ((0xFF0000, 0xFF00, 0xFF, 0xFF000000), 32),
]


@pytest.mark.parametrize(("masks", "bits"), KNOWN_TO_PILLOW)
@pytest.mark.parametrize("header", [40, 108, 124])
@pytest.mark.parametrize("upwards", [True, False])
def test_layouts_that_pillow_knows_are_read_as_it_reads_them(
    masks: tuple[int, ...], bits: int, header: int, upwards: bool
) -> None:
    if header == 40 and len(masks) == 4:
        pytest.skip("this header has no transparency")
    content = bmp(masks, bits, RNG.integers(0, 2**bits, (6, 5)), header=header, upwards=upwards)
    fields = read_bit_fields(content)
    assert fields is not None
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_array_equal(decode_bit_fields(content, fields, 0, 6), np.asarray(image))


def test_other_layouts_are_read_by_their_masks() -> None:
    values = np.array([[0xF000 | 0xF00, 0xF000 | 0xF0], [0xF000 | 0xF, 0xFFFF]])
    image = decode(bmp((0xF00, 0xF0, 0xF, 0xF000), 16, values))
    assert image.tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]]
    ten = np.array([[0x3FF << 20, 512 << 10]])
    assert decode(bmp((0x3FF00000, 0xFFC00, 0x3FF), 32, ten)).tolist() == [[[255, 0, 0], [0, 127, 0]]]


def test_1_bit_of_alpha_shows_white() -> None:
    values = np.array([[0x8000 | 0x7C00, 0x7C00]])
    assert decode(bmp((0x7C00, 0x3E0, 0x1F, 0x8000), 16, values)).tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_a_large_image_is_the_same_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bmp((0xF00, 0xF0, 0xF), 16, RNG.integers(0, 2**12, (20, 7)))
    whole = decode(content)
    monkeypatch.setattr("tellapart.data.decoding.pixel_rows.STRIP_PIXELS", 30)
    np.testing.assert_array_equal(decode(content), whole)
    assert read_header(content).format == "BMP"


def test_other_bmps_have_no_bit_fields() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (3, 3)).save(stream, "BMP")
    assert read_bit_fields(stream.getvalue()) is None
    assert read_bit_fields(b"BM") is None
