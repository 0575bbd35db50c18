"""Images for a run's report: opened from the run's source, and reduced to thumbnails."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.data.dataset import Dataset
from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.images import Images
from tellapart.data.splits.grouping import round_robin
from tellapart.errors import ImageError, TellapartError
from tellapart.progress import progress
from tellapart.reports.report import Thumbnail, data_uri, thumbnail_jpeg
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run
from tellapart.training.run_files import reading_of

MAX_EXAMPLES = 20  # of training images
MAX_IMAGES = 2_000  # thumbnails of a split: more would not fit into a page


@dataclass(frozen=True)
class RunImages:
    """A run's data set with its splits; or None and the reason, where its images are gone or have changed."""

    dataset: Dataset | None
    missing: str | None = None


def open_run_images(run: Run, source: str | None = None) -> RunImages:
    """Open the data set that a run was trained on, from `source` or from the source that the run recorded."""
    recorded = run.environment["dataset"]
    source = source or recorded.get("source")
    if source is None:
        return RunImages(None, "the run did not record where its images are: pass their source with --data")
    try:
        dataset, _ = draw_all_splits(Dataset.open(source, reading_of(recorded)), run.recipe)
    except TellapartError as error:
        return RunImages(None, str(error))
    if dataset.fingerprint != recorded["fingerprint"]:
        return RunImages(
            None, f"the images of {source} have changed since the run: pass the original images with --data"
        )
    return RunImages(dataset)


def example_thumbnails(dataset: Dataset, conversion: Conversion = USUAL) -> Iterator[Thumbnail]:
    """Make thumbnails of some training images, of each class in turn."""
    train = dataset.splits["train"]
    for index in round_robin(train.labels)[:MAX_EXAMPLES].tolist():
        image = _read(train.images, index, conversion)
        if image is not None:
            name = Path(train.images.name(index)).name
            yield Thumbnail(data_uri(thumbnail_jpeg(image)), name, caption=dataset.classes[train.labels[index]])


def predicted_thumbnails(
    dataset: Dataset,
    split: str,
    predictions: StoredPredictions,
    classes: tuple[str, ...],
    conversion: Conversion = USUAL,
) -> Iterator[Thumbnail]:
    """Make thumbnails of the images of a split with their predictions; mistakes first where there are too many."""
    images = dataset.splits[split].images
    index_of = {digest: index for index, digest in enumerate(images.digests)}
    order = np.argsort(predictions.predicted == predictions.labels, kind="stable")[:MAX_IMAGES].tolist()
    with progress(f"images of {split}", len(order), "images") as advance:
        for row in order:
            advance(1)
            index = index_of.get(predictions.digests[row])
            image = None if index is None else _read(images, index, conversion)
            if image is not None:
                yield _thumbnail(image, predictions, row, classes)


def read_images(
    dataset: Dataset, split: str, digests: Iterable[str], conversion: Conversion = USUAL
) -> dict[str, ImageArray]:
    """Read images of a split by their hashes; those that cannot be read are left out."""
    images = dataset.splits[split].images
    index_of = {digest: index for index, digest in enumerate(images.digests)}
    decoded = ((digest, _read(images, index_of[digest], conversion)) for digest in digests if digest in index_of)
    return {digest: image for digest, image in decoded if image is not None}


def _thumbnail(image: ImageArray, predictions: StoredPredictions, row: int, classes: tuple[str, ...]) -> Thumbnail:
    predicted = int(predictions.predicted[row])
    return Thumbnail(
        data_uri(thumbnail_jpeg(image)),
        Path(predictions.names[row]).name,
        true=classes[predictions.labels[row]],
        predicted=classes[predicted],
        probability=float(predictions.probs[row, predicted]),
    )


def _read(images: Images, index: int, conversion: Conversion) -> ImageArray | None:
    """Read an image; None where its file has since been deleted or damaged. The page counts the images it shows."""
    try:
        return images.read(index, conversion)
    except ImageError:
        return None
