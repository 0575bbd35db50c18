"""Explanations of a prediction by a saliency map, with scores of its faithfulness. Does not use Keras."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.image_inputs import ImageInput, named_image
from tellapart.data.pipeline import BATCH, Runner
from tellapart.errors import DatasetError, did_you_mean
from tellapart.explaining.cam import Cam, find_layout
from tellapart.explaining.centred_logits import Heat, rescale
from tellapart.explaining.faithfulness import Faithfulness, faithfulness, upsample
from tellapart.explaining.occlusion import Occlusion

MapMethod = Callable[[ImageArray, int], Heat]
"""A saliency method: image and class index to a coarse map, float32 (rows, columns), of any range."""
MethodFactory = Callable[[Bundle, Callable[[], Runner]], MapMethod]
"""Makes a method for a bundle; calling the second argument gives the bundle compiled for batches."""


@dataclass(frozen=True)
class Explanation:
    """A saliency map for a label: `heat` float32 (height, width) in [0, 1] over `image`, the preprocessed image.

    `probability` is the label's. `faithfulness` is None where it was not requested.
    """

    label: str
    probability: float
    method: str
    image: ImageArray
    heat: Heat
    faithfulness: Faithfulness | None


class Explainer:
    """A bundle prepared for explanations by one method. Thread-safe; keep it and call `explain` for every image."""

    def __init__(self, bundle: Bundle, method: str, factory: MethodFactory) -> None:
        """Verify and compile. Raises BundleError, and what `factory` raises."""
        bundle.verify()
        self.bundle = bundle
        self.method = method
        self._single = compile_bundle(bundle, batch=1)
        self._map = factory(bundle, lambda: self._batched)

    @cached_property
    def _batched(self) -> Runner:
        """The bundle compiled for batches, to score a map and for occlusion."""
        return compile_bundle(self.bundle, batch=BATCH)

    def explain(self, image: ImageInput, *, label: str | None = None, check: bool = True) -> Explanation:
        """Explain the predicted class of an image, as `Predictor.predict_one` takes it, or any other `label`.

        `check` scores the map, which takes 182 predictions of changed images. Raises ImageError, and DatasetError for
        a label that the bundle does not have.
        """
        preprocessed = self._preprocessed(image)
        (probs,) = self._single.run([preprocessed[np.newaxis]])
        index = int(probs[0].argmax()) if label is None else self._index(label)
        cells = self._map(preprocessed, index)
        heat = rescale(upsample(cells, *preprocessed.shape[:2]))
        return Explanation(
            label=self.bundle.classes[index],
            probability=float(probs[0, index]),
            method=self.method,
            image=preprocessed,
            heat=heat,
            faithfulness=faithfulness(self._batched, preprocessed, heat, index, cells=cells.shape) if check else None,
        )

    def _preprocessed(self, image: ImageInput) -> ImageArray:
        preprocessing = self.bundle.preprocessing
        return preprocessing(named_image(image, conversion=preprocessing.conversion).read())

    def _index(self, label: str) -> int:
        if label not in self.bundle.classes:
            raise DatasetError(f"the bundle has no class {label!r}: {did_you_mean(label, self.bundle.classes)}")
        return self.bundle.classes.index(label)


def cam(bundle: Bundle, _: Callable[[], Runner]) -> MapMethod:
    """Make the method `cam`: see `Cam`."""
    return Cam(bundle)


def occlusion(_: Bundle, runner: Callable[[], Runner]) -> MapMethod:
    """Make the method `occlusion`: see `Occlusion`."""
    return Occlusion(runner())


def default_explainer(bundle: Bundle) -> Explainer:
    """Make an explainer by class activation maps where the bundle has a feature map, else by occlusion."""
    if find_layout(bundle.graph) is None:
        return Explainer(bundle, "occlusion", occlusion)
    return Explainer(bundle, "cam", cam)
