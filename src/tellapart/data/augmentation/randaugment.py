"""RandAugment: a few of 14 operations, all at one strength.

Source: Cubuk et al. 2020, "RandAugment: Practical automated data augmentation with a reduced search space"; what the
strongest does is AutoAugment's range (Cubuk et al. 2019), and that it is called 30 is torchvision's scale. What moves
pixels is not done one operation after the other but joins the one resampling of `warping`; what changes values follows
in the order drawn.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from tellapart.data.augmentation.augmentation import MAX_STRENGTH
from tellapart.data.augmentation.random_draws import Column, Draws
from tellapart.data.augmentation.warping import Affine
from tellapart.data.image import ImageArray
from tellapart.data.preprocessing import to_image

Change = Callable[[Image.Image, float], Image.Image]

# At the strongest: 30 degrees, a slant of 0.3, 0.45 of the side, a factor of 1.9 or 0.1, 4 bits, every value inverted.
MOVES = ("rotate", "shear_x", "shear_y", "shift_x", "shift_y")
CHANGES: Mapping[str, Change] = {
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


def moved(affine: Affine, draws: Draws, count: int, strength: int, height: int, width: int) -> Affine:
    """Go on with those of each image's operations that move pixels."""
    for number in range(count):
        names, signed = _drawn(draws, number, strength)

        def of(name: str, names: NDArray[np.str_] = names, signed: Column = signed) -> Column:
            return np.where(names == name, signed, 0.0)

        affine = affine.turned(30 * of("rotate"))
        affine = affine.slanted(x=0.3 * of("shear_x")).slanted(y=0.3 * of("shear_y"))
        affine = affine.moved(0.45 * height * of("shift_y"), 0.45 * width * of("shift_x"))
    return affine


def recoloured(images: NDArray[np.uint8], draws: Draws, count: int, strength: int) -> NDArray[np.uint8]:
    """Do those of each image's operations that change values: uint8 (n, h, w, c), in place."""
    for number in range(count):
        names, signed = _drawn(draws, number, strength)
        for row, (name, sign) in enumerate(zip(names.tolist(), signed.tolist(), strict=True)):
            if name in CHANGES:
                images[row] = _changed(images[row], CHANGES[name], sign)
    return images


def _drawn(draws: Draws, number: int, strength: int) -> tuple[NDArray[np.str_], Column]:
    """For each image the name of its operation, and its strength in [-1, 1], of either sign."""
    names = np.array(OPERATIONS)[(draws.of(f"operation_{number}") * len(OPERATIONS)).astype(np.intp)]
    sign = np.where(draws.of(f"sign_{number}") < 0.5, -1.0, 1.0)
    return names, sign * strength / MAX_STRENGTH


def _changed(image: ImageArray, change: Change, strength: float) -> ImageArray:
    return np.asarray(change(to_image(image), strength)).reshape(image.shape)
