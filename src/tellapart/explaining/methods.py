"""Saliency methods by name, with Grad-CAM, which needs Keras."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from tellapart.bundles.bundle import Bundle
from tellapart.data.image_inputs import ImageInput
from tellapart.data.pipeline import Runner
from tellapart.explaining.explanation import (
    Explainer,
    Explanation,
    MapMethod,
    MethodFactory,
    cam,
    default_explainer,
    occlusion,
)

Method = Literal["cam", "gradcam", "occlusion"]


def gradcam(bundle: Bundle, _: Callable[[], Runner]) -> MapMethod:
    """Make the method `gradcam`: see `GradCam`. Raises MissingPackageError without Keras."""
    from tellapart.explaining.gradcam import GradCam

    return GradCam(bundle)


METHODS: Mapping[Method, MethodFactory] = {"cam": cam, "gradcam": gradcam, "occlusion": occlusion}


def explainer(bundle: Bundle | str | Path, method: Method | None = None) -> Explainer:
    """Make an explainer of a bundle; without a method, by `cam` where it has a feature map, else by `occlusion`.

    Raises BundleError, MissingPackageError.
    """
    bundle = Bundle.of(bundle)
    return default_explainer(bundle) if method is None else Explainer(bundle, method, METHODS[method])


def explain(
    bundle: Bundle | str | Path,
    image: ImageInput,
    method: Method | None = None,
    *,
    label: str | None = None,
    check: bool = True,
) -> Explanation:
    """Explain one image: a path, bytes, an open file, a Pillow image or a uint8 array.

    For several, call `explainer` once and its `explain` for each. Raises BundleError, ImageError, DatasetError.
    """
    return explainer(bundle, method).explain(image, label=label, check=check)
