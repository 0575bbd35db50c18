"""Turning, moving, slanting and scaling images: whatever is asked for, each pixel is sampled once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.data.augmentation.random_draws import Column

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Affine:
    """For each of n images where the pixels of the result come from: position = matrix @ (y, x) + offset.

    Positions are pixels, y down and x to the right, counted from the image's middle. float64 (n, 2, 2), (n, 2).
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def then(self, yy: ArrayLike, yx: ArrayLike, xy: ArrayLike, xx: ArrayLike) -> "Affine":
        """Go on with a matrix of each image, row by row."""
        step = np.empty_like(self.matrix)
        step[:, 0, 0], step[:, 0, 1], step[:, 1, 0], step[:, 1, 1] = yy, yx, xy, xx
        return Affine(self.matrix @ step, self.offset)

    def turned(self, degrees: Column) -> "Affine":
        """Turn each image; more than 0 is anticlockwise."""
        sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        return self.then(cosine, sine, -sine, cosine)

    def slanted(self, *, y: ArrayLike = 0.0, x: ArrayLike = 0.0) -> "Affine":
        """Move each row by x times its distance from the middle; or each column by y."""
        return self.then(1.0, y, x, 1.0)

    def scaled(self, factor: Column) -> "Affine":
        """Make each image larger by a factor."""
        return self.then(1 / factor, 0.0, 0.0, 1 / factor)

    def moved(self, y: ArrayLike, x: ArrayLike) -> "Affine":
        """Move what is seen by so many pixels of the original, down and to the right."""
        by = np.empty_like(self.offset)
        by[:, 0], by[:, 1] = y, x
        return Affine(self.matrix, self.offset - (self.matrix @ by[:, :, np.newaxis])[:, :, 0])


def identity(count: int) -> Affine:
    """Every image as it is."""
    return Affine(np.tile(np.eye(2), (count, 1, 1)), np.zeros((count, 2)))


def warp(images: NDArray[np.uint8], affine: Affine) -> NDArray[np.uint8]:
    """Sample uint8 (n, h, w, c) images bilinearly; beyond its border an image goes on as its mirror image."""
    _, height, width, channels = images.shape
    y = _reflected(_positions(affine, 0, height, width), height)
    x = _reflected(_positions(affine, 1, height, width), width)
    corner_y, corner_x = y.astype(np.intp), x.astype(np.intp)
    y -= corner_y
    x -= corner_x
    planes = _with_margin(images)
    corner = _flat(corner_y, corner_x, height + 1, width + 1)
    result = np.empty_like(images)
    for channel in range(channels):
        result[..., channel] = _sampled(planes[channel].reshape(-1), corner, width + 1, y, x)
    return result


def _positions(affine: Affine, axis: int, height: int, width: int) -> Plane:
    """Where each pixel comes from along one axis, counted from the first pixel: float32 (n, height, width)."""
    rows, columns = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    middle = ((height, width)[axis] - 1) / 2
    down = affine.matrix[:, axis, :1] * rows + affine.offset[:, axis, np.newaxis] + middle
    across = affine.matrix[:, axis, 1:] * columns
    return down.astype(np.float32)[:, :, np.newaxis] + across.astype(np.float32)[:, np.newaxis, :]


def _reflected(position: Plane, side: int) -> Plane:
    """Fold positions back into [0, side - 1], in place."""
    last, period = np.float32(side - 1), np.float32(max(2 * (side - 1), 1))
    np.abs(position, out=position)
    if position.max(initial=0) > 2 * last:
        np.remainder(position, period, out=position)
    position -= last
    np.abs(position, out=position)
    np.subtract(last, position, out=position)
    return np.maximum(position, 0, out=position)


def _with_margin(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each channel by itself, (c, n, h + 1, w + 1): with a last row and column twice every pixel has neighbours."""
    count, height, width, channels = images.shape
    planes = np.empty((channels, count, height + 1, width + 1), np.uint8)
    planes[:, :, :height, :width] = images.transpose(3, 0, 1, 2)
    planes[:, :, height, :width] = planes[:, :, height - 1, :width]
    planes[:, :, :, width] = planes[:, :, :, width - 1]
    return planes


def _flat(y: NDArray[np.intp], x: NDArray[np.intp], height: int, width: int) -> NDArray[np.intp]:
    """Where (y, x) of each image lies in all of them one after the other; overwrites y."""
    y *= width
    y += x
    y += (np.arange(len(y)) * (height * width))[:, np.newaxis, np.newaxis]
    return y


def _sampled(flat: NDArray[np.uint8], corner: NDArray[np.intp], width: int, y: Plane, x: Plane) -> Plane:
    """Weigh the four pixels around each position; 0.5 is added, so that cutting the fraction off rounds."""
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
