"""Register thumbnails: how much of their difference a small move and change of scale explains.

An image moved by d changes by its gradient times d, to first order. The difference of two thumbnails is therefore
fitted by least squares from their gradients, times the position for a change of scale; the residual of a cropped
duplicate is close to 0. Source: Lucas and Kanade, An iterative image registration technique, IJCAI 1981.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.image_facts import THUMBNAIL_SIDE, Thumbnail

Values = NDArray[np.float32]
BLOCKS = 8  # on a side, of a coarse thumbnail
POSITION = np.linspace(-1, 1, THUMBNAIL_SIDE, dtype=np.float32)
CHUNK = 1024  # thumbnails processed together
EPSILON = 1e-6  # avoids a division by 0


@dataclass(frozen=True, eq=False)
class CoarseThumbnails:
    """Thumbnails as 8 x 8 blocks, float32 (n, 64), and their orthonormal derivatives by a move, (n, 64, 4)."""

    blocks: Values
    moves: Values


def coarse_thumbnails(thumbnails: Thumbnail) -> CoarseThumbnails:
    """Prepare thumbnails, uint8 (n, 32, 32), for `coarse_residuals`."""
    parts = [_coarse_chunk(thumbnails[i : i + CHUNK]) for i in range(0, max(1, len(thumbnails)), CHUNK)]
    return CoarseThumbnails(
        np.concatenate([part.blocks for part in parts]), np.concatenate([part.moves for part in parts])
    )


def _coarse_chunk(thumbnails: Thumbnail) -> CoarseThumbnails:
    blurred = _blurred(_blurred(thumbnails.astype(np.float32)))
    down, across = np.asarray(np.gradient(blurred, axis=(1, 2)), np.float32)
    fields = (across, across * POSITION, down, down * POSITION[:, np.newaxis])
    moves = np.stack([_blocks(values) for values in fields], axis=-1)
    return CoarseThumbnails(_blocks(blurred), np.linalg.qr(moves)[0].astype(np.float32))


def coarse_residuals(
    thumbnails: CoarseThumbnails, i: NDArray[np.intp], j: NDArray[np.intp], *, mirrored: bool
) -> Values:
    """Return the relative residuals of pairs i, j, float32 (pairs,): 0 for equal images, about 2 for unrelated ones."""
    a, b = thumbnails.blocks[i], thumbnails.blocks[j]
    if mirrored:
        b = b.reshape(-1, BLOCKS, BLOCKS)[:, :, ::-1].reshape(b.shape)
    difference = b - a
    explained = np.matmul(difference[:, np.newaxis], thumbnails.moves[i])[:, 0]
    residual = np.einsum("nd,nd->n", difference, difference) - np.einsum("nk,nk->n", explained, explained)
    energy = np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b)
    return np.asarray(residual / (np.sqrt(energy) + EPSILON), np.float32)


def fine_residuals(first: Thumbnail, second: Thumbnail) -> Values:
    """Return the residuals of pairs of uint8 (n, 32, 32) after the first is moved onto the second: float32 (n,)."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    moved = _apply_move(a, _fit_move(a, b)[0])
    return _fit_move(moved, b)[1]


def _fit_move(first: Values, second: Values) -> tuple[Values, Values]:
    """Fit the move in pixels, (n, 4): across, wider, down, taller; and its relative residual, (n,)."""
    a, b = _blurred(first), _blurred(second)
    down, across = np.asarray(np.gradient((a + b) / 2, axis=(1, 2)), np.float32)
    inside = (slice(None), slice(1, -1), slice(1, -1))  # gradients at the border are unreliable
    fields = (across, across * POSITION, down, down * POSITION[:, np.newaxis])
    moves = np.stack([_flat(values[inside]) for values in fields], axis=-1)
    a, b = _flat(a[inside]), _flat(b[inside])
    normal = moves.transpose(0, 2, 1) @ moves
    ridge = 1e-3 * np.trace(normal, axis1=1, axis2=2) + EPSILON  # stripes do not determine a unique move
    normal += ridge[:, np.newaxis, np.newaxis] * np.eye(4, dtype=np.float32)
    difference = (b - a)[:, :, np.newaxis]
    move = np.linalg.solve(normal, moves.transpose(0, 2, 1) @ difference)
    residual = np.square(difference - moves @ move).mean(axis=(1, 2))
    return move[:, :, 0], residual / (np.sqrt(np.square(a).mean(axis=1) * np.square(b).mean(axis=1)) + EPSILON)


def _apply_move(thumbnails: Values, move: Values) -> Values:
    """Resample each thumbnail at its moved positions."""
    across = _resampling_weights(move[:, 0:1] + move[:, 1:2] * POSITION)
    down = _resampling_weights(move[:, 2:3] + move[:, 3:4] * POSITION)
    return np.asarray(down @ thumbnails @ across.transpose(0, 2, 1))


def _resampling_weights(offset: Values) -> Values:
    """Return the weights of a line's pixels, (n, 32, 32), by cubic convolution. Source: Keys 1981, a = -0.5."""
    line = np.arange(THUMBNAIL_SIDE, dtype=np.float32)
    source = np.clip(line + offset, 0, THUMBNAIL_SIDE - 1)
    distance = np.abs(source[:, :, np.newaxis] - line)
    inner = (1.5 * distance - 2.5) * distance**2 + 1
    outer = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, inner, np.where(distance < 2, outer, 0))
    return np.asarray(weights / weights.sum(axis=2, keepdims=True), np.float32)


def _blurred(values: Values) -> Values:
    """Smooth by 1 2 1 in both directions; the border is repeated."""
    wide = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge")
    tall = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    return np.asarray((tall[:, :, :-2] + 2 * tall[:, :, 1:-1] + tall[:, :, 2:]) / 4)


def _blocks(values: Values) -> Values:
    """Average over 8 x 8 blocks and subtract the mean: (n, 64)."""
    width = THUMBNAIL_SIDE // BLOCKS
    return _flat(values.reshape(-1, BLOCKS, width, BLOCKS, width).mean(axis=(2, 4)))


def _flat(values: Values) -> Values:
    rows = values.reshape(len(values), math.prod(values.shape[1:]))
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))
