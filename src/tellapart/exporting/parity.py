"""Whether an export says what its bundle says, on real images."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.evaluate import relabelled, unseen
from tellapart.data.dataset import Dataset, Split
from tellapart.data.pipeline import BATCH, preprocessed
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import BundleError, DatasetError
from tellapart.exporting.runtimes import Images, Opened, Probabilities
from tellapart.progress import notify

CHECKED, FEWEST = 200, 100  # images
SAME = 0.995  # of the images that both must name alike: near ties may turn over by rounding


@dataclass(frozen=True)
class Parity:
    """On how many images an export was compared, on how many it names the same class, how far probabilities part.

    `unseen` says that neither training nor choosing saw the images, `runtime` in what the export was run.
    """

    images: int
    unseen: bool
    runtime: str
    same: int
    largest_difference: float

    def as_json(self) -> dict[str, Any]:
        """As in `export.json`."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Sample:
    """Images to compare on, uint8 (n, height, width, channels), and whether training and choosing saw none."""

    pixels: Images
    unseen: bool


def sample_of(bundle: Bundle, dataset: Dataset) -> Sample:
    """Up to 200 images, evenly taken: of those for test, or where these are under 100 of all. Raises DatasetError."""
    dataset = relabelled(dataset, bundle.classes)
    pixels = list(readable(_test_part(bundle, dataset), bundle.preprocessing, CHECKED))
    if len(pixels) >= FEWEST:
        return Sample(np.stack(pixels), unseen=True)
    pixels = [one for split in dataset.splits.values() for one in readable(split, bundle.preprocessing, CHECKED)]
    if not pixels:
        raise DatasetError(f"no image of {dataset.name} can be read: check the files")
    few = "" if len(pixels) >= FEWEST else f", {len(pixels)} in all"
    notify(f"{dataset.name} has under {FEWEST} images that training did not see: compared on the others too{few}")
    places = np.linspace(0, len(pixels) - 1, min(CHECKED, len(pixels))).round().astype(int)
    return Sample(np.stack([pixels[place] for place in places]), unseen=False)


def readable(split: Split | None, preprocessing: Preprocessing, most: int) -> Iterator[Images]:
    """Up to `most` images of a split, evenly taken, at the classifier's size; those that can be read."""
    if split is None or not len(split):
        return
    places = np.linspace(0, len(split) - 1, min(most, len(split))).round().astype(int)
    for image in preprocessed(split.images, preprocessing, places.tolist()):
        if isinstance(image, np.ndarray):
            yield image


def bundle_probabilities(bundle: Bundle, pixels: Images) -> Probabilities:
    """The bundle's own answers, in float32: float32 (n, classes)."""
    runner = compile_bundle(bundle, batch=BATCH, precision="float32")
    return np.concatenate(list(runner.run(_batches(pixels, runner.batch))))


def check_parity(opened: Opened, sample: Sample, expected: Probabilities) -> Parity:
    """Compare what an export says of a sample with what its bundle says. Raises BundleError for another shape."""
    found = np.concatenate([np.asarray(opened.ask(batch)) for batch in _batches(sample.pixels, BATCH)])
    if found.shape != expected.shape:
        raise BundleError(
            f"the export gives answers of shape {found.shape}, the bundle {expected.shape}: please report"
        )
    worst = float(np.abs(found - expected).max())
    return Parity(
        images=len(found),
        unseen=sample.unseen,
        runtime=opened.runtime,
        same=int(np.count_nonzero(found.argmax(axis=1) == expected.argmax(axis=1))),
        largest_difference=worst if np.isfinite(worst) else np.inf,
    )


def require_parity(found: Parity) -> None:
    """Refuse an export that says something else. Raises BundleError."""
    if found.same >= SAME * found.images and np.isfinite(found.largest_difference):
        return
    raise BundleError(
        f"the export disagrees with the bundle: run in {found.runtime} it names the same class for {found.same} of "
        f"{found.images} images, expected {SAME:.1%}, and probabilities differ by up to "
        f"{found.largest_difference:.2g}. It was removed; export to another format"
    )


def _test_part(bundle: Bundle, dataset: Dataset) -> Split | None:
    try:
        return unseen(dataset, "test", bundle.seen)
    except DatasetError:  # it has no such images
        return None


def _batches(pixels: Images, size: int) -> Iterator[Images]:
    return (pixels[start : start + size] for start in range(0, len(pixels), size))
