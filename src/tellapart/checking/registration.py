"""How far one thumbnail is the other, moved and scaled a little: what tells a cropped copy from a likeness.

An image that is moved by d changes by its gradient times d, in first order. So the difference of two thumbnails
is explained by least squares from their gradients, times the place for a change of scale; what is left unexplained
of a copy is next to nothing. Source: Lucas and Kanade, An iterative image registration technique, IJCAI 1981.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.image_facts import SIDE, Thumbnail

Values = NDArray[np.float32]
BLOCKS = 8  # a side, of the rough look
PLACE = np.linspace(-1, 1, SIDE, dtype=np.float32)
CHUNK = 1024  # thumbnails that are worked on at once
TINY = 1e-6  # against a division by 0


@dataclass(frozen=True, eq=False)
class Rough:
    """Many thumbnails as 8 x 8 blocks: float32 (n, 64), and how they change when moved, orthonormal (n, 64, 4)."""

    blocks: Values
    moves: Values


def rough(thumbnails: Thumbnail) -> Rough:
    """Make ready for `roughly`: of uint8 (n, 32, 32)."""
    parts = [_rough(thumbnails[i : i + CHUNK]) for i in range(0, max(1, len(thumbnails)), CHUNK)]
    return Rough(np.concatenate([part.blocks for part in parts]), np.concatenate([part.moves for part in parts]))


def _rough(thumbnails: Thumbnail) -> Rough:
    blurred = _blurred(_blurred(thumbnails.astype(np.float32)))
    down, across = np.asarray(np.gradient(blurred, axis=(1, 2)), np.float32)
    fields = (across, across * PLACE, down, down * PLACE[:, np.newaxis])
    moves = np.stack([_blocks(values) for values in fields], axis=-1)
    return Rough(_blocks(blurred), np.linalg.qr(moves)[0].astype(np.float32))


def roughly(seen: Rough, one: NDArray[np.intp], other: NDArray[np.intp], *, mirrored: bool) -> Values:
    """What no move explains of the difference of pairs, float32 (pairs,): 0 for the same, about 2 for strangers."""
    a, b = seen.blocks[one], seen.blocks[other]
    if mirrored:
        b = b.reshape(-1, BLOCKS, BLOCKS)[:, :, ::-1].reshape(b.shape)
    difference = b - a
    explained = np.matmul(difference[:, np.newaxis], seen.moves[one])[:, 0]
    left = np.einsum("nd,nd->n", difference, difference) - np.einsum("nk,nk->n", explained, explained)
    energy = np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b)
    return np.asarray(left / (np.sqrt(energy) + TINY), np.float32)


def finely(one: Thumbnail, other: Thumbnail) -> Values:
    """The same at full size for pairs of uint8 (n, 32, 32), after the one was moved onto the other: float32 (n,)."""
    a, b = one.astype(np.float32), other.astype(np.float32)
    moved = _moved(a, _fitted(a, b)[0])
    return _fitted(moved, b)[1]


def _fitted(one: Values, other: Values) -> tuple[Values, Values]:
    """Give the move that explains most, in pixels (n, 4): across, wider, down, taller; and what is left (n,)."""
    a, b = _blurred(one), _blurred(other)
    down, across = np.asarray(np.gradient((a + b) / 2, axis=(1, 2)), np.float32)
    inside = (slice(None), slice(1, -1), slice(1, -1))  # at the rim there is no gradient to speak of
    fields = (across, across * PLACE, down, down * PLACE[:, np.newaxis])
    moves = np.stack([_flat(values[inside]) for values in fields], axis=-1)
    a, b = _flat(a[inside]), _flat(b[inside])
    normal = moves.transpose(0, 2, 1) @ moves
    ridge = 1e-3 * np.trace(normal, axis1=1, axis2=2) + TINY  # an image of stripes cannot tell one move
    normal += ridge[:, np.newaxis, np.newaxis] * np.eye(4, dtype=np.float32)
    difference = (b - a)[:, :, np.newaxis]
    move = np.linalg.solve(normal, moves.transpose(0, 2, 1) @ difference)
    left = np.square(difference - moves @ move).mean(axis=(1, 2))
    return move[:, :, 0], left / (np.sqrt(np.square(a).mean(axis=1) * np.square(b).mean(axis=1)) + TINY)


def _moved(thumbnails: Values, move: Values) -> Values:
    """Take each pixel from where the move says it comes."""
    across = _taken(move[:, 0:1] + move[:, 1:2] * PLACE)
    down = _taken(move[:, 2:3] + move[:, 3:4] * PLACE)
    return np.asarray(down @ thumbnails @ across.transpose(0, 2, 1))


def _taken(offset: Values) -> Values:
    """Weigh the pixels of a line for each one of it, (n, 32, 32): cubic convolution. Source: Keys 1981, a = -0.5."""
    line = np.arange(SIDE, dtype=np.float32)
    come = np.clip(line + offset, 0, SIDE - 1)
    far = np.abs(come[:, :, np.newaxis] - line)
    near = (1.5 * far - 2.5) * far**2 + 1
    wide = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(far < 1, near, np.where(far < 2, wide, 0))
    return np.asarray(weights / weights.sum(axis=2, keepdims=True), np.float32)


def _blurred(values: Values) -> Values:
    """Smooth by 1 2 1 both ways; the rim is repeated."""
    wide = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge")
    tall = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    return np.asarray((tall[:, :, :-2] + 2 * tall[:, :, 1:-1] + tall[:, :, 2:]) / 4)


def _blocks(values: Values) -> Values:
    """Average over 8 x 8 blocks and take the mean off: (n, 64)."""
    width = SIDE // BLOCKS
    return _flat(values.reshape(-1, BLOCKS, width, BLOCKS, width).mean(axis=(2, 4)))


def _flat(values: Values) -> Values:
    rows = values.reshape(len(values), math.prod(values.shape[1:]))
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))
