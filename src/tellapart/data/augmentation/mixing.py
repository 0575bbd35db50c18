"""MixUp and CutMix: mix each example of a batch, and its target, with another of the batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.errors import RecipeError

CHUNK_VALUES = 1_000_000  # blended as float32 at a time: a large batch would otherwise take four times its memory
Inputs = NDArray[Any]
Targets = NDArray[np.float32]
Shares = NDArray[np.float64]


def mix(
    inputs: Inputs, targets: Targets, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Inputs, Targets]:
    """Mix each example with a random other; if both kinds are on, each example gets one of them at even odds.

    `inputs` are images, uint8 (n, h, w, c), or features, float (n, width), and stay so; `targets`, float32
    (n, classes), sum to as much as before. Sources: Zhang et al. 2018 (MixUp), Yun et al. 2019 (CutMix).
    Raises RecipeError for CutMix of features.
    """
    if augmentation.cutmix and inputs.ndim != 4:
        raise RecipeError(
            f"cutmix cuts images, and these are features of shape {inputs.shape}: expected (n, height, width, "
            f"channels). Use mixup, or train from pixels"
        )
    if not augmentation.mixes:
        return inputs, targets
    partner = rng.permutation(len(inputs))
    cut = rng.random(len(inputs)) < _cut_probability(augmentation)
    own = np.ones(len(inputs))
    mixed = np.array(inputs)
    if augmentation.mixup:
        own[~cut] = rng.beta(augmentation.mixup, augmentation.mixup, np.count_nonzero(~cut))
        _blend(mixed, inputs, partner, own)
    if augmentation.cutmix:
        own[cut] = _paste(mixed, inputs, partner, np.flatnonzero(cut), augmentation.cutmix, rng)
    share = own.astype(np.float32)[:, np.newaxis]
    return mixed, share * targets + (1 - share) * targets[partner]


def _cut_probability(augmentation: Augmentation) -> float:
    return 0.5 if augmentation.mixup and augmentation.cutmix else float(augmentation.cutmix > 0)


def _blend(mixed: Inputs, inputs: Inputs, partner: NDArray[np.intp], own: Shares) -> None:
    """Write own x input + (1 - own) x partner, in place; a share of 1 leaves an input exactly as it is."""
    step = max(1, CHUNK_VALUES // max(1, inputs[0].size if len(inputs) else 1))
    for start in range(0, len(inputs), step):
        part = slice(start, start + step)
        share = own[part].astype(np.float32).reshape(-1, *[1] * (inputs.ndim - 1))
        blended = share * inputs[part] + (1 - share) * inputs[partner[part]]
        mixed[part] = np.rint(blended) if np.issubdtype(inputs.dtype, np.integer) else blended


def _paste(
    mixed: Inputs,
    inputs: Inputs,
    partner: NDArray[np.intp],
    rows: NDArray[np.intp],
    alpha: float,
    rng: np.random.Generator,
) -> Shares:
    """Paste a rectangle of the partner into each of these rows; returns the share of the area that is kept."""
    height, width = inputs.shape[1:3]
    side = np.sqrt(1 - rng.beta(alpha, alpha, len(rows)))
    middle = rng.random((len(rows), 2))
    top, bottom = (_edge(middle[:, 0], sign * side, height) for sign in (-1, 1))
    left, right = (_edge(middle[:, 1], sign * side, width) for sign in (-1, 1))
    for row, y, y_end, x, x_end in zip(rows, top, bottom, left, right, strict=True):
        mixed[row, y:y_end, x:x_end] = inputs[partner[row], y:y_end, x:x_end]
    # Parts outside the image are not pasted, so the share is computed from pixels.
    kept: Shares = 1 - (bottom - top) * (right - left) / (height * width)
    return kept


def _edge(middle: Shares, side: Shares, length: int) -> NDArray[np.int64]:
    """Return the end of each rectangle in pixels, clipped to the image."""
    return np.clip(np.rint((middle + side / 2) * length), 0, length).astype(np.int64)
