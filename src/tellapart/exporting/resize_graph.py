"""Resizing inside an exported graph: uint8 images of any size in, the pixels of `Preprocessing` out.

Written in TensorFlow's operations, which every other format is converted from. It follows `data.preprocessing` and
`data.keras_resize` to the letter, so that the same pixels are sampled with the same weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tellapart.data.preprocessing import Preprocessing

CUBIC = -0.5  # Pillow's coefficient of the bicubic filter
Tensor = Any
"""A TensorFlow tensor, which is untyped, like its types of numbers."""
DType = Any


@dataclass(frozen=True)
class _Axis:
    """The resizing of one axis: `box` pixels from `start` on become `inner` pixels, at `offset` of `new` in all.

    `length` is that of the image. All but `new` are scalar tensors; `start` and `box` may be fractions of pixels.
    """

    length: Tensor
    start: Tensor
    box: Tensor
    inner: Tensor
    offset: Tensor
    new: int


def resize_function(preprocessing: Preprocessing, *, precise: bool = True) -> Callable[[Tensor], Tensor]:
    """Return a function from uint8 (n, h, w, channels) of any height and width to uint8 (n, height, width, channels).

    Unless `precise`, positions are computed in float32, for runtimes without float64.
    """
    dtype = tf.float64 if precise else tf.float32

    def resize(images: Tensor) -> Tensor:
        shape = tf.shape(images)
        rows, columns = _axes(preprocessing, shape[1], shape[2], dtype)
        if preprocessing.resize == "pillow-bicubic":
            return _bicubic(images, rows, columns)
        if preprocessing.resize == "keras-bilinear":
            return _bilinear(images, rows, columns)
        return _nearest(images, rows, columns)

    return resize


def _axes(preprocessing: Preprocessing, height: Tensor, width: Tensor, dtype: DType) -> tuple[_Axis, _Axis]:
    """Return the axes of rows and columns of images of a size, int32 scalars."""
    sides, new = (height, width), (preprocessing.height, preprocessing.width)
    if preprocessing.fit == "stretch":
        placed = [(0, side, side_new, 0) for side, side_new in zip(sides, new, strict=True)]
    elif preprocessing.resize == "keras-bilinear":
        placed = (_keras_crop if preprocessing.fit == "crop" else _keras_pad)(sides, new)
    elif preprocessing.fit == "pad":
        placed = _pad(sides, new, dtype)
    else:
        placed = (_crop_whole if preprocessing.resize == "keras-nearest" else _crop)(sides, new, dtype)
    real = tf.float32 if preprocessing.resize == "keras-bilinear" else dtype
    rows, columns = (
        _Axis(side, tf.cast(start, real), tf.cast(box, real), inner, offset, side_new)
        for side, side_new, (start, box, inner, offset) in zip(sides, new, placed, strict=True)
    )
    return rows, columns


Pair = tuple[Tensor, Tensor]
Sizes = tuple[int, int]
Placed = list[tuple[Tensor, Tensor, Tensor, Tensor]]
"""For rows and columns `start`, `box`, `inner` and `offset` of an _Axis."""


def _crop(sides: Pair, new: Sizes, dtype: DType) -> Placed:
    """As `_centred_box`: the largest centred box, in fractions of pixels, which Pillow keeps in float32."""
    (height, width), aspect = (tf.cast(side, dtype) for side in sides), new[1] / new[0]
    boxes = tf.minimum(height, width / aspect), tf.minimum(width, height * aspect)
    starts = [(side - box) / 2 for side, box in zip((height, width), boxes, strict=True)]
    edges = [
        tuple(tf.cast(tf.cast(edge, tf.float32), dtype) for edge in (start, start + box))
        for start, box in zip(starts, boxes, strict=True)
    ]
    return [(start, end - start, size, 0) for (start, end), size in zip(edges, new, strict=True)]


def _crop_whole(sides: Pair, new: Sizes, _: DType) -> Placed:
    """As `_whole_box`: the centred box in whole pixels."""
    height, width = sides
    boxes = (
        tf.minimum(height, tf.maximum(1, width * new[0] // new[1])),
        tf.minimum(width, tf.maximum(1, height * new[1] // new[0])),
    )
    return [((side - box) // 2, box, size, 0) for side, box, size in zip(sides, boxes, new, strict=True)]


def _pad(sides: Pair, new: Sizes, dtype: DType) -> Placed:
    """As `Preprocessing._pad`: the whole image in its own proportions, centred between black borders."""
    real = [tf.cast(side, dtype) for side in sides]
    scale = tf.minimum(new[1] / real[1], new[0] / real[0])
    inner = [tf.maximum(1, tf.cast(tf.round(side * scale), tf.int32)) for side in real]
    return [(0, side, own, (size - own) // 2) for side, own, size in zip(sides, inner, new, strict=True)]


def _keras_crop(sides: Pair, new: Sizes) -> Placed:
    """As `crop_bilinear`, which divides in float32."""
    height, width = sides
    boxes = [
        tf.minimum(side, tf.maximum(1, tf.cast(tf.cast(other * size, tf.float32) / other_size, tf.int32)))
        for side, other, size, other_size in ((height, width, *new), (width, height, *new[::-1]))
    ]
    return [((side - box) // 2, box, size, 0) for side, box, size in zip(sides, boxes, new, strict=True)]


def _keras_pad(sides: Pair, new: Sizes) -> Placed:
    """As `pad_bilinear`, which floors in float32."""
    real = [tf.cast(side, tf.float32) for side in sides]
    ratio = tf.maximum(real[1] / new[1], real[0] / new[0])
    exact = [side / ratio for side in real]
    inner = [tf.maximum(1, tf.cast(side, tf.int32)) for side in exact]
    offsets = [
        tf.maximum(0, tf.cast((tf.cast(size, tf.float32) - side) / 2, tf.int32))
        for size, side in zip(new, exact, strict=True)
    ]
    return [(0, side, own, offset) for side, own, offset in zip(sides, inner, offsets, strict=True)]


def _inside(axis: _Axis) -> Tensor:
    """Tell for each new pixel whether it shows the image rather than a border: bool (new,)."""
    position = tf.range(axis.new) - axis.offset
    return tf.logical_and(position >= 0, position < axis.inner)


def _bicubic(images: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    """Multiply by matrices of weights. Pillow rounds after each axis, so the first one matters to the last bit.

    It begins with rows where the image loses more than twice as many of them as columns (Pillow 13, by measurement).
    Both orders are computed, since not every format has branches.
    """
    values = tf.transpose(tf.cast(images, tf.float32), (0, 3, 1, 2))
    down, across = _weights(rows), _weights(columns)
    rows_first = _to_bytes(tf.matmul(_to_bytes(tf.matmul(down, values)), across, transpose_b=True))
    columns_first = _to_bytes(tf.matmul(down, _to_bytes(tf.matmul(values, across, transpose_b=True))))
    fewer_rows, fewer_columns = (axis.length - axis.inner for axis in (rows, columns))
    values = tf.where(fewer_rows > tf.maximum(0, 2 * fewer_columns), rows_first, columns_first)
    return tf.cast(tf.transpose(values, (0, 2, 3, 1)), tf.uint8)


def _to_bytes(values: Tensor) -> Tensor:
    return tf.clip_by_value(tf.floor(values + 0.5), 0, 255)


def _weights(axis: _Axis) -> Tensor:
    """Return the weight of each old pixel in each new one: float32 (new, length). Source: Pillow's Resample.c."""
    dtype = axis.box.dtype
    scale = axis.box / tf.cast(axis.inner, dtype)
    centres = axis.start + (tf.cast(tf.range(axis.new) - axis.offset, dtype) + 0.5) * scale
    pixels = tf.cast(tf.range(axis.length), dtype) + 0.5
    weights = _cubic(tf.abs(pixels - centres[:, tf.newaxis]) / tf.maximum(scale, 1))
    weights = weights / tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.cast(tf.where(_inside(axis)[:, tf.newaxis], weights, tf.zeros_like(weights)), tf.float32)


