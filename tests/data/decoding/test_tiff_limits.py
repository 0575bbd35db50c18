"""TIFF: what microscopes, scanners and cameras write is read, its first page, and what is not is named."""

import io
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.decoding.decode import decode, read_header
from tellapart.data.decoding.tiff_limits import MAX_PAGES, check_tiff, count_pages
from tellapart.errors import ImageError

RNG = np.random.default_rng(0)
WIDE = RNG.integers(0, 65536, (9, 7), dtype=np.uint16)
PIXELS = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)


def saved(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "TIFF", **options)
    return stream.getvalue()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[:, :, 0], WIDE])
def test_8_and_16_bits_are_read_in_each_compression(compression: str | None, pixels: NDArray[np.generic]) -> None:
    image = decode(saved(Image.fromarray(pixels), compression=compression))
    narrow = pixels if pixels.dtype == np.uint8 else WIDE >> 8
    np.testing.assert_array_equal(image.reshape(narrow.shape), narrow)


def test_big_endian_and_bigtiff_are_read() -> None:
    big = Image.frombytes("I;16B", (7, 9), WIDE.astype(">u2").tobytes())
    np.testing.assert_array_equal(decode(saved(big))[:, :, 0], WIDE >> 8)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(PIXELS), big_tiff=True)), PIXELS)
    assert count_pages(saved(Image.fromarray(PIXELS), big_tiff=True)) == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_each_mode_is_read_as_pillow_converts_it(mode: str) -> None:
    image = Image.fromarray(PIXELS).convert(mode)
    grey = mode in ("1", "L", "LA")
    np.testing.assert_array_equal(
        decode(saved(image)).squeeze(), np.asarray(image.convert("L" if grey else "RGB")).squeeze()
    )


def test_jpeg_in_tiff_comes_close() -> None:
    smooth = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (1, 64, 3)))
    image = decode(saved(smooth, compression="jpeg", quality=95))
    assert np.abs(image.astype(int) - np.asarray(smooth)).mean() < 3


def test_the_first_page_is_read_and_pages_are_counted() -> None:
    pages = [Image.new("L", (4, 4), value) for value in (10, 20, 30)]
    content = saved(pages[0], save_all=True, append_images=pages[1:])
    assert decode(content)[0, 0].tolist() == [10]
    assert count_pages(content) == read_header(content).frames == 3


def test_pages_are_counted_up_to_a_limit() -> None:
    page = Image.new("1", (1, 1))
    content = saved(page, save_all=True, append_images=[page] * 5)
    assert count_pages(content) == 6
    assert MAX_PAGES == 1000
    assert count_pages(content[: len(content) // 2]) >= 1
    assert count_pages(b"II*\0") == 1


def test_what_programs_write_passes() -> None:
    check_tiff(saved(Image.fromarray(PIXELS), tiffinfo={270: "a" * 9000}))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.fromarray(WIDE.astype(np.float32)), "a TIFF of 32-bit fractions is not read: scale them"),
        (Image.fromarray(WIDE.astype(np.int32)), "a TIFF of 32-bit signed whole numbers is not read"),
    ],
)
def test_values_of_unknown_range_are_refused(image: Image.Image, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(saved(image))


def test_zstandard_is_named() -> None:
    with pytest.raises(ImageError, match="compressed with Zstandard is not read, but LZW, JPEG, deflate, PackBits are"):
        decode(saved(Image.fromarray(PIXELS), compression="zstd"))


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"II+\0"])
def test_a_stump_is_refused_or_left_to_the_decoder(start: bytes) -> None:
    for length in range(30):
        for filling in (b"\0", b"\1", b"\xff"):
            with suppress(ImageError):
                check_tiff(start + filling * length)
            assert count_pages(start + filling * length) == 1


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_damaged_files_print_nothing(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    content = saved(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)), compression=compression)
    refused = 0
    for at in range(8, len(content) - 300, len(content) // 50):
        try:
            decode(content[:at] + bytes([content[at] ^ 0xFF]) * 9 + content[at + 9 :])
        except ImageError:
            refused += 1
    assert refused
    assert capfd.readouterr() == ("", "")
