"""The pictures that a run's report shows: found again where they came from, and made small."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.bundles.stored_predictions import Answers
from tellapart.data.dataset import Dataset, Pictures
from tellapart.data.image import Picture
from tellapart.data.splits.round_robin import in_turn
from tellapart.errors import PictureError, TellapartError
from tellapart.progress import progress
from tellapart.reports.report import Thumb, data_uri, thumbnail
from tellapart.training.environment import reading_of
from tellapart.training.prepare import divided
from tellapart.training.run import Run

EXAMPLES = 20  # of training pictures
MOST = 2_000  # small pictures of a split: more would not fit into a page


@dataclass(frozen=True)
class Found:
    """A run's data set, divided as it was; None where its pictures are not what they were, and why."""

    dataset: Dataset | None
    missing: str | None = None


def pictures_of(run: Run, source: str | None = None) -> Found:
    """Open what a run was trained on, or `source` in its place."""
    facts = run.environment["dataset"]
    source = source or facts.get("source")
    if source is None:
        return Found(None, "the run does not say where its pictures are: name them with --data")
    try:
        dataset, _ = divided(Dataset.open(source, reading_of(facts)), run.recipe)
    except TellapartError as error:
        return Found(None, str(error))
    if dataset.fingerprint != facts["fingerprint"]:
        return Found(None, f"the pictures of {source} have changed since the run: name the old ones with --data")
    return Found(dataset)


def examples(dataset: Dataset) -> Iterator[Thumb]:
    """Some training pictures, of each class in turn."""
    train = dataset.splits["train"]
    for index in in_turn(train.labels)[:EXAMPLES].tolist():
        picture = _read(train.pictures, index)
        if picture is not None:
            name = Path(train.pictures.name(index)).name
            yield Thumb(data_uri(thumbnail(picture)), name, caption=dataset.classes[train.labels[index]])


def answered(dataset: Dataset, split: str, answers: Answers, classes: tuple[str, ...]) -> Iterator[Thumb]:
    """The pictures of a split with what was said of them, mistakes first where there are too many."""
    pictures = dataset.splits[split].pictures
    places = {digest: place for place, digest in enumerate(pictures.digests)}
    order = np.argsort(answers.predicted == answers.labels, kind="stable")[:MOST].tolist()
    with progress(f"pictures of {split}", len(order), "pictures") as advance:
        for row in order:
            advance(1)
            place = places.get(answers.digests[row])
            picture = None if place is None else _read(pictures, place)
            if picture is not None:
                yield _thumb(picture, answers, row, classes)


def read_some(dataset: Dataset, split: str, digests: Iterable[str]) -> dict[str, Picture]:
    """Pictures by their hashes, those that can be read."""
    pictures = dataset.splits[split].pictures
    places = {digest: place for place, digest in enumerate(pictures.digests)}
    found = ((digest, _read(pictures, places[digest])) for digest in digests if digest in places)
    return {digest: picture for digest, picture in found if picture is not None}


def _thumb(picture: Picture, answers: Answers, row: int, classes: tuple[str, ...]) -> Thumb:
    predicted = int(answers.predicted[row])
    return Thumb(
        data_uri(thumbnail(picture)),
        Path(answers.names[row]).name,
        true=classes[answers.labels[row]],
        predicted=classes[predicted],
        probability=float(answers.probs[row, predicted]),
    )


def _read(pictures: Pictures, index: int) -> Picture | None:
    """A picture, or nothing where its file has gone since: the page says how many it shows."""
    try:
        return pictures.read(index)
    except PictureError:
        return None