def _cubic(distance: Tensor) -> Tensor:
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * CUBIC
    return tf.where(distance < 1, near, tf.where(distance < 2, far, tf.zeros_like(far)))


def _bilinear(images: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    """As `resize_bilinear`: between the four nearest pixels, all arithmetic in float32."""
    above, below, down = _neighbours(rows)
    left, right, across = _neighbours(columns)
    upper, lower = (
        _between(tf.gather(line, left, axis=2), tf.gather(line, right, axis=2), across[:, tf.newaxis])
        for line in (tf.cast(tf.gather(images, row, axis=1), tf.float32) for row in (above, below))
    )
    mixed = tf.round(_between(upper, lower, down[:, tf.newaxis, tf.newaxis]))
    return _bordered(tf.cast(mixed, tf.uint8), rows, columns)


def _neighbours(axis: _Axis) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels before and after each new pixel's centre, int32 (new,), and its distance from the first."""
    scale = axis.box / tf.cast(axis.inner, tf.float32)
    centres = (tf.cast(tf.range(axis.new) - axis.offset, tf.float32) + 0.5) * scale - 0.5
    start, last = tf.cast(axis.start, tf.int32), tf.cast(axis.box, tf.int32) - 1
    before, after = (
        start + tf.clip_by_value(tf.cast(edge, tf.int32), 0, last)
        for edge in (tf.floor(centres), tf.math.ceil(centres))
    )
    return before, after, centres - tf.floor(centres)


def _between(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    return first + (second - first) * weights


def _nearest(images: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    """Take the nearest pixels, as Pillow."""
    chosen = tf.gather(tf.gather(images, _chosen(rows), axis=1), _chosen(columns), axis=2)
    return _bordered(chosen, rows, columns)


def _chosen(axis: _Axis) -> Tensor:
    """Return the old pixel of each new one, int32 (new,). Like Pillow it adds up steps: rounding decides ties."""
    step = axis.box / tf.cast(axis.inner, axis.box.dtype)
    positions = tf.range(axis.new)
    steps = tf.where(positions == 0, axis.start + step * 0.5, tf.fill([axis.new], step))
    old = tf.cast(tf.cumsum(steps), tf.int32)
    old = tf.gather(old, tf.clip_by_value(positions - axis.offset, 0, axis.new - 1))
    return tf.clip_by_value(old, 0, axis.length - 1)


def _bordered(images: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    """Blacken what does not show the image."""
    inside = tf.logical_and(_inside(rows)[:, tf.newaxis], _inside(columns))
    return tf.where(inside[:, :, tf.newaxis], images, tf.zeros_like(images))
