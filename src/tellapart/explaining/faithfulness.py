"""Whether a map means anything: what becomes of the class when the marked pixels are taken away, or given first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.data.image import ImageArray
from tellapart.data.pipeline import Runner
from tellapart.data.preprocessing import to_image
from tellapart.explaining.centred_logits import Heat, in_range

STEPS = 10  # of the pixels, the most important first: with the random maps, 180 images to ask about
RANDOM_MAPS = 9
GRID = (7, 7)  # cells of a random map, where nothing else is said
BLUR = 0.1  # of the longer side: only the rough colours stay


@dataclass(frozen=True)
class Faithfulness:
    """A map's two scores in [0, 1], and the means of the same scores of random maps as smooth as it.

    `deletion`: the mean probability of the class while the marked pixels are blurred away; the lower, the better.
    `insertion`: the same while they come back into a blurred image; the higher, the better.
    `beaten`: of how many of the `random_maps` insertion less deletion is larger.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    beaten: int
    random_maps: int

    @property
    def meaningful(self) -> bool:
        """Whether it beats every random map; a map without meaning would once in `random_maps` + 1 times."""
        return self.beaten == self.random_maps

    @property
    def meaning(self) -> str:
        """What the scores say of the map, in words for a beginner."""
        if self.meaningful:
            return (
                f"This map can be trusted: the answer hangs on what it marks more than on what any of "
                f"{self.random_maps} random maps marks."
            )
        if 2 * self.beaten > self.random_maps:
            chance = self.random_maps - self.beaten + 1
            return (
                f"This map says something, with doubt: it does better than {self.beaten} of {self.random_maps} random "
                f"maps. A map drawn blindly does as well in {chance} cases of {self.random_maps + 1}."
            )
        return (
            f"This map is meaningless: it does better than only {self.beaten} of {self.random_maps} random maps, so "
            f"what it marks is not what the answer hangs on."
        )


def faithfulness(
    runner: Runner,
    image: ImageArray,
    heat: Heat,
    index: int,
    *,
    cells: tuple[int, int] = GRID,
    steps: int = STEPS,
    seed: int = 0,
) -> Faithfulness:
    """Score a map of an image, both at its size, for a class by its index; and `RANDOM_MAPS` maps of that many cells.

    Asks `runner` 20 * (`steps` - 1) + 2 times. The scores are areas under the class's probability over the share of
    pixels. Source: Petsiuk et al., RISE (2018), section 4.1. Deleted pixels are blurred rather than grey: patches of
    one colour, with sharp edges, are unlike any image that the classifier was made for.
    """
    rng = np.random.default_rng(seed)
    heats = [heat, *(random_heat(cells, heat.shape, rng) for _ in range(RANDOM_MAPS))]
    ranks = [ranked(one, rng) for one in heats]
    images = _between(image, _blurred(image), ranks, steps)
    answers = np.concatenate([rows[:, index] for rows in runner.run(_batched(images, runner.batch))])
    whole, nothing = (float(one) for one in answers[:2])
    curves = answers[2:].reshape(len(heats), 2, steps - 1).astype(np.float64)
    deletions = _areas(whole, curves[:, 0], nothing)
    insertions = _areas(nothing, curves[:, 1], whole)
    gains = insertions - deletions
    return Faithfulness(
        deletion=float(deletions[0]),
        insertion=float(insertions[0]),
        random_deletion=float(deletions[1:].mean()),
        random_insertion=float(insertions[1:].mean()),
        beaten=int((gains[0] > gains[1:]).sum()),
        random_maps=RANDOM_MAPS,
    )


def random_heat(cells: tuple[int, int], shape: tuple[int, ...], rng: np.random.Generator) -> Heat:
    """A map that knows nothing: random cells, enlarged as every map is, float32 (height, width) in [0, 1]."""
    return enlarged(rng.random(cells, np.float32), shape[0], shape[1])


def enlarged(heat: Heat, height: int, width: int) -> Heat:
    """Cells spread over the image they lie on, bilinearly: float32 (height, width) in the same range."""
    pil_image = Image.fromarray(heat.astype(np.float32))
    spread: Heat = np.asarray(pil_image.resize((width, height), Image.Resampling.BILINEAR))
    return np.clip(spread, heat.min(), heat.max())


def ranked(heat: Heat, rng: np.random.Generator) -> NDArray[np.int64]:
    """Each pixel's place when the most important comes first, of equal ones any: int64 (height, width)."""
    flat = in_range(heat).ravel()
    places = np.empty(flat.size, np.int64)
    places[np.lexsort((rng.random(flat.size), -flat))] = np.arange(flat.size)
    return places.reshape(heat.shape)


def _between(
    image: ImageArray, blurred: ImageArray, ranks: Iterable[NDArray[np.int64]], steps: int
) -> Iterator[ImageArray]:
    """The two ends, then for each ranking the images of deletion and those of insertion, in between."""
    yield image
    yield blurred
    for rank in ranks:
        first = [rank[:, :, np.newaxis] < round(step / steps * rank.size) for step in range(1, steps)]
        for mask in first:
            yield np.where(mask, blurred, image)
        for mask in first:
            yield np.where(mask, image, blurred)


def _batched(images: Iterator[ImageArray], size: int) -> Iterator[ImageArray]:
    while some := list(islice(images, size)):
        yield np.stack(some)


def _areas(first: float, between: NDArray[np.float64], last: float) -> NDArray[np.float64]:
    """Areas under curves (n, steps - 1) from their common first value to their common last: float64 (n,)."""
    steps = between.shape[1] + 1
    areas: NDArray[np.float64] = (between.sum(axis=1) + (first + last) / 2) / steps
    return areas


def _blurred(image: ImageArray) -> ImageArray:
    radius = BLUR * max(image.shape)
    array = np.asarray(to_image(image).filter(ImageFilter.GaussianBlur(radius)))
    return array.reshape(image.shape)
