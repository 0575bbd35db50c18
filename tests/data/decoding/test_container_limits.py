"""Files of too many parts are refused at once, and what cameras and programs write passes."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.decoding.container_limits import MAX_DATA_PARTS, MAX_EXIF_PARTS, MAX_SCANS, require_sane_structure
from tellapart.data.decoding.container_parts import MAX_PARTS
from tellapart.data.decoding.formats import FORMATS
from tellapart.errors import ImageError

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8))


def saved(kind: str, image: Image.Image = NOISE, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def segments(count: int, data: bytes = b"", marker: int = 0xE5) -> bytes:
    return (struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data) * count


def chunks(name: bytes, count: int, data: bytes = b"") -> bytes:
    return (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))) * count


def refused(content: bytes) -> str:
    with pytest.raises(ImageError) as refusal:
        require_sane_structure(content)
    return str(refusal.value)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "HEIF"])
def test_what_programs_write_passes(kind: str) -> None:
    require_sane_structure(saved(kind))


@pytest.mark.parametrize("options", [{"progressive": True}, {"quality": 100, "comment": b"\xff\xda" * 9000}])
def test_a_large_jpeg_passes(options: dict[str, object]) -> None:
    require_sane_structure(saved("JPEG", NOISE.resize((2000, 1500)), **options))
    require_sane_structure(saved("JPEG", NOISE.convert("CMYK"), **options))


def test_scans_are_counted_in_the_image_alone() -> None:
    content = saved("JPEG", progressive=True)
    last, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    own = content.count(b"\xff\xda")
    for more, passes in ((MAX_SCANS - own, True), (MAX_SCANS - own + 1, False)):
        many = content[:end] + content[last:end] * more + content[end:]
        if passes:
            require_sane_structure(many)
        else:
            assert "more than 50 scans" in refused(many)
    require_sane_structure(content + content[last:end] * 999)  # behind its end


def test_parts_of_a_jpeg_are_counted() -> None:
    content = saved("JPEG")
    require_sane_structure(content[:2] + segments(MAX_PARTS - 20) + content[2:])
    for more in (segments(MAX_PARTS), b"\xff" * MAX_PARTS, b"\0" * MAX_PARTS, b"\xff\xd0" * MAX_PARTS):
        assert "more than 1,000 parts" in refused(content[:2] + b"\xff\xe5\0\2" + more + content[2:])
    assert "more than 100 parts of EXIF" in refused(
        content[:2] + segments(MAX_EXIF_PARTS + 1, b"Exif\0\0", 0xE1) + content[2:]
    )


def test_chunks_of_a_png_are_counted() -> None:
    content = saved("PNG")
    start = content.index(b"IDAT") - 4
    require_sane_structure(content[:start] + chunks(b"tEXt", 900, b"a\0b") + chunks(b"IDAT", 19_000) + content[start:])
    for name, most, said in ((b"tEXt", MAX_PARTS, "1,000 parts"), (b"IDAT", MAX_DATA_PARTS, "20,000 parts of")):
        assert said in refused(content[:start] + chunks(name, most) + content[start:])
    require_sane_structure(content + chunks(b"tEXt", MAX_PARTS + 1))  # behind its end


def test_a_wrong_sum_below_the_pixels_of_a_png_is_noticed() -> None:
    content = saved("PNG")
    end = content.index(b"IEND") - 4
    assert "broken data stream" in refused(content[: end - 1] + bytes([content[end - 1] ^ 1]) + content[end:])


def test_blocks_before_the_image_of_a_gif_are_counted() -> None:
    content = saved("GIF")
    start = 13 + (3 << ((content[10] & 7) + 1))
    for count in (MAX_DATA_PARTS // 2 - 2, MAX_DATA_PARTS):
        comments = content[:start] + b"!\xfe\1a\0" * count + content[start:]
        one = content[:start] + b"!\xfe" + b"\1a" * 2 * count + b"\0" + content[start:]
        for file in (comments, one):
            if count < MAX_DATA_PARTS // 2:
                require_sane_structure(file)
            else:
                assert "more than 20,000 blocks" in refused(file)


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\0\0\0\x20ftypavif\0\0\0\x10meta"]
)
def test_a_stump_is_left_to_the_decoder(start: bytes) -> None:
    for length in range(30):
        for filling in (b"\0", b"\1", b"\xff", b","):
            require_sane_structure(start + filling * length)


@pytest.mark.real
def test_photos_pass(photos: Path) -> None:
    files = sorted(photos.rglob("*.jpg"))[::20]
    assert files
    for file in files:
        require_sane_structure(file.read_bytes())
