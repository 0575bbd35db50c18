"""Affine warping: rotations, shifts, shears and scalings combined, so that each pixel is sampled once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.data.augmentation.random_draws import Column

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Affine:
    """The source position of each pixel of the result, for n images: position = matrix @ (y, x) + offset.

    Positions are pixels, y down and x to the right, measured from the image's centre. float64 (n, 2, 2), (n, 2).
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def then(self, yy: ArrayLike, yx: ArrayLike, xy: ArrayLike, xx: ArrayLike) -> "Affine":
        """Compose with a matrix for each image, given row by row."""
        step = np.empty_like(self.matrix)
        step[:, 0, 0], step[:, 0, 1], step[:, 1, 0], step[:, 1, 1] = yy, yx, xy, xx
        return Affine(self.matrix @ step, self.offset)

    def rotated(self, degrees: Column) -> "Affine":
        """Rotate each image, anticlockwise for positive angles."""
        sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        return self.then(cosine, sine, -sine, cosine)

    def sheared(self, *, y: ArrayLike = 0.0, x: ArrayLike = 0.0) -> "Affine":
        """Shear: shift each row by x times its distance from the centre, or each column by y."""
        return self.then(1.0, y, x, 1.0)

    def scaled(self, factor: Column) -> "Affine":
        """Scale each image by a factor."""
        return self.then(1 / factor, 0.0, 0.0, 1 / factor)

    def shifted(self, y: ArrayLike, x: ArrayLike) -> "Affine":
        """Shift the content by pixels of the original, down and to the right."""
        shift = np.empty_like(self.offset)
        shift[:, 0], shift[:, 1] = y, x
        return Affine(self.matrix, self.offset - (self.matrix @ shift[:, :, np.newaxis])[:, :, 0])


def identity(count: int) -> Affine:
    """Return the map that changes no image."""
    return Affine(np.tile(np.eye(2), (count, 1, 1)), np.zeros((count, 2)))


def warp(images: NDArray[np.uint8], affine: Affine) -> NDArray[np.uint8]:
    """Sample images, uint8 (n, h, w, c), bilinearly; beyond its border an image is reflected."""
    _, height, width, channels = images.shape
    y = _reflect(_positions(affine, 0, height, width), height)
    x = _reflect(_positions(affine, 1, height, width), width)
    corner_y, corner_x = y.astype(np.intp), x.astype(np.intp)
    y -= corner_y
    x -= corner_x
    planes = _pad_planes(images)
    corner = _flat_index(corner_y, corner_x, height + 1, width + 1)
    result = np.empty_like(images)
    for channel in range(channels):
        result[..., channel] = _sample(planes[channel].reshape(-1), corner, width + 1, y, x)
    return result


def _positions(affine: Affine, axis: int, height: int, width: int) -> Plane:
    """Compute the source of each pixel along one axis, from the first pixel on: float32 (n, height, width)."""
    rows, columns = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    middle = ((height, width)[axis] - 1) / 2
    down = affine.matrix[:, axis, :1] * rows + affine.offset[:, axis, np.newaxis] + middle
    across = affine.matrix[:, axis, 1:] * columns
    return down.astype(np.float32)[:, :, np.newaxis] + across.astype(np.float32)[:, np.newaxis, :]


def _reflect(position: Plane, side: int) -> Plane:
    """Fold positions back into [0, side - 1], in place."""
    last, period = np.float32(side - 1), np.float32(max(2 * (side - 1), 1))
    np.abs(position, out=position)
    if position.max(initial=0) > 2 * last:
        np.remainder(position, period, out=position)
    position -= last
    np.abs(position, out=position)
    np.subtract(last, position, out=position)
    return np.maximum(position, 0, out=position)


def _pad_planes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Separate the channels, (c, n, h + 1, w + 1), and repeat the last row and column as neighbours of the last."""
    count, height, width, channels = images.shape
    planes = np.empty((channels, count, height + 1, width + 1), np.uint8)
    planes[:, :, :height, :width] = images.transpose(3, 0, 1, 2)
    planes[:, :, height, :width] = planes[:, :, height - 1, :width]
    planes[:, :, :, width] = planes[:, :, :, width - 1]
    return planes


def _flat_index(y: NDArray[np.intp], x: NDArray[np.intp], height: int, width: int) -> NDArray[np.intp]:
    """Return the flat index of (y, x) of each image in all of them; overwrites y."""
    y *= width
    y += x
    y += (np.arange(len(y)) * (height * width))[:, np.newaxis, np.newaxis]
    return y


def _sample(flat: NDArray[np.uint8], corner: NDArray[np.intp], width: int, y: Plane, x: Plane) -> Plane:
    """Interpolate the four pixels around each position, plus 0.5, so that truncation rounds."""
    upper, right = (flat[step:].take(corner, mode="clip").astype(np.float32) for step in (0, 1))
    lower, lower_right = (flat[step:].take(corner, mode="clip").astype(np.float32) for step in (width, width + 1))
    right -= upper
    right *= x
    upper += right
    lower_right -= lower
    lower_right *= x
    lower += lower_right
    lower -= upper
    lower *= y
    upper += lower
    upper += np.float32(0.5)
    return upper
