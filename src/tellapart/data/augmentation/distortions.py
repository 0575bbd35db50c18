"""Distortions of single images by an `Augmentation`, in batches: uint8 (n, h, w, 1 or 3) in and out."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from tellapart.data.augmentation.augmentation import MAX_STRENGTH, Augmentation
from tellapart.data.augmentation.random_draws import Column, Draws
from tellapart.data.augmentation.warping import Affine, identity, warp
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import to_image

DISTORTIONS = 1  # part of cache keys: increase it whenever the same draws give other pixels
MIN_ERASED = 0.02  # of the area; from here to 1:3.3 the ranges of Zhong et al. 2020
MAX_ERASED_RATIO = 3.3  # of height to width, or of width to height
Batch = NDArray[np.uint8]
# At maximum strength: 30 degrees, a shear of 0.3, 0.45 of the side, factors of 1.9 or 0.1, 4 bits, all values inverted.
MOVES = ("rotate", "shear_x", "shear_y", "shift_x", "shift_y")


def distort(images: Batch, augmentation: Augmentation, draws: Draws) -> Batch:
    """Flip, warp, recolour and erase, in this order; returns a copy of the same shape."""
    images = _flip(images, augmentation.flip, draws)
    if _warps(augmentation):
        images = warp(images, _affine(augmentation, draws, *images.shape[1:3]))
    if augmentation.randaugment:
        recolour(images, draws, augmentation.randaugment, augmentation.strength)
    if augmentation.brightness or augmentation.contrast:
        images = _relight(images, augmentation, draws)
    if augmentation.erase:
        _erase(images, augmentation.erase, draws)
    return images


def _flip(images: Batch, flip: str, draws: Draws) -> Batch:
    images = np.array(images)
    if flip in ("horizontal", "both"):
        rows = draws.of("flip") < 0.5
        images[rows] = images[rows, :, ::-1]
    if flip in ("vertical", "both"):
        rows = draws.of("flop") < 0.5
        images[rows] = images[rows, ::-1]
    return images


def _warps(augmentation: Augmentation) -> bool:
    values = (augmentation.rotate, augmentation.shift, augmentation.shear, augmentation.zoom, augmentation.randaugment)
    return any(values) or augmentation.crop < 1


def _affine(augmentation: Augmentation, draws: Draws, height: int, width: int) -> Affine:
    """Combine all kinds that move pixels into one map; kinds that are off leave it exactly as it is."""

    def symmetric(name: str, limit: float) -> NDArray[np.float64]:
        return draws.between(name, -limit, limit)

    affine = _window(identity(len(draws)), augmentation.crop, draws, height, width)
    affine = affine.shifted(
        symmetric("shift_y", augmentation.shift * height), symmetric("shift_x", augmentation.shift * width)
    )
    affine = affine.rotated(symmetric("rotate", augmentation.rotate))
    affine = affine.sheared(x=np.tan(np.radians(symmetric("shear", augmentation.shear))))
    affine = affine.scaled(1 + symmetric("zoom", augmentation.zoom))
    if augmentation.randaugment:
        strength = augmentation.strength
        affine = add_moves(affine, draws, augmentation.randaugment, strength, height, width)
    return affine


def _window(affine: Affine, crop: float, draws: Draws, height: int, width: int) -> Affine:
    """Choose a window of `crop` to 1 of the sides, uniformly within the image."""
    side = draws.between("crop", crop, 1.0)
    free = (1 - side) / 2
    y = (height * free) * draws.between("crop_y", -1, 1)
    x = (width * free) * draws.between("crop_x", -1, 1)
    return affine.shifted(y, x).scaled(1 / side)


def _relight(images: Batch, augmentation: Augmentation, draws: Draws) -> Batch:
    """Change brightness, then contrast about the resulting mean: one factor and one constant per image."""
    bright = draws.between("brightness", 1 - augmentation.brightness, 1 + augmentation.brightness)
    contrast = draws.between("contrast", 1 - augmentation.contrast, 1 + augmentation.contrast)
    flat = images.reshape(len(images), math.prod(images.shape[1:]))
    mean = flat.mean(axis=1) * bright
    factor, constant = bright * contrast, mean * (1 - contrast)
    values = np.arange(256) * factor[:, np.newaxis] + constant[:, np.newaxis]
    tables = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return np.take_along_axis(tables, flat, axis=1).reshape(images.shape)


def _erase(images: Batch, largest: float, draws: Draws) -> None:
    """Fill a rectangle with the mean colour in half of the images, in place. Source: Zhong et al. 2020."""
    height, width = images.shape[1:3]
    area = draws.between("erase_area", min(MIN_ERASED, largest), largest)
    shape = np.exp(draws.between("erase_shape", -np.log(MAX_ERASED_RATIO), np.log(MAX_ERASED_RATIO)))
    high = np.clip(np.rint(height * np.sqrt(area * shape)), 1, height).astype(int)
    wide = np.clip(np.rint(width * np.sqrt(area / shape)), 1, width).astype(int)
    top = (draws.of("erase_y") * (height - high + 1)).astype(int)
    left = (draws.of("erase_x") * (width - wide + 1)).astype(int)
    for row in np.flatnonzero(draws.of("erase") < 0.5):
        image: ImageArray = images[row]
        colour = np.rint(image.mean(axis=(0, 1)))
        image[top[row] : top[row] + high[row], left[row] : left[row] + wide[row]] = colour


Operation = Callable[[Image.Image, float], Image.Image]

CHANGES: Mapping[str, Operation] = {
    "identity": lambda pil_image, _: pil_image,
    "autocontrast": lambda pil_image, _: ImageOps.autocontrast(pil_image),
    "equalize": lambda pil_image, _: ImageOps.equalize(pil_image),
    "solarize": lambda pil_image, strength: ImageOps.solarize(pil_image, round(256 * (1 - abs(strength)))),
    "posterize": lambda pil_image, strength: ImageOps.posterize(pil_image, 8 - round(4 * abs(strength))),
    "color": lambda pil_image, strength: ImageEnhance.Color(pil_image).enhance(1 + 0.9 * strength),
    "contrast": lambda pil_image, strength: ImageEnhance.Contrast(pil_image).enhance(1 + 0.9 * strength),
    "brightness": lambda pil_image, strength: ImageEnhance.Brightness(pil_image).enhance(1 + 0.9 * strength),
    "sharpness": lambda pil_image, strength: ImageEnhance.Sharpness(pil_image).enhance(1 + 0.9 * strength),
}
OPERATIONS = (*MOVES, *CHANGES)


def add_moves(affine: Affine, draws: Draws, count: int, strength: int, height: int, width: int) -> Affine:
    """Add the operations that move pixels to each image's map."""
    for number in range(count):
        names, signed = _draw_operation(draws, number, strength)

        def of(name: str, names: NDArray[np.str_] = names, signed: Column = signed) -> Column:
            return np.where(names == name, signed, 0.0)

        affine = affine.rotated(30 * of("rotate"))
        affine = affine.sheared(x=0.3 * of("shear_x")).sheared(y=0.3 * of("shear_y"))
        affine = affine.shifted(0.45 * height * of("shift_y"), 0.45 * width * of("shift_x"))
    return affine


def recolour(images: NDArray[np.uint8], draws: Draws, count: int, strength: int) -> NDArray[np.uint8]:
    """Apply the operations that change values: uint8 (n, h, w, c), in place."""
    for number in range(count):
        names, signed = _draw_operation(draws, number, strength)
        for row, (name, sign) in enumerate(zip(names.tolist(), signed.tolist(), strict=True)):
            if name in CHANGES:
                images[row] = _apply(images[row], CHANGES[name], sign)
    return images


def _draw_operation(draws: Draws, number: int, strength: int) -> tuple[NDArray[np.str_], Column]:
    """Return the name of each image's operation, and its strength in [-1, 1], of either sign."""
    names = np.array(OPERATIONS)[(draws.of(f"operation_{number}") * len(OPERATIONS)).astype(np.intp)]
    sign = np.where(draws.of(f"sign_{number}") < 0.5, -1.0, 1.0)
    return names, sign * strength / MAX_STRENGTH


def _apply(image: ImageArray, operation: Operation, strength: float) -> ImageArray:
    return np.asarray(operation(to_image(image), strength)).reshape(image.shape)
