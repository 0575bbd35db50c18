"""The decoder: every kind of file has a defined result, and whatever else comes is an ImageError."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.decoding.decode import MAX_COUNTED_BYTES, Header, decode, read_header
from tellapart.data.decoding.decode_limits import Limits
from tellapart.data.decoding.formats import FORMATS, SUFFIXES, SUFFIXES_BY_FORMAT
from tellapart.errors import ImageError

LOSSLESS = {"PNG": {}, "BMP": {}, "WEBP": {"lossless": True}, "TIFF": {}, "PPM": {}}
LOSSY = [name for name in ("JPEG", "WEBP", "AVIF", "JPEG2000") if name in FORMATS]
ENCODED = [name for name in FORMATS if name != "HEIF"]
"""Formats that Pillow itself writes."""


def scene(height: int = 24, width: int = 40) -> ImageArray:
    """Draw a smooth image, uint8 (height, width, 3), unlike any of its own turns and mirror images."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (255 * y / height, 255 * x / width, 255 * (x < width // 4))
    return np.stack(channels, axis=-1).astype(np.uint8)


def saved(pil_image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    pil_image.save(stream, kind, **options)
    return stream.getvalue()


def turned_to(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """Write a PNG by hand, for what Pillow does not write. Source: RFC 2083."""
    read_header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", read_header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def far(one: ImageArray, other: ImageArray) -> float:
    """Measure the mean distance between two images of one shape, in grey levels."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


IMAGE = Image.fromarray(scene())
PNG = saved(IMAGE, "PNG")
JPEG = saved(IMAGE, "JPEG", quality=95)
WEBP = saved(IMAGE, "WEBP", lossless=True)
GIF = saved(IMAGE, "GIF")
BMP = saved(IMAGE, "BMP")


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_give_back_their_pixels(kind: str) -> None:
    image = decode(saved(IMAGE, kind, **LOSSLESS[kind]))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, scene())


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_files_come_close(kind: str) -> None:
    assert far(decode(saved(IMAGE, kind, quality=95)), scene()) < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    upright = scene()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),  # shown turned clockwise, so stored turned against the clock
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(saved(Image.fromarray(np.ascontiguousarray(stored)), kind, quality=95, exif=exif))
    assert far(image, upright) < 4


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",  # its table lies beyond the end
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",  # 65,535 entries, none of them there
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",  # an orientation in letters
    ],
)
def test_corrupt_exif_leaves_the_pixels_as_they_lie(exif: bytes) -> None:
    assert far(decode(saved(IMAGE, "JPEG", quality=95, exif=exif)), scene()) < 4


def test_an_unknown_orientation_leaves_the_pixels_as_they_lie() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert decode(saved(IMAGE, "JPEG", exif=exif)).shape == (24, 40, 3)


def test_inverted_cmyk_becomes_rgb_with_or_without_the_mark_of_adobe() -> None:
    # CMYK JPEGs are inverted in practice, which Adobe's marker says where it was not stripped.
    content = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")  # all magenta and yellow: red
    assert b"Adobe" in content
    for file in (content, without_adobe(content)):
        assert decode(file)[4, 4].tolist() == pytest.approx([255, 0, 0], abs=3)


def without_adobe(content: bytes) -> bytes:
    start = content.index(b"\xff\xee")
    length = struct.unpack(">H", content[start + 2 : start + 4])[0]
    return content[:start] + content[start + 2 + length :]


def test_grey_stays_one_channel() -> None:
    grey = scene()[:, :, 0]
    image = decode(saved(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(image, grey[:, :, np.newaxis])


def test_16_bits_of_grey_become_the_high_byte() -> None:
    wide = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    image = decode(saved(Image.fromarray(wide), "PNG"))
    np.testing.assert_array_equal(image[:, :, 0], wide >> 8)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4)])
def test_16_bits_of_colour_become_the_high_byte(colour: int, channels: int) -> None:
    wide = np.random.default_rng(0).integers(0, 65536, size=(5, 7, channels), dtype=np.uint16)
    if channels == 4:
        wide[:, :, 3] = 65535
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    np.testing.assert_array_equal(decode(png(7, 5, 16, colour, rows)), wide[:, :, :3] >> 8)


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_1_bit_becomes_black_and_white(kind: str) -> None:
    bits = scene()[:, :, 1] > 128
    image = decode(saved(Image.fromarray(bits), kind))
    np.testing.assert_array_equal(image[:, :, 0], np.where(bits, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_palette_becomes_its_colours(kind: str) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 10, 20, 30])
    palette.putdata([0, 1])
    assert decode(saved(palette, kind)).tolist() == [[[255, 0, 0], [10, 20, 30]]]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry_is_white(kind: str) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 10, 20, 30])
    palette.putdata([0, 1])
    assert decode(saved(palette, kind, transparency=0)).tolist() == [[[255, 255, 255], [10, 20, 30]]]


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), [255, 255, 255]),
        ("RGBA", (0, 100, 200, 128), [127, 177, 227]),
        ("LA", (10, 255), [10]),
        ("LA", (10, 0), [255]),
        ("LA", (0, 128), [127]),
    ],
)
def test_transparent_images_lie_on_white(mode: str, colour: tuple[int, ...], seen: list[int]) -> None:
    image = decode(saved(Image.new(mode, (3, 2), colour), "PNG"))
    assert image.shape == (2, 3, len(seen))
    assert image[1, 2].tolist() == pytest.approx(seen, abs=1)


@pytest.mark.parametrize(
    ("mode", "colours", "transparent", "seen"),
    [
        ("RGB", [(10, 20, 30), (1, 2, 3)], (10, 20, 30), [[255, 255, 255], [1, 2, 3]]),
        ("L", [10, 20], 10, [[255], [20]]),
        ("1", [0, 255], 0, [[255], [255]]),
        ("I;16", [5000, 20_000], 5000, [[255], [78]]),
    ],
)
def test_one_colour_named_transparent_is_white(
    mode: str, colours: list[object], transparent: object, seen: list[list[int]]
) -> None:
    pil_image = Image.new(mode, (2, 1))
    for x, colour in enumerate(colours):
        pil_image.putpixel((x, 0), colour)  # type: ignore[arg-type]
    assert decode(saved(pil_image, "PNG", transparency=transparent))[0].tolist() == seen


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_a_large_image_is_the_same_though_it_is_brought_to_8_bits_in_strips(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pil_image = Image.fromarray(scene()[:, :, 0].astype(np.uint16) * 200) if mode == "I;16" else IMAGE.convert(mode)
    options: dict[str, object] = {"transparency": 3} if mode in ("P", "L") else {}
    content = saved(pil_image, "JPEG" if mode == "CMYK" else "PNG", exif=turned_to(6), **options)
    whole = decode(content)
    assert whole.shape[:2] == (40, 24)
    for pixels in (1, 40, 130, 959):
        monkeypatch.setattr("tellapart.data.decoding.pixel_rows.STRIP_PIXELS", pixels)
        np.testing.assert_array_equal(decode(content), whole)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    red, *others = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green"))
    content = saved(red, kind, save_all=True, append_images=others)
    with Image.open(io.BytesIO(content)) as animation:
        assert getattr(animation, "n_frames", 1) == 3
    assert decode(content)[4, 4].tolist() == pytest.approx([255, 0, 0], abs=2)


def test_a_jpeg_with_further_images_behind_it_is_its_first() -> None:
    content = saved(IMAGE, "MPO", save_all=True, append_images=[IMAGE.rotate(180)], quality=95)
    assert far(decode(content), scene()) < 4


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
def test_the_slightest_images_are_images(size: tuple[int, int]) -> None:
    assert decode(saved(Image.new("RGB", size), "PNG")).shape == (size[1], size[0], 3)


def test_what_stands_behind_a_jpeg_does_not_matter() -> None:
    behind = b"PK\x03\x04" + bytes(1000)
    np.testing.assert_array_equal(decode(JPEG + behind), decode(JPEG))


NOT_IMAGES = {
    "one byte": b"\xff",
    "text": b"a cat, honestly",
    "html": b"<!doctype html><img src=cat.jpg>",
    "zip": b"PK\x03\x04" + bytes(100),
    "jpeg behind a byte": b"\0" + JPEG,
}


@pytest.mark.parametrize("kind", NOT_IMAGES)
def test_what_is_no_image_is_refused(kind: str) -> None:
    with pytest.raises(ImageError, match="not an image: not one of JPEG, PNG, WEBP, GIF, BMP"):
        decode(NOT_IMAGES[kind])


def test_an_image_whose_header_is_damaged_is_not_called_something_else() -> None:
    with pytest.raises(ImageError, match="cannot be decoded: it begins as PNG, and its header is damaged"):
        decode(png(0, 5, 8, 2, b""))


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ImageError, match="empty: it has 0 bytes"):
        decode(b"")


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


DATA = PNG.index(b"IDAT")
DAMAGED = {
    "png cut in its data": PNG[: DATA + 20],
    "png with altered data": flipped(PNG, DATA + 30),
    "png with a wrong header sum": flipped(PNG, PNG.index(b"IHDR") + 4 + 13),
    "jpeg cut in its scan": JPEG[: len(JPEG) * 3 // 4],
    "jpeg without its last byte": JPEG[:-1],
    "jpeg of headers alone": JPEG[: JPEG.index(b"\xff\xda") + 14],
    "webp cut": WEBP[: len(WEBP) // 2],
    "webp with altered data": WEBP[:40] + b"\xaa" * 40 + WEBP[80:],
    "gif cut": GIF[: len(GIF) // 2],
    "bmp cut": BMP[: len(BMP) // 2],
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_image_is_refused_and_never_half_decoded(kind: str) -> None:
    with pytest.raises(ImageError, match=r"cannot be decoded|not an image"):
        decode(DAMAGED[kind])


def test_altered_pixels_in_a_png_are_noticed_though_they_could_be_read() -> None:
    content = saved(IMAGE, "PNG", compress_level=0)  # stored: any byte is a legal pixel
    for at in range(content.index(b"IDAT") + 50, content.index(b"IDAT") + 500, 30):
        with pytest.raises(ImageError, match="broken data stream"):
            decode(flipped(content, at))


def huge_gif() -> bytes:
    return GIF[:6] + struct.pack("<HH", 65535, 65535) + GIF[10:]


BOMBS = {
    "2^31 - 1 squared": png(2**31 - 1, 2**31 - 1, 8, 2, b""),
    "19,000 squared": png(19_000, 19_000, 8, 2, b""),
    "12,000 squared": png(12_000, 12_000, 8, 2, b""),  # where Pillow only warns
    "8,000 squared": png(8_000, 8_000, 8, 2, b""),  # where Pillow says nothing
    "gif of 65,535 squared": huge_gif(),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_image_beyond_the_limit_costs_nothing(kind: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(
            ImageError, match=r"at most 200,000,000 in all are decoded|a file of [0-9,]+ bytes is given at most"
        ):
            decode(BOMBS[kind])
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_limits_are_inclusive_and_can_be_set() -> None:
    pixels, size = 24 * 40, len(PNG)
    assert decode(PNG, limits=Limits(bytes=size, pixels=pixels)).shape == (24, 40, 3)
    with pytest.raises(ImageError, match=f"the file has {size:,} bytes, at most {size - 1:,} are read"):
        decode(PNG, limits=Limits(bytes=size - 1))
    with pytest.raises(ImageError, match="40 x 24 pixels, at most 959 in all"):
        decode(PNG, limits=Limits(pixels=pixels - 1))
    assert Limits().pixels == 200_000_000


@pytest.mark.parametrize(
    "kind", [kind for kind in ("WEBP", "AVIF", "BMP", "GIF", "TIFF", "JPEG2000", "PPM") if kind in FORMATS]
)
def test_a_fresh_process_knows_every_format(kind: str) -> None:
    # In this process the tests have saved images, which makes Pillow load what it would not otherwise.
    code = "import sys; from tellapart.data.decoding.decode import decode; print(decode(sys.stdin.buffer.read()).shape)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], input=saved(IMAGE, kind), capture_output=True, check=True
    )
    assert run.stdout.strip() == b"(24, 40, 3)"


def test_suffixes_name_the_formats() -> None:
    Image.init()
    own = [suffix for suffix in SUFFIXES if suffix not in SUFFIXES_BY_FORMAT["HEIF"]]
    assert {Image.EXTENSION[suffix] for suffix in own} == {*ENCODED}


VALID = [PNG, JPEG, WEBP, GIF, BMP, saved(IMAGE.convert("P"), "PNG", transparency=3)]
VALID += [saved(IMAGE, kind) for kind in ("AVIF", "JPEG2000", "TIFF", "PPM") if kind in FORMATS]
VALID += [saved(IMAGE, "TIFF", compression=name) for name in ("tiff_lzw", "jpeg", "tiff_adobe_deflate")]


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=0, max_size=200), st.sampled_from([b"", *(content[:16] for content in VALID)]))
def test_random_bytes_are_a_image_or_a_image_error(content: bytes, start: bytes) -> None:
    decoded_or_refused(start + content)


@pytest.mark.parametrize("kind", ENCODED)
def test_a_header_tells_the_format(kind: str) -> None:
    assert read_header(saved(IMAGE, kind)) == Header(kind, turned=False, frames=1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_header_tells_whether_the_image_is_turned(kind: str) -> None:
    assert read_header(saved(IMAGE, kind, exif=turned_to(6))).turned
    assert not read_header(saved(IMAGE, kind, exif=turned_to(1))).turned


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_a_header_counts_the_frames_of_an_animation(kind: str) -> None:
    others = [Image.fromarray(255 - scene()), Image.fromarray(scene()[::-1])]
    assert read_header(saved(IMAGE, kind, save_all=True, append_images=others)).frames == 3


def test_the_frames_of_a_large_animation_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [Image.fromarray(255 - scene()), Image.fromarray(scene()[::-1])]
    animated = saved(IMAGE, "GIF", save_all=True, append_images=others)
    assert len(animated) < MAX_COUNTED_BYTES
    monkeypatch.setattr("tellapart.data.decoding.decode.MAX_COUNTED_BYTES", 100)
    assert read_header(animated).frames == 2
    assert read_header(GIF).frames == 1


def test_a_camera_file_with_a_second_image_is_no_animation() -> None:
    content = saved(IMAGE, "MPO", save_all=True, append_images=[IMAGE])
    assert read_header(content) == Header("JPEG", turned=False, frames=1)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=8)), min_size=1, max_size=6),
    st.integers(0, 2**16),
)
@example(JPEG, [(2, b"\xff")], 2**16)
def test_mutated_files_are_a_image_or_a_image_error(
    content: bytes, edits: list[tuple[int, bytes]], length: int
) -> None:
    mutated = bytearray(content)
    for at, replacement in edits:
        start = at % len(mutated)
        mutated[start : start + len(replacement)] = replacement
    decoded_or_refused(bytes(mutated[:length]))


def decoded_or_refused(content: bytes) -> None:
    try:
        image = decode(content, limits=Limits(pixels=4_000_000))
    except ImageError as error:
        assert str(error)  # noqa: PT017  both ends are right, and each is checked
    else:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] in (1, 3)
        assert image.size > 0
        assert read_header(content).format in FORMATS
