"""Limits on the structure of a JPEG 2000 file. Source: ITU-T T.800, annexes A and I.

A file of a hundred bytes may divide millions of pixels into tiles, precincts or code-blocks of a few pixels each, for
each of which the decoder keeps some hundred bytes.
"""

import struct
from collections.abc import Iterator

from tellapart.data.decoding.container_parts import MAX_PARTS, boxes, require_at_most
from tellapart.errors import ImageError

CODESTREAM = b"\xff\x4f\xff\x51"
MAX_TILES = 4_096  # 200 million pixels in tiles of 256 x 256 are 3,052
MAX_TILE_PARTS = 20_000
MAX_LAYERS = 100  # programs write 1 to 20
MIN_PRECINCT, MIN_BLOCK = 5, 4  # of 32 and 16 pixels, as powers of two; programs write 64 and more
SIZE, CODING, CODING_OF_ONE, TILE_PART, DATA = 0x51, 0x52, 0x53, 0x90, 0x93
KNOWN = {0x50, SIZE, CODING, CODING_OF_ONE, 0x55, 0x57, 0x58, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63, 0x64, TILE_PART}
"""Others would have to be passed over just as the decoder does it."""


def check_jpeg2000(content: bytes) -> None:
    """Refuse a JPEG 2000 file divided into too many or too small parts. Raises ImageError."""
    tile_parts = headers = 0
    for marker, body in _markers(content, _codestream(content)):
        headers, tile_parts = headers + (marker != TILE_PART), tile_parts + (marker == TILE_PART)
        require_at_most(MAX_PARTS + 10 * tile_parts, "markers", headers)
        require_at_most(MAX_TILE_PARTS, "parts of tiles", tile_parts)
        if marker == SIZE:
            _check_size(content, body)
        elif marker == CODING:
            require_at_most(MAX_LAYERS, "layers", int.from_bytes(body[2:4]))
            _check_coding(body[0], body[5:])
        elif marker == CODING_OF_ONE:  # of one of at most 4 components, so that its number has one byte
            _check_coding(body[1], body[2:])


def _codestream(content: bytes) -> int:
    """Return the offset of the codestream; that of the end of the file if it has none."""
    if content.startswith(CODESTREAM):
        return 0
    return next((box.start for box in boxes(content, 0, len(content), b"jp2c")), len(content))


def _markers(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield each marker segment of the headers, without its length; the pixels of tiles are passed over."""
    at += 2
    tile_end = len(content)
    while at + 4 <= len(content) and content[at : at + 2] != b"\xff\xd9":
        marker = content[at + 1]
        if content[at] == 0xFF and marker == DATA:
            at = tile_end
            continue
        if content[at] != 0xFF or marker not in KNOWN:
            raise ImageError("cannot be decoded: it has parts of an unknown kind")
        length = max(2, int.from_bytes(content[at + 2 : at + 4]))
        body = content[at + 4 : at + 2 + length] + bytes(12)  # padded, so that a stump has its fields
        yield marker, body
        if marker == TILE_PART:
            size = int.from_bytes(body[2:6])
            tile_end = max(at + size, at + 2 + length) if size else len(content)
        at += 2 + length


def _check_size(content: bytes, body: bytes) -> None:
    """Check the size of the canvas and of tiles, which also must be what the file's header says."""
    if len(body) < 36:
        return
    right, below, left, above, width, height, tiles_left, tiles_above = struct.unpack_from(">8I", body, 2)
    across = -(-(right - tiles_left) // max(1, width))
    down = -(-(below - tiles_above) // max(1, height))
    require_at_most(MAX_TILES, "tiles", max(0, across) * max(0, down))
    for header in boxes(content, 0, len(content), b"jp2h"):
        for size in boxes(content, header.start, header.stop, b"ihdr"):
            if content[size.start : size.start + 8] != struct.pack(">II", max(0, below - above), max(0, right - left)):
                raise ImageError("cannot be decoded: its header and its pixels are of different sizes")


def _check_coding(style: int, body: bytes) -> None:
    """Check the size of code-blocks, and of precincts where the style says that they are given."""
    levels, block_width, block_height = body[0], body[1] + 2, body[2] + 2
    if min(block_width, block_height) < MIN_BLOCK:
        raise ImageError("cannot be decoded: its code-blocks are smaller than any program writes")
    sizes = body[5 : 6 + levels] if style & 1 else b""
    if any(min(size & 15, size >> 4) < MIN_PRECINCT for size in sizes[1:]):  # the first is of the smallest resolution
        raise ImageError("cannot be decoded: its precincts are smaller than any program writes")
