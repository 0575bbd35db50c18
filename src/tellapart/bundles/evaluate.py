"""A bundle against labelled images it has not seen."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import HASH_DIGITS, Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.test_set_uses import count_test_set_use
from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.images import Images
from tellapart.data.pipeline import BATCH, ReadableRows, Runner, preprocessed, run_engine
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import SPLIT_NAMES
from tellapart.engine import Precision
from tellapart.errors import DatasetError, ImageError
from tellapart.judging.judge import Evaluation, judge
from tellapart.progress import notify, progress


def evaluate(
    bundle: Bundle | str | Path, dataset: Dataset, *, split: str = "test", precision: Precision | None = None
) -> Evaluation:
    """Judge a bundle on one split of a data set, through the graph that predicts.

    The test split never holds an image that the bundle was trained or chosen on, by content: those are left
    out and said. A data set without that split of its own is divided as the bundle's training divided it.
    Raises BundleError, DatasetError.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    part = unseen(relabelled(dataset, bundle.classes), split, bundle.seen)
    engine = compile_bundle(bundle, batch=BATCH, precision=precision)
    answers = probabilities(engine, bundle.preprocessing, part.images, label=f"judging on {split}")
    for skipped in answers.skipped:
        notify(f"skipped {skipped.path}: {skipped.reason}")
    if split == "test":
        count_test_set_use(bundle, part.images)
    return judged(answers, part, bundle.classes, label=split)


def judged(answers: ReadableRows, split: Split, classes: tuple[str, ...], *, label: str) -> Evaluation:
    """Judge the probabilities, float32 (len(kept), classes), of those images of a split that could be read."""
    if not answers.kept:
        raise DatasetError(f"none of the {len(split)} images of {label} can be read: check the files")
    return judge(split.labels[list(answers.kept)], answers.values, classes)


def probabilities(engine: Runner, preprocessing: Preprocessing, images: Images, *, label: str) -> ReadableRows:
    """The probabilities of each image that can be read: values float32 (n, classes)."""
    kept: list[int] = []
    rows: list[NDArray[np.float32]] = []
    skipped: list[Skipped] = []
    stream = run_engine(engine, preprocessed(images, preprocessing, range(len(images))))
    with progress(label, len(images), "images") as advance:
        for index, answer in enumerate(stream):
            advance(1)
            if isinstance(answer, ImageError):
                skipped.append(Skipped(images.name(index), str(answer)))
            else:
                kept.append(index)
                rows.append(answer)
    return ReadableRows(np.array(rows), tuple(kept), tuple(skipped))


def unseen(dataset: Dataset, name: str, seen: Mapping[str, str]) -> Split:
    """The split of that name, its owner's or as training drew it; for test, without what training saw."""
    own = dataset.splits.get(name)
    source = own if own is not None else dataset.splits.get("all", dataset.splits.get("train"))
    if source is None or name not in SPLIT_NAMES:
        raise DatasetError(f"{dataset.name} has no {name} split; it has {', '.join(dataset.splits)}")
    homes = [seen.get(digest[:HASH_DIGITS]) for digest in source.images.digests]
    if name == "test":
        kept = [i for i, home in enumerate(homes) if home is None]
    else:
        kept = [i for i, home in enumerate(homes) if own is not None or home == name]
    if own is not None and len(kept) < len(own):
        notify(f"left out {len(own) - len(kept)} images of {name} that training saw")
    if not kept:
        raise DatasetError(_nothing_for(name, dataset.name, len(source)))
    return source.take(kept)


def _nothing_for(name: str, dataset: str, count: int) -> str:
    if name == "test":
        return f"{dataset} has no image for {name}: training saw all {count}. Judge on other images"
    return (
        f"{dataset} has no image for {name}: none of its {count} is among those that training took for it. Name the "
        f"images of the training, or put images into a folder {name}/ there"
    )


def relabelled(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The same images with the bundle's numbers for the classes."""
    unknown = [name for name in dataset.classes if name not in classes]
    if unknown:
        raise DatasetError(
            f"{dataset.name} has classes the bundle does not know: {', '.join(unknown[:5])}; it knows "
            f"{', '.join(classes)}. Rename the folders, or train on these images"
        )
    numbers = np.array([classes.index(name) for name in dataset.classes], dtype=np.int32)
    splits = {name: replace(split, labels=numbers[split.labels]) for name, split in dataset.splits.items()}
    return replace(dataset, classes=classes, splits=splits)
