"""Limits on the parts of an image file, checked before Pillow parses them or decodes every scan.

A file of some megabytes can have a million parts, or a thousand scans, and would keep one core busy for minutes.
"""

import re
import zlib
from collections.abc import Callable, Iterator

from tellapart.data.decoding.container_parts import MAX_PARTS, boxes, require_at_most
from tellapart.data.decoding.formats import format_of
from tellapart.data.decoding.jpeg2000_limits import check_jpeg2000
from tellapart.data.decoding.tiff_limits import check_tiff
from tellapart.errors import ImageError

MAX_DATA_PARTS = 20_000  # a PNG of 50 MB in the usual chunks of 8 KB has 6,000; a GIF's XMP has as many small blocks
MAX_SCANS = 50  # a progressive JPEG has 10, in CMYK 18
MAX_EXIF_PARTS = 100  # at each, Pillow copies all the previous ones
MAX_ITEMS = 100  # in an AVIF file: the image, its transparency, a thumbnail, EXIF, XMP
MAX_HEIF_ITEMS = 1_000  # a HEIC of 48 million pixels has 192 tiles, and as many of its brightness
MAX_PPM_HEADER = 4_096  # bytes: Pillow reads comments one by one

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # neither fill bytes, nor pixel data, nor a restart marker
START, END, SCAN, APP1 = 0xD8, 0xD9, 0xDA, 0xE1
PNG_DATA = (b"IDAT", b"fdAT", b"fcTL")
GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
SIZE = GAP + rb"\d+" + GAP + rb"\d+"
PPM_HEADER = re.compile(rb"P(?:[14]" + SIZE + rb"|[2356]" + SIZE + GAP + rb"\d+)\s")
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
DERIVED = (b"grid", b"iovl", b"iden")  # images made of other images


def require_sane_structure(content: bytes) -> None:
    """Refuse an image file with too many parts, or with a wrong checksum of its pixels. Raises ImageError.

    All else, such as whether it is an image at all, is left to the decoder.
    """
    if check := CHECKS.get(format_of(content) or ""):
        check(content)


def _check_jpeg(content: bytes) -> None:
    """Walk the segments (source: ITU-T T.81, annex B); bytes between them count as parts too."""
    at, parts, scans, exif = 2, 0, 0, 0
    while marker := MARKER.search(content, at):
        kind = content[marker.start() + 1]
        if kind == END and scans:
            return
        scans += kind == SCAN
        parts += 1 if scans else 1 + marker.start() - at
        at = marker.end()
        exif += kind == APP1 and content.startswith(b"Exif", at + 2)
        if kind not in (START, END):
            at += max(2, int.from_bytes(content[at : at + 2]))
        require_at_most(MAX_PARTS, "parts", parts)
        require_at_most(MAX_SCANS, "scans", scans)
        require_at_most(MAX_EXIF_PARTS, "parts of EXIF", exif)


def _check_png(content: bytes) -> None:
    """Walk the chunks (source: RFC 2083, section 3)."""
    at, parts, data, view = len(PNG_SIGNATURE), 0, 0, memoryview(content)
    while at < len(content) and (kind := content[at + 4 : at + 8]) != b"IEND":
        data, parts = data + (kind in PNG_DATA), parts + (kind not in PNG_DATA)
        end = at + 8 + int.from_bytes(content[at : at + 4])
        checksum = content[end : end + 4]
        if kind == b"IDAT" and len(checksum) == 4 and zlib.crc32(view[at + 4 : end]) != int.from_bytes(checksum):
            raise ImageError("cannot be decoded: broken data stream, the checksum of its pixels is wrong")
        at = end + 4
        require_at_most(MAX_PARTS, "parts", parts)
        require_at_most(MAX_DATA_PARTS, "parts of pixels", data)


def _gif_blocks(content: bytes) -> Iterator[int]:
    """Yield the offset of each block before the first image, until there are too many. Source: GIF89a, 12 to 26."""
    colours = content[10:11]
    at = 13 + (3 << ((colours[0] & 7) + 1) if colours and colours[0] & 0x80 else 0)
    count = 0
    while at < len(content) and count <= MAX_DATA_PARTS and content[at] not in b",;":
        at += 2 if content[at] == ord("!") else 0  # an extension: its sub-blocks follow
        while content[at : at + 1] > b"\0" and count <= MAX_DATA_PARTS:
            yield at
            count += 1
            at += 1 + content[at]
        yield at
        count += 1
        at += 1


def _check_gif(content: bytes) -> None:
    require_at_most(MAX_DATA_PARTS, "blocks before its image", sum(1 for _ in _gif_blocks(content)))


def _check_avif(content: bytes) -> None:
    kinds = {*_item_kinds(content, MAX_ITEMS)}
    if kinds & {*DERIVED}:  # each of hundreds of tiles may be larger than declared, which only decoding shows
        raise ImageError("an AVIF composed of tiles is not decoded, only a single image is")


def _check_heif(content: bytes) -> None:
    if b"iovl" in _item_kinds(content, MAX_HEIF_ITEMS):
        raise ImageError("a HEIC composed of images over each other is not decoded: convert it to JPEG")


def _item_kinds(content: bytes, limit: int) -> list[bytes]:
    """List the kinds of a file's items (source: ISO/IEC 14496-12, 8.11, and 23008-12, 6.6)."""
    kinds: list[bytes] = []
    for meta in boxes(content, 0, len(content), b"meta"):
        for items in boxes(content, meta.start + 4, meta.stop, b"iinf"):
            count_bytes = 2 if content[items.start : items.start + 1] == b"\0" else 4
            for item in boxes(content, items.start + 4 + count_bytes, items.stop, b"infe"):
                id_bytes = 2 if content[item.start : item.start + 1] == b"\2" else 4
                kinds.append(content[(kind := item.start + 4 + id_bytes + 2) : kind + 4])
                require_at_most(limit, "items", len(kinds))
    return kinds


def _check_ppm(content: bytes) -> None:
    if not PPM_HEADER.match(content[:MAX_PPM_HEADER]):
        raise ImageError(f"cannot be decoded: its header is not that of a PPM, or longer than {MAX_PPM_HEADER:,} bytes")


CHECKS: dict[str, Callable[[bytes], None]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "GIF": _check_gif,
    "TIFF": check_tiff,
    "JPEG2000": check_jpeg2000,
    "PPM": _check_ppm,
    "AVIF": _check_avif,
    "HEIF": _check_heif,
}


def whole_image_coefficients(content: bytes) -> int:
    """Return the bytes in which a JPEG of several scans is kept until its last, 2 for each value; else 0."""
    at = 2
    values = components = progressive = 0
    while marker := MARKER.search(content, at):
        kind = content[marker.start() + 1]
        at = marker.end() + (0 if kind == START else max(2, int.from_bytes(content[marker.end() :][:2])))
        body = content[marker.end() + 2 : at]
        if kind in FRAMES and len(body) >= 6:
            height, width, components = int.from_bytes(body[1:3]), int.from_bytes(body[3:5]), body[5]
            factors = [(byte >> 4) * (byte & 15) for byte in body[7 : 6 + 3 * components : 3]]
            values = width * height * sum(factors) // max(1, *factors, 1)
            progressive = kind in PROGRESSIVE
        if kind == SCAN:
            return 2 * values if progressive or body[:1] != bytes([components]) else 0
    return 0
