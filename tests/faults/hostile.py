"""Image files that mean ill, and odd ones that mean well, made in memory: no such file lies in the repository."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from itertools import product

import numpy as np
from PIL import Image

from tellapart.data.decode import FORMATS

Made = Callable[[], bytes]
RED, SIDE = (255, 0, 0), 16
SIGNATURE = b"\x89PNG\r\n\x1a\n"
A_MEGABYTE = zlib.compress(bytes(1_000_000), 9)  # in a kilobyte
SIXTY_MEGABYTES = zlib.compress(bytes(60_000_000), 9)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of that format."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def plain(kind: str, side: int = SIDE, colour: tuple[int, int, int] = RED, **options: object) -> bytes:
    """An image of one colour."""
    return saved(Image.new("RGB", (side, side), colour), kind, **options)


# PNG, by hand; source: RFC 2083


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *more: bytes, rows: bytes | None = None, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG, red unless `rows` are given, with more chunks before its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    rows = (b"\0" + bytes(RED) * width) * height if rows is None else rows
    return SIGNATURE + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND")


def small_png(*more: bytes) -> bytes:
    return png(SIDE, SIDE, *more)


def large_png(side: int) -> bytes:
    """A PNG that claims a size, and begins well."""
    return png(side, side, rows=bytes(1000))


def with_a_wrong_sum(name: bytes) -> bytes:
    content = small_png()
    at = content.index(name) + 4 + struct.unpack(">I", content[content.index(name) - 4 :][:4])[0]
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


# JPEG; source: ITU-T T.81, annex B


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_with(*parts: bytes) -> bytes:
    """A JPEG with more between its first marker and the rest."""
    content = plain("JPEG", quality=95)
    return content[:2] + b"".join(parts) + content[2:]


def many_scans(scans: int, side: int) -> bytes:
    """A progressive JPEG that repeats its last scan: to decode it is to go through the whole image for each."""
    content = plain("JPEG", side, progressive=True, subsampling=0)
    last, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    return content[:end] + content[last:end] * scans + content[end:]


def claiming(content: bytes, width: int, height: int) -> bytes:
    """The same JPEG with another size in its frame header."""
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


# TIFF in EXIF whose thousand tags each claim a whole 60 KB. Source: TIFF 6.0, section 2
OVERLAPPING_EXIF = (
    b"Exif\0\0II*\0\x08\0\0\0"
    + struct.pack("<H", 1000)
    + b"".join(struct.pack("<HHII", tag, 7, 60_000, 8) for tag in range(1000, 2000))
    + bytes(50_000)
)

# BMP and GIF


def bmp(width: int, height: int, *, bits: int = 24, packed: int = 0, pixels: bytes = b"") -> bytes:
    """A BMP; `packed` 1 says run-length. Source: Windows GDI, BITMAPINFOHEADER."""
    palette = bytes(1024) if bits == 8 else b""
    start = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packed, 0, 0, 0, 0, 0) + palette + pixels


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    """A GIF whose canvas claims a size, with blocks before its image."""
    content = plain("GIF")
    start = 13 + (3 << ((content[10] & 7) + 1))
    return content[:6] + struct.pack("<HH", width, height) + content[10:start] + b"".join(blocks) + content[start:]


def gif_beyond_its_canvas() -> bytes:
    """A canvas of 1 x 1, and a first frame of 65,535 x 65,535 on it."""
    content = gif(1, 1)
    at = content.index(b",") + 5
    return content[:at] + struct.pack("<HH", 65535, 65535) + content[at + 4 :]


# WebP and AVIF


def webp_canvas(side: int) -> bytes:
    """An extended WebP without a frame. Source: WebP Container Specification, VP8X."""
    size = struct.pack("<I", side - 1)[:3]
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + size * 2


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I", 8 + len(content)) + kind + content


def full_box(kind: bytes, *contents: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *contents)


def inside(content: bytes, kind: bytes) -> bytes:
    at = content.index(kind)
    return content[at + 4 :][: struct.unpack(">I", content[at - 4 : at])[0] - 8]


def avif_grid(rows: int, columns: int, *, tile: int, claimed: int, whole: int | None = None) -> bytes:
    """An AVIF of tiles that all are the same bytes, and larger than they claim. Source: ISO/IEC 23008-12, 6.6.2.3."""
    one = plain("AVIF", tile, speed=10)
    count, (width, height) = rows * columns, (whole or columns * claimed, whole or rows * claimed)
    grid, pixels = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height), inside(one, b"mdat")
    tiles = range(2, 2 + count)
    items = [(1, b"grid"), *product(tiles, [b"av01"])]
    named = [full_box(b"infe", struct.pack(">HH4sB", item, 0, kind, 0), version=2) for item, kind in items]
    uses = [struct.pack(">HBBB", 1, 2, 1, 2), *(struct.pack(">HBBBB", item, 3, 3, 2, 0x84) for item in tiles)]
    sizes = [full_box(b"ispe", struct.pack(">II", *size)) for size in ((width, height), (claimed, claimed))]
    channels, config = full_box(b"pixi", b"\3\x08\x08\x08"), box(b"av1C", inside(one, b"av1C"))
    facts = [
        full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
        full_box(b"pitm", struct.pack(">H", 1)),
        full_box(b"iinf", struct.pack(">H", len(items)), *named),
        full_box(b"iref", box(b"dimg", struct.pack(f">HH{count}H", 1, count, *tiles))),
        box(
            b"iprp",
            box(b"ipco", sizes[0], channels, sizes[1], config),
            full_box(b"ipma", struct.pack(">I", len(items)), *uses),
        ),
    ]

    def meta(start: int) -> bytes:
        places = [(1, start, len(grid)), *((item, start + len(grid), len(pixels)) for item in tiles)]
        lying = [struct.pack(">HHHII", item, 0, 1, at, size) for item, at, size in places]
        return full_box(b"meta", *facts, full_box(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)), *lying))

    begin = box(b"ftyp", b"avif", bytes(4), b"avifmif1miafMA1A")
    return begin + meta(len(begin) + len(meta(0)) + 8) + box(b"mdat", grid, pixels)


NO_IMAGE = "not an image: not one of JPEG, PNG, WEBP, GIF, BMP"
DAMAGED = "cannot be decoded"
TOO_MANY = "at most 50,000,000 in all are decoded"
TOO_LARGE_TEXT = "Decompressed data too large"
SVG = b"<?xml version='1.0'?>%s<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>%s</svg>"
ENTITY = b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"

REFUSED: dict[str, tuple[Made, str]] = {
    "one byte": (lambda: b"\xff", NO_IMAGE),
    "text": (lambda: b"a cat, honestly", NO_IMAGE),
    "html.jpg": (lambda: b"<!doctype html><script>alert(1)</script><img src=cat.jpg>", NO_IMAGE),
    "svg with a script": (lambda: SVG % (b"", b"<script>alert(1)</script>"), NO_IMAGE),
    "svg with an external entity": (lambda: SVG % (ENTITY, b"<text>&x;</text>"), NO_IMAGE),
    "pdf": (lambda: b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF", NO_IMAGE),
    "eps": (lambda: saved(Image.new("L", (9, 9)), "EPS"), NO_IMAGE),
    "eps that asks for a program": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(%pipe%id) (r) file\n%%EOF",
        NO_IMAGE,
    ),
    "zip": (lambda: b"PK\3\4" + bytes(100), NO_IMAGE),
    "gzip bomb": (lambda: gzip.compress(bytes(10_000_000)), NO_IMAGE),
    "png cut in its pixels": (lambda: small_png()[: small_png().index(b"IDAT") + 12], DAMAGED),
    "png with a wrong sum in its header": (lambda: with_a_wrong_sum(b"IHDR"), NO_IMAGE),
    "png with a wrong sum in its pixels": (lambda: with_a_wrong_sum(b"IDAT"), DAMAGED),
    "png of no width": (lambda: png(0, 9), NO_IMAGE),
    "png 2^31 wide": (lambda: png(2**31, 1, rows=b""), ""),
    "png of 2^31 - 1 squared": (lambda: large_png(2**31 - 1), TOO_MANY),
    "png of 19,000 squared": (lambda: large_png(19_000), TOO_MANY),
    "png with a colour profile of 60 MB": (
        lambda: small_png(chunk(b"iCCP", b"a\0\0" + SIXTY_MEGABYTES)),
        TOO_LARGE_TEXT,
    ),
    "png with a text of 60 MB": (lambda: small_png(chunk(b"zTXt", b"a\0\0" + SIXTY_MEGABYTES)), TOO_LARGE_TEXT),
    "png with a thousand texts of 1 MB": (
        lambda: small_png(*[chunk(b"zTXt", b"a\0\0" + A_MEGABYTE)] * 999),
        "Too much memory used in text chunks",
    ),
    "png of 100,000 chunks": (lambda: small_png(chunk(b"prVt") * 100_000), "more than 1,000 parts"),
    "png with 9,000 colour profiles of 1 MB": (
        lambda: small_png(chunk(b"iCCP", b"a\0\0" + A_MEGABYTE) * 9000),
        "more than 1,000 parts",
    ),
    "png in 100,000 pieces": (lambda: small_png(chunk(b"IDAT") * 100_000), "more than 20,000 parts of pixels"),
    "jpeg cut in its scan": (lambda: plain("JPEG", 200)[:-300], DAMAGED),
    "jpeg of headers alone": (lambda: plain("JPEG")[: plain("JPEG").index(b"\xff\xda") + 14], DAMAGED),
    "jpeg claiming 65,535 squared": (lambda: claiming(plain("JPEG"), 65535, 65535), TOO_MANY),
    "jpeg of 1,000 scans": (lambda: many_scans(1000, 2000), "more than 50 scans"),
    "jpeg with exif in 90,000 pieces": (
        lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + bytes(100)) * 90_000),
        "more than 100 parts of EXIF",
    ),
    "jpeg of 2,000,000 parts": (lambda: jpeg_with(segment(0xE5, b"") * 2_000_000), "more than 1,000 parts"),
    "jpeg with 9 MB of filling": (lambda: jpeg_with(b"\xff" * 9_000_000), "more than 1,000 parts"),
    "tiff that refers to itself": (
        lambda: b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x014A, 4, 1, 8, 8),
        NO_IMAGE,
    ),
    "psd": (lambda: b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 9, 9, 8, 3) + bytes(300), NO_IMAGE),
    "fits": (lambda: b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800) + bytes(2880), NO_IMAGE),
    "jpeg 2000": (lambda: b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 ", NO_IMAGE),
    "bmp of negative width": (lambda: bmp(-9, 9, pixels=bytes(300)), ""),
    "bmp of huge size": (lambda: bmp(2**31 - 1, 2**31 - 1, pixels=bytes(300)), TOO_MANY),
    "bmp without its pixels": (lambda: bmp(5000, 5000, pixels=bytes(300)), DAMAGED),
    "bmp of 9 MB in runs of one": (
        lambda: bmp(1000, 1000, bits=8, packed=1, pixels=b"\1\5" * 4_500_000),
        "a run-length BMP of 1,000 x 1,000 pixels in 9,001,078 bytes",
    ),
    "bmp of 49 million pixels in 14 KB of line ends": (
        lambda: bmp(7000, 7000, bits=8, packed=1, pixels=b"\1\5\0\0" * 7000),
        "a run-length BMP of 7,000 x 7,000 pixels",
    ),
    "gif of a huge canvas": (lambda: gif(65535, 65535), TOO_MANY),
    "gif with a frame beyond its canvas": (gif_beyond_its_canvas, TOO_MANY),
    "gif of a million blocks": (lambda: gif(SIDE, SIDE, b"!\xfe\1a\0" * 1_000_000), "more than 20,000 blocks"),
    "webp altered": (lambda: plain("WEBP")[:30] + b"\xaa" * 99, DAMAGED),
    "webp cut": (lambda: plain("WEBP", 200)[:60], DAMAGED),
    "webp of a huge canvas": (lambda: webp_canvas(16_383), TOO_MANY),
    "heic": (lambda: box(b"ftyp", b"heic", bytes(4), b"mif1heic") + box(b"mdat", bytes(300)), NO_IMAGE),
}
if "AVIF" in FORMATS:
    REFUSED |= {
        "avif of lying tiles": (lambda: avif_grid(9, 9, tile=1000, claimed=64), "composed of tiles"),
        "avif of 50,000 squared": (lambda: avif_grid(9, 9, tile=64, claimed=64, whole=50_000), "composed of tiles"),
        "avif of 62,500 tiles": (lambda: avif_grid(250, 250, tile=64, claimed=64), "more than 100 items"),
        "avif cut": (lambda: plain("AVIF")[:-9], DAMAGED),
    }


def turned(orientation: int) -> bytes:
    """An image, red above and blue below once upright, stored as a camera held that way does."""
    upright = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    upright[: SIDE // 2, :, 0] = upright[SIDE // 2 :, :, 2] = 255
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    return saved(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif(orientation))


def animated(kind: str) -> bytes:
    red, *others = (Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "blue", "green"))
    return saved(red, kind, save_all=True, append_images=others, duration=100)


def red_palette(**options: object) -> bytes:
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([0, 0, 255, *RED])
    return saved(image, "PNG", **options)


def without_adobe(content: bytes) -> bytes:
    at = content.index(b"\xff\xee")
    return content[:at] + content[at + 2 + struct.unpack(">H", content[at + 2 : at + 4])[0] :]


def red_cmyk() -> bytes:
    return saved(Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0)), "JPEG", quality=95)


def wide_red() -> bytes:
    rows = (b"\0" + b"\xff\xff\0\0\0\0" * SIDE) * SIDE
    return png(SIDE, SIDE, rows=rows, depth=16)


Seen = tuple[tuple[int, int], list[int]]
"""Height and width, and the colour of the pixel in the upper left corner."""
SQUARE = (SIDE, SIDE)

TAKEN: dict[str, tuple[Made, Seen]] = {
    **{
        f"orientation {number}": (lambda number=number: turned(number), ((SIDE, 2 * SIDE), [*RED]))  # type: ignore[misc]
        for number in range(1, 9)
    },
    "corrupt exif": (lambda: plain("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), (SQUARE, [*RED])),
    "exif whose tags overlap": (lambda: jpeg_with(segment(0xE1, OVERLAPPING_EXIF)), (SQUARE, [*RED])),
    "cmyk": (lambda: without_adobe(red_cmyk()), (SQUARE, [*RED])),
    "cmyk inverted as adobe does": (red_cmyk, (SQUARE, [*RED])),
    "16 bits of colour": (wide_red, (SQUARE, [*RED])),
    "16 bits of grey": (lambda: saved(Image.new("I;16", SQUARE, 0x7FFF), "PNG"), (SQUARE, [127])),
    "1 bit": (lambda: saved(Image.new("1", SQUARE, 1), "PNG"), (SQUARE, [255])),
    "palette": (red_palette, (SQUARE, [*RED])),
    "palette with transparency": (lambda: red_palette(transparency=1), (SQUARE, [255, 255, 255])),
    "grey with alpha": (lambda: saved(Image.new("LA", SQUARE, (0, 128)), "PNG"), (SQUARE, [127])),
    "a colour profile that is none": (lambda: plain("JPEG", icc_profile=b"odd" * 99), (SQUARE, [*RED])),
    "a colour profile that claims 4 GB": (lambda: plain("PNG", icc_profile=b"\xff" * 128), (SQUARE, [*RED])),
    "gif animation": (lambda: animated("GIF"), (SQUARE, [*RED])),
    "webp animation": (lambda: animated("WEBP"), (SQUARE, [*RED])),
    "png animation": (lambda: animated("PNG"), (SQUARE, [*RED])),
    "1 x 1": (lambda: plain("PNG", 1), ((1, 1), [*RED])),
    "1 x 10,000": (lambda: png(1, 10_000), ((10_000, 1), [*RED])),
    "png.jpg": (lambda: plain("PNG"), (SQUARE, [*RED])),
    "jpeg with a zip behind it": (lambda: plain("JPEG") + b"PK\3\4" + bytes(999), (SQUARE, [*RED])),
    "jpeg of 18 scans": (lambda: many_scans(8, SIDE), (SQUARE, [*RED])),
    "bmp from top to bottom": (lambda: bmp(16, -16, pixels=b"\0\0\xff" * 256), (SQUARE, [*RED])),
    "bmp in runs": (lambda: bmp(SIDE, SIDE, bits=8, packed=1, pixels=b"\x10\0\0\0" * SIDE), (SQUARE, [0, 0, 0])),
}
