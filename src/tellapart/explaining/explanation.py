"""Where in an image a classifier looks, with the scores that say whether to believe it. No Keras here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.data.image import ImageArray, decode
from tellapart.data.pipeline import BATCH, Runner
from tellapart.errors import DatasetError, did_you_mean
from tellapart.explaining.cam import Cam, layout_of
from tellapart.explaining.centred_logits import Heat, in_range
from tellapart.explaining.faithfulness import Faithfulness, enlarged, faithfulness
from tellapart.explaining.occlusion import Occlusion

See = Callable[[ImageArray, int], Heat]
"""A method: image and class index to cells of any range, float32 (rows, columns)."""
Make = Callable[[Bundle, Callable[[], Runner]], See]
"""Makes a method ready for a bundle; the second argument gives the bundle compiled for batches."""


@dataclass(frozen=True)
class Explanation:
    """Why an image is taken for a label: heat float32 (height, width) in [0, 1] over the image as the model saw it.

    `probability` is the label's. `faithfulness` is None where it was not asked for.
    """

    label: str
    probability: float
    method: str
    image: ImageArray
    heat: Heat
    faithfulness: Faithfulness | None


class Explainer:
    """A bundle made ready to be explained by one method. Lives as long as images come; safe for several threads."""

    def __init__(self, bundle: Bundle, method: str, make: Make) -> None:
        """Verify and compile. Raises BundleError, and what `make` raises."""
        bundle.verify()
        self.bundle = bundle
        self.method = method
        self._one = compile_bundle(bundle, batch=1)
        self._see = make(bundle, lambda: self._many)

    @cached_property
    def _many(self) -> Runner:
        """For batches: needed to score a map, and to hide one place after the other."""
        return compile_bundle(self.bundle, batch=BATCH)

    def explain(self, image: bytes | ImageArray, *, label: str | None = None, check: bool = True) -> Explanation:
        """Explain the answer for an image, as a file's bytes or decoded, or what speaks for another label.

        `check` scores the map, which asks the classifier about 182 changed images. Raises ImageError,
        DatasetError for a label that the bundle does not know.
        """
        seen = self.bundle.preprocessing(image if isinstance(image, np.ndarray) else decode(image))
        (answers,) = self._one.run([seen[np.newaxis]])
        index = int(answers[0].argmax()) if label is None else self._index(label)
        cells = self._see(seen, index)
        heat = in_range(enlarged(cells, *seen.shape[:2]))
        return Explanation(
            label=self.bundle.classes[index],
            probability=float(answers[0, index]),
            method=self.method,
            image=seen,
            heat=heat,
            faithfulness=faithfulness(self._many, seen, heat, index, cells=cells.shape) if check else None,
        )

    def _index(self, label: str) -> int:
        if label not in self.bundle.classes:
            raise DatasetError(f"the bundle knows no {label!r}: {did_you_mean(label, self.bundle.classes)}")
        return self.bundle.classes.index(label)


def cam(bundle: Bundle, _: Callable[[], Runner]) -> See:
    """The method `cam`: see `Cam`."""
    return Cam(bundle)


def occlusion(_: Bundle, runner: Callable[[], Runner]) -> See:
    """The method `occlusion`: see `Occlusion`."""
    return Occlusion(runner())


def default_explainer(bundle: Bundle) -> Explainer:
    """By class activation maps where the bundle has a feature map, else by occlusion. Never loads Keras."""
    if layout_of(bundle.graph) is None:
        return Explainer(bundle, "occlusion", occlusion)
    return Explainer(bundle, "cam", cam)
