"""Faithfulness of saliency maps: deletion and insertion scores, compared with those of random maps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.pipeline import Runner
from tellapart.data.preprocessing import to_image
from tellapart.explaining.centred_logits import Heat, rescale

STEPS = 10  # in which the pixels are deleted or inserted: with the random maps, 180 images to predict
RANDOM_MAPS = 9
GRID = (7, 7)  # cells of a random map by default
BLUR = 0.1  # radius over the longer side: only rough colours remain


@dataclass(frozen=True)
class Faithfulness:
    """A map's two scores in [0, 1], and the means of the same scores of equally smooth random maps.

    `deletion`: the mean probability of the class while the marked pixels are blurred; the lower, the better.
    `insertion`: the same while they are restored in a blurred image; the higher, the better.
    `beaten`: the number of the `random_maps` with a smaller insertion minus deletion.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    beaten: int
    random_maps: int

    @property
    def meaningful(self) -> bool:
        """True if it beats every random map, and is better than they are by both scores.

        A meaningless map beats them all once in `random_maps` + 1 times.
        """
        return self.beaten == self.random_maps and not self._failed

    @property
    def _failed(self) -> tuple[str, ...]:
        """The scores by which random maps are at least as good on average."""
        deletion = ("hiding what it marks",) if self.deletion >= self.random_deletion else ()
        return deletion + (("showing only what it marks",) if self.insertion <= self.random_insertion else ())

    @property
    def meaning(self) -> str:
        """An interpretation of the scores for beginners."""
        if self.meaningful:
            return (
                f"This map can be trusted: the prediction depends more on the regions it marks than on those of any of "
                f"{self.random_maps} random maps."
            )
        if self.beaten == self.random_maps:
            return (
                f"This map is doubtful: it beats {self.random_maps} of {self.random_maps} random maps by both scores "
                f"together, but by {' and by '.join(self._failed)} alone it is no better than they are."
            )
        if 2 * self.beaten > self.random_maps:
            chance = self.random_maps - self.beaten + 1
            return (
                f"This map is doubtful: it is better than {self.beaten} of {self.random_maps} random maps. A random "
                f"map is as good in {chance} cases of {self.random_maps + 1}."
            )
        return (
            f"This map is meaningless: it is better than only {self.beaten} of {self.random_maps} random maps, so the "
            f"prediction does not depend on the regions it marks."
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
    """Score a map, of the image's size, for a class by its index, and `RANDOM_MAPS` random maps with `cells`.

    Takes 20 * (`steps` - 1) + 2 predictions of `runner`. The scores are areas under the class's probability over the
    share of pixels. Source: Petsiuk et al., RISE (2018), section 4.1. Deleted pixels are blurred rather than grey:
    patches of one colour with sharp edges are unlike any training image.
    """
    rng = np.random.default_rng(seed)
    heats = [heat, *(random_heat(cells, heat.shape, rng) for _ in range(RANDOM_MAPS))]
    ranks = [rank_pixels(each, rng) for each in heats]
    images = _deletions_and_insertions(image, _blur(image), ranks, steps)
    probs = np.concatenate([rows[:, index] for rows in runner.run(_batches(images, runner.batch))])
    original, blurred = (float(prob) for prob in probs[:2])
    curves = probs[2:].reshape(len(heats), 2, steps - 1).astype(np.float64)
    deletions = _areas(original, curves[:, 0], blurred)
    insertions = _areas(blurred, curves[:, 1], original)
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
    """Draw a random map: random cells, upsampled like those of any map, float32 (height, width) in [0, 1]."""
    return upsample(rng.random(cells, np.float32), shape[0], shape[1])


def upsample(heat: Heat, height: int, width: int) -> Heat:
    """Upsample cells bilinearly to the image's size: float32 (height, width) in the same range."""
    pil_image = Image.fromarray(heat.astype(np.float32))
    upsampled: Heat = np.asarray(pil_image.resize((width, height), Image.Resampling.BILINEAR))
    return np.clip(upsampled, heat.min(), heat.max())


def rank_pixels(heat: Heat, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rank pixels by descending heat, ties in random order: int64 (height, width)."""
    flat = rescale(heat).ravel()
    ranks = np.empty(flat.size, np.int64)
    ranks[np.lexsort((rng.random(flat.size), -flat))] = np.arange(flat.size)
    return ranks.reshape(heat.shape)


def _deletions_and_insertions(
    image: ImageArray, blurred: ImageArray, ranks: Iterable[NDArray[np.int64]], steps: int
) -> Iterator[ImageArray]:
    """The image, the blurred one, then for each ranking the steps of deletion and those of insertion between them."""
    yield image
    yield blurred
    for rank in ranks:
        masks = [rank[:, :, np.newaxis] < round(step / steps * rank.size) for step in range(1, steps)]
        for mask in masks:
            yield np.where(mask, blurred, image)
        for mask in masks:
            yield np.where(mask, image, blurred)


def _batches(images: Iterator[ImageArray], size: int) -> Iterator[ImageArray]:
    while batch := list(islice(images, size)):
        yield np.stack(batch)


def _areas(first: float, between: NDArray[np.float64], last: float) -> NDArray[np.float64]:
    """Areas under curves (n, steps - 1) with a common first and a common last value: float64 (n,)."""
    steps = between.shape[1] + 1
    areas: NDArray[np.float64] = (between.sum(axis=1) + (first + last) / 2) / steps
    return areas


def _blur(image: ImageArray) -> ImageArray:
    radius = BLUR * max(image.shape)
    array = np.asarray(to_image(image).filter(ImageFilter.GaussianBlur(radius)))
    return array.reshape(image.shape)
