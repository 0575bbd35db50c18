"""Image files that mean ill, and odd ones that mean well, made in memory: no such file lies in the repository."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from itertools import product

import numpy as np
from PIL import Image

from tellapart.data.decoding.formats import FORMATS

Made = Callable[[], bytes]
RED, SIDE = (255, 0, 0), 16
SQUARE = (SIDE, SIDE)
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


def bmp_fields(*masks: int, bits: int, pixels: bytes, width: int = SIDE, height: int = SIDE) -> bytes:
    """A BMP with bit fields. Source: Windows GDI, BITMAPV4HEADER."""
    head = struct.pack("<2sIHHI", b"BM", 14 + 108 + len(pixels), 0, 0, 14 + 108)
    sizes = struct.pack("<IiiHHIIiiII", 108, width, height, 1, bits, 3, len(pixels), 0, 0, 0, 0)
    return head + sizes + struct.pack("<4I", *masks, *[0] * (4 - len(masks))) + bytes(52) + pixels


# TIFF; source: TIFF 6.0, section 2

TiffTags = dict[int, tuple[int, bytes]]
"""By number, the type and the values."""


def shorts(*values: int) -> tuple[int, bytes]:
    return 3, struct.pack(f"<{len(values)}H", *values)


def longs(*values: int) -> tuple[int, bytes]:
    return 4, struct.pack(f"<{len(values)}I", *values)


def tiff(tags: TiffTags, pixels: bytes = b"", *, following: int = 0) -> bytes:
    """A TIFF of one page whose pixels are one strip at byte 8, unless the tags say otherwise."""
    tags = {273: longs(8), 279: longs(len(pixels)), **tags}
    start = 8 + len(pixels)
    at, entries, beyond = start + 2 + 12 * len(tags) + 4, b"", b""
    for number, (kind, values) in sorted(tags.items()):
        count = len(values) // {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}[kind]
        value = values.ljust(4, b"\0") if len(values) <= 4 else struct.pack("<I", at + len(beyond))
        beyond += values if len(values) > 4 else b""
        entries += struct.pack("<HHI", number, kind, count) + value
    page = struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return struct.pack("<2sHI", b"II", 42, start) + pixels + page + beyond


def page_of(width: int, height: int, **more: tuple[int, bytes]) -> TiffTags:
    """Tags of a page of red, green and blue in 8 bits; `more` are numbers after an underscore."""
    named = {int(name[1:]): value for name, value in more.items()}
    first = {256: longs(width), 257: longs(height), 258: shorts(8, 8, 8), 259: shorts(1), 262: shorts(2)}
    return {**first, 277: shorts(3), 278: longs(height), **named}


RED_PIXELS = bytes(RED) * SIDE * SIDE


def red_tiff(**more: tuple[int, bytes]) -> bytes:
    return tiff(page_of(SIDE, SIDE, **more), RED_PIXELS)


def tiff_of_scans(scans: int) -> bytes:
    """A TIFF whose one strip is a JPEG of many scans."""
    return tiff(page_of(500, 500, _259=shorts(7), _262=shorts(6)), many_scans(scans, 500))


# JPEG 2000; source: ITU-T T.800, annex A


def jp2(tile_size: tuple[int, int] | None = None) -> bytes:
    """A bare codestream of 64 x 64 pixels."""
    return saved(Image.new("RGB", (64, 64), RED), "JPEG2000", no_jp2=True, tile_size=tile_size)


def jp2_with(marker: int, at: int, fields: bytes) -> bytes:
    """A codestream with other fields at an offset from a marker."""
    content = jp2()
    start = content.index(bytes([0xFF, marker])) + at
    return content[:start] + fields + content[start + len(fields) :]


def jp2_lying() -> bytes:
    """A file whose header says another size than its codestream."""
    content = plain("JPEG2000", 64)
    at = content.index(b"ihdr") + 4
    return content[:at] + struct.pack(">II", 5000, 5000) + content[at + 8 :]


# WebP and AVIF


def flat_webp(side: int) -> bytes:
    """A lossless WebP of one colour, which has no pixels: whatever size is put into it is valid."""
    content = plain("WEBP", 16, lossless=True)
    at = content.index(b"VP8L") + 9
    (bits,) = struct.unpack("<I", content[at : at + 4])
    return content[:at] + struct.pack("<I", bits & ~0xFFFFFFF | side - 1 | (side - 1) << 14) + content[at + 4 :]


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
TOO_MANY = "in all are decoded"
TOO_LONG = "at most 65,500 along a side are decoded"
TOO_COSTLY = "to decode; a file of"
TOO_LARGE_TEXT = "Decompressed data too large"
SVG = b"<?xml version='1.0'?>%s<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>%s</svg>"
ENTITY = b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"

REFUSED: dict[str, tuple[Made, str]] = {
    "one byte": (lambda: b"\xff", NO_IMAGE),
    "text": (lambda: b"a cat, honestly", NO_IMAGE),
    "html.jpg": (lambda: b"<!doctype html><script>alert(1)</script><img src=cat.jpg>", NO_IMAGE),
    "svg with a script": (lambda: SVG % (b"", b"<script>alert(1)</script>"), "is an SVG drawing, which is not read"),
    "svg with an external entity": (lambda: SVG % (ENTITY, b"<text>&x;</text>"), "is an SVG drawing"),
    "pdf": (lambda: b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF", "is a PDF document"),
    "eps": (lambda: saved(Image.new("L", (9, 9)), "EPS"), "is a PostScript file"),
    "eps that asks for a program": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(%pipe%id) (r) file\n%%EOF",
        "is a PostScript file",
    ),
    "zip": (lambda: b"PK\3\4" + bytes(100), NO_IMAGE),
    "gzip bomb": (lambda: gzip.compress(bytes(10_000_000)), NO_IMAGE),
    "png cut in its pixels": (lambda: small_png()[: small_png().index(b"IDAT") + 12], DAMAGED),
    "png with a wrong sum in its header": (lambda: with_a_wrong_sum(b"IHDR"), DAMAGED),
    "png with a wrong sum in its pixels": (lambda: with_a_wrong_sum(b"IDAT"), DAMAGED),
    "png of no width": (lambda: png(0, 9), DAMAGED),
    "png 2^31 wide": (lambda: png(2**31, 1, rows=b""), ""),
    "png of 2^31 - 1 squared": (lambda: large_png(2**31 - 1), TOO_MANY),
    "png of 1 x 49,000,000": (
        lambda: png(1, 49_000_000, rows=bytes(1000)),
        TOO_LONG,
    ),
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
        DAMAGED,
    ),
    "tiff of 60,000 tags": (
        lambda: b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + bytes(12 * 60_000),
        "more than 1,000 tags",
    ),
    "tiff of a million strips": (lambda: red_tiff(_273=longs(*[8] * 1_000_000)), "more than 200,000 values in tag 273"),
    "tiff of 65,000 squared": (lambda: tiff(page_of(65_000, 65_000), bytes(300)), TOO_MANY),
    "tiff of a side of 100,000": (lambda: tiff(page_of(1, 100_000), bytes(300)), TOO_LONG),
    "tiff of 49 million pixels in a few bytes": (
        lambda: tiff(page_of(7000, 7000, _259=shorts(8)), zlib.compress(bytes(1000))),
        TOO_COSTLY,
    ),
    "tiff of huge tiles": (
        lambda: red_tiff(_322=longs(65_000), _323=longs(65_000), _324=longs(8), _325=longs(768)),
        "its tiles of 4,225,000,000 pixels are larger than the image",
    ),
    "tiff of 1,000 scans": (lambda: tiff_of_scans(1000), "more than 50 scans in each strip"),
    "tiff with a strip beyond its end": (lambda: red_tiff(_273=longs(2**31)), DAMAGED),
    "tiff cut": (lambda: red_tiff()[:100], ""),
    "tiff whose first page is a thumbnail": (lambda: red_tiff(_254=longs(1)), "is a camera RAW file"),
    "dng": (lambda: red_tiff(_50706=(1, b"\1\4\0\0")), "is a camera RAW file"),
    "tiff in Zstandard": (lambda: red_tiff(_259=shorts(50_000)), "compressed with Zstandard is not read"),
    "tiff of fax": (
        lambda: saved(Image.new("1", SQUARE, 1), "TIFF", compression="group4"),
        "compressed with fax (Group 4) is not read",
    ),
    "tiff of fractions": (
        lambda: red_tiff(_258=shorts(32), _277=shorts(1), _339=shorts(3), _262=shorts(1)),
        "a TIFF of 32-bit fractions is not read",
    ),
    "tiff of values below 0": (
        lambda: tiff(
            page_of(SIDE, SIDE, _258=shorts(16), _277=shorts(1), _339=shorts(2), _262=shorts(1)), b"\xff" * 512
        ),
        "it has values below 0",
    ),
    "ppm with a comment of 9 MB": (lambda: b"P6 #" + b"a" * 9_000_000 + b"\n9 9 255\n", "its header is not that of"),
    "ppm of 65,000 squared": (lambda: b"P6 65000 65000 255\n" + bytes(300), TOO_MANY),
    "ppm of 4 million digits": (lambda: b"P2 3000 3000 255\n" + b"9 " * 4_000_000, "a PPM in digits of 3,000 x 3,000"),
    "ppm cut": (lambda: plain("PPM")[:-9], DAMAGED),
    "pgm of 12 bits cut": (lambda: b"P5 9 9 4095\n" + bytes(100), DAMAGED),
    "dicom": (lambda: bytes(128) + b"DICM" + bytes(100), "is a DICOM file"),
    "video": (lambda: box(b"ftyp", b"isom", bytes(4), b"isomiso2mp41") + box(b"mdat", bytes(300)), "is a video"),
    "camera raw": (lambda: box(b"ftyp", b"crx ", bytes(4), b"crx isom") + bytes(300), "is a camera RAW file"),
    "psd": (lambda: b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 9, 9, 8, 3) + bytes(300), "is a Photoshop file"),
    "fits": (
        lambda: b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800) + bytes(2880),
        "is an image of measured values",
    ),
    "jpeg 2000": (lambda: b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 ", ""),
    "bmp of negative width": (lambda: bmp(-9, 9, pixels=bytes(300)), ""),
    "bmp of huge size": (lambda: bmp(2**31 - 1, 2**31 - 1, pixels=bytes(300)), TOO_MANY),
    "bmp of bits that are no fields": (
        lambda: bmp_fields(0x5, 0xF0, 0xF00, bits=16, pixels=bytes(512)),
        "0x5, 0xf0, 0xf00 are no bit fields of 16 bits",
    ),
    "bmp of fields over each other": (
        lambda: bmp_fields(0xFF, 0xFF0, 0xF000, bits=16, pixels=bytes(512)),
        "are no bit fields",
    ),
    "bmp of fields beyond its bits": (
        lambda: bmp_fields(0xFF0000, 0xFF00, 0xFF, bits=16, pixels=bytes(512)),
        "are no bit fields",
    ),
    "bmp of fields without its pixels": (
        lambda: bmp_fields(0xF00, 0xF0, 0xF, bits=16, pixels=bytes(9)),
        "it ends before its 16 rows",
    ),
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
    "webp of 49 million pixels in 40 bytes": (lambda: flat_webp(7000), TOO_COSTLY),
    "webp of a huge canvas": (lambda: webp_canvas(16_383), TOO_MANY),
    "heic": (
        lambda: box(b"ftyp", b"heic", bytes(4), b"mif1heic") + box(b"mdat", bytes(300)),
        DAMAGED if "HEIF" in FORMATS else "is an HEIC photo, which is not read: install tellapart[heif]",
    ),
}
if "JPEG2000" in FORMATS:
    REFUSED |= {
        "jpeg 2000 of a million tiles": (
            lambda: jp2_with(0x51, 6, struct.pack(">II", 65_000, 65_000)),
            "more than 4,096 tiles",
        ),
        "jpeg 2000 of 65,000 squared": (
            lambda: jp2_with(0x51, 6, struct.pack(">6I", 65_000, 65_000, 0, 0, 65_000, 65_000)),
            TOO_MANY,
        ),
        "jpeg 2000 of precincts of a pixel": (
            lambda: jp2_with(0x52, 4, b"\1"),
            "smaller than any program writes",
        ),
        "jpeg 2000 of blocks of 4 pixels": (lambda: jp2_with(0x52, 10, b"\0\0"), "code-blocks are smaller"),
        "jpeg 2000 of 65,535 layers": (lambda: jp2_with(0x52, 6, b"\xff\xff"), "more than 100 layers"),
        "jpeg 2000 whose header lies": (jp2_lying, "its header and its pixels are of different sizes"),
        "jpeg 2000 with an unknown part": (lambda: jp2_with(0x5C, 0, b"\xff\x40"), "parts of an unknown kind"),
        "jpeg 2000 cut": (lambda: jp2()[:60], ""),
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
    "tiff": (red_tiff, (SQUARE, [*RED])),
    "tiff in lzw": (lambda: plain("TIFF", compression="tiff_lzw"), (SQUARE, [*RED])),
    "tiff in deflate": (lambda: plain("TIFF", compression="tiff_adobe_deflate"), (SQUARE, [*RED])),
    "tiff in jpeg": (lambda: plain("TIFF", compression="jpeg", quality=95), (SQUARE, [*RED])),
    "tiff of several pages": (lambda: animated("TIFF"), (SQUARE, [*RED])),
    "tiff whose pages go round": (lambda: tiff(page_of(SIDE, SIDE), RED_PIXELS, following=8 + 768), (SQUARE, [*RED])),
    "tiff of 16 bits": (lambda: saved(Image.new("I;16", SQUARE, 0x7FFF), "TIFF"), (SQUARE, [127])),
    "tiff of 16 bits where white is 0": (
        lambda: tiff(page_of(SIDE, SIDE, _258=shorts(16), _277=shorts(1), _262=shorts(0)), bytes(512)),
        (SQUARE, [255]),
    ),
    "ppm": (lambda: plain("PPM"), (SQUARE, [*RED])),
    "ppm of 4 bits": (lambda: b"P6 16 16 15\n" + b"\x0f\0\0" * 256, (SQUARE, [*RED])),
    "pgm of 12 bits": (lambda: b"P5 # twelve\n16 16 4095\n" + b"\x07\xff" * 256, (SQUARE, [127])),
    "ppm in digits": (lambda: b"P3\n16 16\n255\n" + b"255 0 0\n" * 256, (SQUARE, [*RED])),
    "bmp of 10 bits for a colour": (
        lambda: bmp_fields(0x3FF00000, 0xFFC00, 0x3FF, bits=32, pixels=struct.pack("<I", 0x3FF00000) * 256),
        (SQUARE, [*RED]),
    ),
    "bmp with 1 bit of alpha": (
        lambda: bmp_fields(0x7C00, 0x3E0, 0x1F, 0x8000, bits=16, pixels=b"\0\x7c" * 256),
        (SQUARE, [255, 255, 255]),
    ),
    "1 x 1": (lambda: plain("PNG", 1), ((1, 1), [*RED])),
    "1 x 10,000": (lambda: png(1, 10_000), ((10_000, 1), [*RED])),
    "png.jpg": (lambda: plain("PNG"), (SQUARE, [*RED])),
    "jpeg with a zip behind it": (lambda: plain("JPEG") + b"PK\3\4" + bytes(999), (SQUARE, [*RED])),
    "jpeg of 18 scans": (lambda: many_scans(8, SIDE), (SQUARE, [*RED])),
    "bmp from top to bottom": (lambda: bmp(16, -16, pixels=b"\0\0\xff" * 256), (SQUARE, [*RED])),
    "bmp in runs": (lambda: bmp(SIDE, SIDE, bits=8, packed=1, pixels=b"\x10\0\0\0" * SIDE), (SQUARE, [0, 0, 0])),
}
if "JPEG2000" in FORMATS:
    TAKEN |= {
        "jpeg 2000": (lambda: plain("JPEG2000"), (SQUARE, [*RED])),
        "jpeg 2000 without a container, in tiles": (lambda: jp2(tile_size=(32, 32)), ((64, 64), [*RED])),
    }
