"""A bundle against labelled pictures it has not seen."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import HASH_DIGITS, Bundle
from tellapart.bundles.compile import compiled
from tellapart.bundles.test_set_uses import count_use
from tellapart.data.dataset import Dataset, Pictures, Readable, Skipped, Split
from tellapart.data.pipeline import BATCH, Runner, fitted, through
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import NAMES
from tellapart.engine import Precision
from tellapart.errors import DatasetError, PictureError
from tellapart.judging.judge import Evaluation, judge
from tellapart.progress import progress, say


def evaluate(
    bundle: Bundle | str | Path, dataset: Dataset, *, split: str = "test", precision: Precision | None = None
) -> Evaluation:
    """Judge a bundle on one split of a data set, through the graph that predicts.

    The test split never holds a picture that the bundle was trained or chosen on, by content: those are left
    out and said. A data set without that split of its own is divided as the bundle's training divided it.
    Raises BundleError, DatasetError.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    part = unseen(relabelled(dataset, bundle.classes), split, bundle.seen)
    engine = compiled(bundle, batch=BATCH, precision=precision)
    answers = probabilities(engine, bundle.preprocessing, part.pictures, label=f"judging on {split}")
    for skipped in answers.skipped:
        say(f"skipped {skipped.path}: {skipped.reason}")
    if split == "test":
        count_use(bundle, part.pictures)
    return judged(answers, part, bundle.classes, label=split)


def judged(answers: Readable, split: Split, classes: tuple[str, ...], *, label: str) -> Evaluation:
    """Judge the probabilities, float32 (len(kept), classes), of those pictures of a split that could be read."""
    if not answers.kept:
        raise DatasetError(f"none of the {len(split)} pictures of {label} can be read: check the files")
    return judge(split.labels[list(answers.kept)], answers.values, classes)


def probabilities(engine: Runner, preprocessing: Preprocessing, pictures: Pictures, *, label: str) -> Readable:
    """The probabilities of each picture that can be read: values float32 (n, classes)."""
    kept: list[int] = []
    rows: list[NDArray[np.float32]] = []
    skipped: list[Skipped] = []
    stream = through(engine, fitted(pictures, preprocessing, range(len(pictures))))
    with progress(label, len(pictures), "pictures") as advance:
        for index, answer in enumerate(stream):
            advance(1)
            if isinstance(answer, PictureError):
                skipped.append(Skipped(pictures.name(index), str(answer)))
            else:
                kept.append(index)
                rows.append(answer)
    return Readable(np.array(rows), tuple(kept), tuple(skipped))


def unseen(dataset: Dataset, name: str, seen: Mapping[str, str]) -> Split:
    """The split of that name, its owner's or as training drew it; for test, without what training saw."""
    own = dataset.splits.get(name)
    source = own if own is not None else dataset.splits.get("all", dataset.splits.get("train"))
    if source is None or name not in NAMES:
        raise DatasetError(f"{dataset.name} has no {name} split; it has {', '.join(dataset.splits)}")
    homes = [seen.get(digest[:HASH_DIGITS]) for digest in source.pictures.digests]
    if name == "test":
        kept = [i for i, home in enumerate(homes) if home is None]
    else:
        kept = [i for i, home in enumerate(homes) if own is not None or home == name]
    if own is not None and len(kept) < len(own):
        say(f"left out {len(own) - len(kept)} pictures of {name} that training saw")
    if not kept:
        raise DatasetError(_nothing_for(name, dataset.name, len(source)))
    return source.take(kept)


def _nothing_for(name: str, dataset: str, count: int) -> str:
    if name == "test":
        return f"{dataset} has no picture for {name}: training saw all {count}. Judge on other pictures"
    return (
        f"{dataset} has no picture for {name}: none of its {count} is among those that training took for it. Name the "
        f"pictures of the training, or put pictures into a folder {name}/ there"
    )


def relabelled(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The same pictures with the bundle's numbers for the classes."""
    unknown = [name for name in dataset.classes if name not in classes]
    if unknown:
        raise DatasetError(
            f"{dataset.name} has classes the bundle does not know: {', '.join(unknown[:5])}; it knows "
            f"{', '.join(classes)}. Rename the folders, or train on these pictures"
        )
    numbers = np.array([classes.index(name) for name in dataset.classes], dtype=np.int32)
    splits = {name: replace(split, labels=numbers[split.labels]) for name, split in dataset.splits.items()}
    return replace(dataset, classes=classes, splits=splits)
