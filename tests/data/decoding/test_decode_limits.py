"""Limits: cost follows size, and large images are reduced in one way wherever they are decoded."""

import io

import numpy as np
import pytest
from PIL import Image

from tellapart.data.decoding import decode_limits
from tellapart.data.decoding.decode import decode
from tellapart.data.decoding.decode_limits import MAX_PIXELS, Limits, decoding_memory, own_limits, reduction
from tellapart.data.decoding.formats import FORMATS
from tellapart.errors import ImageError, TellapartError

SERVICE = Limits(pixels=50_000_000)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(height: int, width: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, 0 * x], -1).astype(np.uint8))


@pytest.mark.parametrize(
    ("size", "factor"),
    [((8000, 6250), 1), ((8001, 6250), 2), ((12_000, 9_000), 2), ((20_000, 10_000), 2), ((20_001, 10_000), 4),
     ((60_000, 60_000), 8)],
)  # fmt: skip
def test_an_image_is_reduced_by_its_size_alone(size: tuple[int, int], factor: int) -> None:
    assert reduction(*size) == factor


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "PPM", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_large_image_is_decoded_at_half_its_size(kind: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = gradient(61, 83).convert(mode)
    content = saved(image, kind, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}))
    monkeypatch.setattr(decode_limits, "REDUCED_ABOVE", 61 * 83 // 4 + 100)
    half = decode(content)
    assert half.shape == (31, 42, 3 if mode == "RGB" or kind == "WEBP" else 1)
    expected = np.asarray(image.reduce(2)).reshape(31, 42, -1)
    assert np.abs(half.astype(int) - expected).mean() < 3
    monkeypatch.setattr("tellapart.data.decoding.pixel_rows.STRIP_PIXELS", 200)  # in several strips
    np.testing.assert_array_equal(decode(content), half)
    assert np.array_equal(decode(content, limits=SERVICE), half)  # the same by every route


def test_a_large_camera_file_with_a_second_image_is_reduced_and_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(gradient(60, 80), "MPO", save_all=True, append_images=[gradient(60, 80)], exif=exif)
    monkeypatch.setattr(decode_limits, "REDUCED_ABOVE", 1500)
    assert decode(content).shape == (40, 30, 3)


def test_the_limit_on_pixels_of_own_files_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_limits() == Limits()
    monkeypatch.setenv(MAX_PIXELS, "300000000")
    assert own_limits().pixels == 300_000_000
    monkeypatch.setenv(MAX_PIXELS, "99")
    with pytest.raises(ImageError, match="10 x 10 pixels, at most 99 in all are decoded"):
        decode(saved(gradient(10, 10), "PNG"))
    for value in ("", "many", "0", "-1", "9" * 20):
        monkeypatch.setenv(MAX_PIXELS, value)
        with pytest.raises(TellapartError, match="expected a number of pixels"):
            own_limits()


def test_pillow_refuses_no_less_than_the_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode(saved(gradient(10, 10), "PNG")).shape == (10, 10, 3)
    assert Image.MAX_IMAGE_PIXELS == 100_000_000
    decode(saved(gradient(10, 10), "PNG"), limits=Limits(pixels=1000))
    assert Image.MAX_IMAGE_PIXELS == 100_000_000  # never lowered: another thread may need it


MEASURED = {  # bytes for each pixel, at 16 million pixels; the estimate may be up to a third more
    ("JPEG", "RGB"): 7, ("JPEG", "CMYK"): 7, ("JPEG", "L"): 2, ("PNG", "RGB"): 7, ("PNG", "L"): 2, ("PNG", "P"): 4,
    ("WEBP", "RGB"): 16, ("GIF", "P"): 4, ("BMP", "RGB"): 7, ("TIFF", "RGB"): 8, ("JPEG2000", "RGB"): 19.4,
    ("JPEG2000", "L"): 6.1, ("AVIF", "RGB"): 11, ("PPM", "RGB"): 7,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "mode"), [key for key in MEASURED if key[0] in FORMATS])
def test_memory_is_estimated_from_the_format(kind: str, mode: str) -> None:
    content = saved(gradient(100, 100).convert(mode), kind)
    with Image.open(io.BytesIO(content)) as image:
        estimate = decoding_memory(image, content) / 10_000
    assert MEASURED[kind, mode] <= estimate <= 1.5 * MEASURED[kind, mode]


@pytest.mark.parametrize(("mode", "sampling", "most"), [("RGB", 0, 10), ("RGB", 2, 7.5), ("CMYK", 0, 12), ("L", 0, 3)])
def test_a_progressive_jpeg_keeps_its_coefficients(mode: str, sampling: int, most: float) -> None:
    options = {} if mode != "RGB" else {"subsampling": sampling}
    content = saved(gradient(160, 160).convert(mode), "JPEG", progressive=True, **options)
    with Image.open(io.BytesIO(content)) as image:
        assert decoding_memory(image, content) / 160**2 == pytest.approx(most, abs=0.6)


def claiming(content: bytes, width: int, height: int) -> bytes:
    """The same progressive JPEG with another size in its frame header."""
    at = content.index(b"\xff\xc2") + 5
    return content[:at] + height.to_bytes(2) + width.to_bytes(2) + content[at + 4 :]


def test_the_service_refuses_a_progressive_cmyk_that_takes_600_mb() -> None:
    content = saved(Image.new("CMYK", (64, 64)), "JPEG", progressive=True)
    large = claiming(content, 7000, 7000) + bytes(200_000)  # as large as such a file is
    with pytest.raises(ImageError, match=r"7,000 x 7,000 pixels as JPEG take about 588 MB to decode; at most 400 MB"):
        decode(large, limits=SERVICE)
