"""The images that a run's report shows: found again where they came from, and made small."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.data.dataset import Dataset
from tellapart.data.image import ImageArray
from tellapart.data.images import Images
from tellapart.data.splits.round_robin import round_robin
from tellapart.errors import ImageError, TellapartError
from tellapart.progress import progress
from tellapart.reports.report import Thumb, data_uri, thumbnail
from tellapart.training.environment import reading_of
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run

EXAMPLES = 20  # of training images
MOST = 2_000  # small images of a split: more would not fit into a page


@dataclass(frozen=True)
class Found:
    """A run's data set, divided as it was; None where its images are not what they were, and why."""

    dataset: Dataset | None
    missing: str | None = None


def images_of(run: Run, source: str | None = None) -> Found:
    """Open what a run was trained on, or `source` in its place."""
    facts = run.environment["dataset"]
    source = source or facts.get("source")
    if source is None:
        return Found(None, "the run does not say where its images are: name them with --data")
    try:
        dataset, _ = draw_all_splits(Dataset.open(source, reading_of(facts)), run.recipe)
    except TellapartError as error:
        return Found(None, str(error))
    if dataset.fingerprint != facts["fingerprint"]:
        return Found(None, f"the images of {source} have changed since the run: name the old ones with --data")
    return Found(dataset)


def examples(dataset: Dataset) -> Iterator[Thumb]:
    """Some training images, of each class in turn."""
    train = dataset.splits["train"]
    for index in round_robin(train.labels)[:EXAMPLES].tolist():
        image = _read(train.images, index)
        if image is not None:
            name = Path(train.images.name(index)).name
            yield Thumb(data_uri(thumbnail(image)), name, caption=dataset.classes[train.labels[index]])


def answered(dataset: Dataset, split: str, answers: StoredPredictions, classes: tuple[str, ...]) -> Iterator[Thumb]:
    """The images of a split with what was said of them, mistakes first where there are too many."""
    images = dataset.splits[split].images
    places = {digest: place for place, digest in enumerate(images.digests)}
    order = np.argsort(answers.predicted == answers.labels, kind="stable")[:MOST].tolist()
    with progress(f"images of {split}", len(order), "images") as advance:
        for row in order:
            advance(1)
            place = places.get(answers.digests[row])
            image = None if place is None else _read(images, place)
            if image is not None:
                yield _thumb(image, answers, row, classes)


def read_some(dataset: Dataset, split: str, digests: Iterable[str]) -> dict[str, ImageArray]:
    """Images by their hashes, those that can be read."""
    images = dataset.splits[split].images
    places = {digest: place for place, digest in enumerate(images.digests)}
    found = ((digest, _read(images, places[digest])) for digest in digests if digest in places)
    return {digest: image for digest, image in found if image is not None}


def _thumb(image: ImageArray, answers: StoredPredictions, row: int, classes: tuple[str, ...]) -> Thumb:
    predicted = int(answers.predicted[row])
    return Thumb(
        data_uri(thumbnail(image)),
        Path(answers.names[row]).name,
        true=classes[answers.labels[row]],
        predicted=classes[predicted],
        probability=float(answers.probs[row, predicted]),
    )


def _read(images: Images, index: int) -> ImageArray | None:
    """An image, or nothing where its file has gone since: the page says how many it shows."""
    try:
        return images.read(index)
    except ImageError:
        return None
