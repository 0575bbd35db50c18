"""Limits on the structure of a TIFF, and the number of its pages. Source: TIFF 6.0, section 2, and BigTIFF.

Pillow and libtiff would read any number of tags and values, and decode kinds of compression that no image here needs.
"""

import struct
from dataclasses import dataclass

from tellapart.data.decoding.container_parts import MAX_PARTS, require_at_most
from tellapart.data.decoding.formats import RAW
from tellapart.errors import ImageError

MAX_VALUES = 200_000  # of one tag: the palette of a 16-bit image has 196,608; an image in strips of a row, 65,500
MAX_PAGES = 1_000  # that are counted
MAX_SCANS = 50  # of a JPEG in one strip or tile
MAX_TILE = 4096**2  # pixels of a tile that is larger than the image
COMPRESSIONS = {1: "none", 5: "LZW", 7: "JPEG", 8: "deflate", 32773: "PackBits", 32946: "deflate"}
"""Those that are read. Damaged fax would be read in part, line by line, without an error."""
REFUSED_COMPRESSIONS = {
    2: "fax (CCITT)", 3: "fax (Group 3)", 4: "fax (Group 4)", 6: "old-style JPEG", 34712: "JPEG 2000",
    33003: "JPEG 2000", 33005: "JPEG 2000", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL",
    34676: "LogLuv", 34677: "LogLuv",
}  # fmt: skip
SUBFILE, WIDTH, LENGTH, COMPRESSION, STRIPS = 254, 256, 257, 259, 273
TILE_WIDTH, TILE_LENGTH, TILES, BITS, SAMPLE_FORMAT, DNG_VERSION = 322, 323, 324, 258, 339, 50706
BYTES_BY_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
ONE_BYTE = (1, 2, 6, 7)  # types whose values are read as one string


@dataclass(frozen=True)
class Tag:
    """A tag of a page: its type, the number of its values and the first of them, if it is a whole number."""

    kind: int
    count: int
    first: int


def check_tiff(content: bytes) -> None:
    """Refuse a TIFF with too many parts, one that is a camera RAW file, and compression that is not read.

    Raises ImageError.
    """
    tags = _page(content, _Layout(content).first)[0]
    for number, tag in tags.items():
        if tag.kind not in ONE_BYTE:
            require_at_most(MAX_VALUES, f"values in tag {number}", tag.count)
    is_canon = content[8:10] == b"CR"
    if is_canon or DNG_VERSION in tags or _first(tags, SUBFILE, 0) & 1:  # a RAW file's first page is a thumbnail
        raise ImageError(RAW.refusal)
    _require_known_compression(_first(tags, COMPRESSION, 1))
    _require_8_or_16_bits(tags)
    _require_sane_tiles(content, tags)


def count_pages(content: bytes) -> int:
    """Count the pages of a TIFF, up to `MAX_PAGES`; 1 for a chain that is broken at its first."""
    layout, seen = _Layout(content), set[int]()
    at = layout.first
    while at and at not in seen and len(seen) < MAX_PAGES:
        seen.add(at)
        at = _page(content, at, only_next=True)[1]
    return max(1, len(seen))


class _Layout:
    """Byte order and widths of the fields of a TIFF, or BigTIFF, by its header."""

    def __init__(self, content: bytes) -> None:
        order = "<" if content[:2] == b"II" else ">"
        big = content[2] == 43  # Pillow reads BigTIFF in this byte order alone
        self.count = struct.Struct(order + ("Q" if big else "H"))
        self.entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
        self.offset = struct.Struct(order + ("Q" if big else "I"))
        self.value = {1: "B", 3: order + "H", 4: order + "I", 16: order + "Q"}
        self.first = _unpack(self.offset, content, 8 if big else 4)


def _unpack(fields: struct.Struct, content: bytes, at: int) -> int:
    """Read one number; 0 beyond the end of the file."""
    value: int = fields.unpack_from(content, at)[0] if at + fields.size <= len(content) else 0
    return value


def _page(content: bytes, at: int, *, only_next: bool = False) -> tuple[dict[int, Tag], int]:
    """Read the tags of the page at an offset, and the offset of the next page, 0 for none."""
    layout = _Layout(content)
    count, start = _unpack(layout.count, content, at), at + layout.count.size
    require_at_most(MAX_PARTS, "tags", count)
    end = start + count * layout.entry.size
    if only_next or end > len(content):
        return {}, _unpack(layout.offset, content, end)
    tags: dict[int, Tag] = {}
    for number, kind, values, inline in layout.entry.iter_unpack(content[start:end]):
        tags.setdefault(number, Tag(kind, values, _first_value(content, layout, kind, values, inline)))
    return tags, _unpack(layout.offset, content, end)


def _first_value(content: bytes, layout: _Layout, kind: int, values: int, inline: bytes) -> int:
    if kind not in layout.value or not values:
        return 0
    fields = struct.Struct(layout.value[kind])
    if values * BYTES_BY_TYPE[kind] <= len(inline):
        return _unpack(fields, inline, 0)
    return _unpack(fields, content, layout.offset.unpack(inline)[0])


def _first(tags: dict[int, Tag], number: int, default: int) -> int:
    return tags[number].first if number in tags else default


def _require_known_compression(number: int) -> None:
    if number not in COMPRESSIONS:
        name = REFUSED_COMPRESSIONS.get(number, f"compression {number}")
        read = ", ".join(dict.fromkeys(list(COMPRESSIONS.values())[1:]))
        raise ImageError(f"a TIFF compressed with {name} is not read, but {read} are: save it with one of these")


def _require_8_or_16_bits(tags: dict[int, Tag]) -> None:
    bits, kind = _first(tags, BITS, 1), _first(tags, SAMPLE_FORMAT, 1)
    if bits > 16 or kind == 3 or (kind == 2 and bits <= 8):
        what = {2: "signed whole numbers", 3: "fractions"}.get(kind, "whole numbers")
        raise ImageError(
            f"a TIFF of {bits}-bit {what} is not read: scale them to the range of 8 or 16 bits, without a sign"
        )


def _require_sane_tiles(content: bytes, tags: dict[int, Tag]) -> None:
    """Refuse tiles larger than the image, and JPEG strips or tiles with many scans each."""
    image = _first(tags, WIDTH, 0) * _first(tags, LENGTH, 0)
    tile = _first(tags, TILE_WIDTH, 0) * _first(tags, TILE_LENGTH, 0)
    if tile > max(image, MAX_TILE):
        raise ImageError(f"cannot be decoded: its tiles of {tile:,} pixels are larger than the image")
    if _first(tags, COMPRESSION, 1) == 7:
        pieces = max((tags[number].count for number in (STRIPS, TILES) if number in tags), default=1)
        require_at_most(MAX_SCANS, "scans in each strip or tile", content.count(b"\xff\xda") // max(1, pieces))
