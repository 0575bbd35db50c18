"""Limits on the parts of an image file, checked before Pillow parses them or decodes every scan.

A file of some megabytes can have a million parts, or a thousand scans, and would keep one core busy for minutes.
"""

import re
import zlib
from collections.abc import Iterator

from tellapart.errors import ImageError

MAX_PARTS = 1_000  # of a header; photos have about 10; 50 MB of metadata in JPEG segments of 64 KB would be 800
MAX_DATA_PARTS = 20_000  # a PNG of 50 MB in the usual chunks of 8 KB has 6,000; a GIF's XMP has as many small blocks
MAX_SCANS = 50  # a progressive JPEG has 10, in CMYK 18
MAX_EXIF_PARTS = 100  # at each, Pillow copies all the previous ones
MAX_ITEMS = 100  # in an AVIF file: the image, its transparency, a thumbnail, EXIF, XMP

JPEG, PNG, GIF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # neither fill bytes, nor pixel data, nor a restart marker
START, END, SCAN, APP1 = 0xD8, 0xD9, 0xDA, 0xE1
PNG_DATA = (b"IDAT", b"fdAT", b"fcTL")
AVIF = b"ftyp"  # at its fourth byte
DERIVED = (b"grid", b"iovl", b"iden")  # images made of other images


def require_sane_structure(content: bytes) -> None:
    """Refuse an image file with too many parts, or with a wrong checksum of its pixels. Raises ImageError.

    All else, such as whether it is an image at all, is left to the decoder.
    """
    if content.startswith(JPEG):
        _check_jpeg(content)
    elif content.startswith(PNG):
        _check_png(content)
    elif content.startswith(GIF):
        _require_at_most(MAX_DATA_PARTS, "blocks before its image", sum(1 for _ in _gif_blocks(content)))
    elif content[4:8] == AVIF:
        _check_avif(content)


def _require_at_most(limit: int, what: str, count: int) -> None:
    if count > limit:
        raise ImageError(f"the file has more than {limit:,} {what}: no camera or program writes so many")


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
        _require_at_most(MAX_PARTS, "parts", parts)
        _require_at_most(MAX_SCANS, "scans", scans)
        _require_at_most(MAX_EXIF_PARTS, "parts of EXIF", exif)


def _check_png(content: bytes) -> None:
    """Walk the chunks (source: RFC 2083, section 3)."""
    at, parts, data, view = len(PNG), 0, 0, memoryview(content)
    while at < len(content) and (kind := content[at + 4 : at + 8]) != b"IEND":
        data, parts = data + (kind in PNG_DATA), parts + (kind not in PNG_DATA)
        end = at + 8 + int.from_bytes(content[at : at + 4])
        checksum = content[end : end + 4]
        if kind == b"IDAT" and len(checksum) == 4 and zlib.crc32(view[at + 4 : end]) != int.from_bytes(checksum):
            raise ImageError("cannot be decoded: broken data stream, the checksum of its pixels is wrong")
        at = end + 4
        _require_at_most(MAX_PARTS, "parts", parts)
        _require_at_most(MAX_DATA_PARTS, "parts of pixels", data)


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


def _check_avif(content: bytes) -> None:
    """Check the kinds of its items (source: ISO/IEC 14496-12, 8.11, and 23008-12, 6.6)."""
    kinds = []
    for meta in _boxes(content, 0, len(content), b"meta"):
        for items in _boxes(content, meta.start + 4, meta.stop, b"iinf"):
            count_bytes = 2 if content[items.start : items.start + 1] == b"\0" else 4
            for item in _boxes(content, items.start + 4 + count_bytes, items.stop, b"infe"):
                id_bytes = 2 if content[item.start : item.start + 1] == b"\2" else 4
                kinds.append(content[(kind := item.start + 4 + id_bytes + 2) : kind + 4])
                _require_at_most(MAX_ITEMS, "items", len(kinds))
    if {*kinds} & {*DERIVED}:  # each of hundreds of tiles may be larger than declared, which only decoding shows
        raise ImageError("an AVIF composed of tiles is not decoded, only a single image is")


def _boxes(content: bytes, at: int, end: int, wanted: bytes) -> Iterator[range]:
    """Yield the range of the contents of each box of a kind, between two offsets."""
    while at + 8 < end:
        size, head = int.from_bytes(content[at : at + 4]), 8
        if size == 1:
            size, head = int.from_bytes(content[at + 8 : at + 16]), 16
        stop = end if size == 0 else min(at + size, end)
        if content[at + 4 : at + 8] == wanted:
            yield range(at + head, stop)
        at = max(stop, at + 8)
