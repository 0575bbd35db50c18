"""RandAugment: a few of 14 operations, all at one strength.

Source: Cubuk et al. 2020, "RandAugment: Practical automated data augmentation with a reduced search space"; the
range at the maximum strength is AutoAugment's (Cubuk et al. 2019), and its number, 30, torchvision's. Operations that
move pixels are combined into the one resampling of `warping`; those that change values follow in the order drawn.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from tellapart.data.augmentation.augmentation import MAX_STRENGTH
from tellapart.data.augmentation.random_draws import Column, Draws
from tellapart.data.augmentation.warping import Affine
from tellapart.data.decode import ImageArray
from tellapart.data.preprocessing import to_image

Operation = Callable[[Image.Image, float], Image.Image]

# At maximum strength: 30 degrees, a shear of 0.3, 0.45 of the side, factors of 1.9 or 0.1, 4 bits, all values inverted.
MOVES = ("rotate", "shear_x", "shear_y", "shift_x", "shift_y")
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
