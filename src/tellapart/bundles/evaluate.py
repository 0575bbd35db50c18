"""Evaluation of a bundle on labelled images."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import HASH_DIGITS, Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.stored_predictions import read_predictions
from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.images import Images
from tellapart.data.pipeline import BATCH, ReadableRows, Runner, preprocessed, run_engine
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.splits.draw_splits import HELD_OUT, SPLIT_NAMES, draw_splits
from tellapart.data.splits.grouping import group_names
from tellapart.engine import Precision
from tellapart.errors import DatasetError, ImageError, RunError
from tellapart.files import atomic_write
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.progress import notify, progress
from tellapart.read_files import ContentError, read_json

FILE = "test-uses.json"
REPORTED_USES = 3
RUN_FILES = ("recipe.toml", "metrics.json")  # which identify the folder of a run


def evaluate(
    bundle: Bundle | str | Path,
    dataset: Dataset | str | Path,
    *,
    split: str = "test",
    precision: Precision | None = None,
) -> Evaluation:
    """Evaluate a bundle on one split of a data set, with the graph that predicts.

    Images in the bundle's training or validation splits, compared by content, are left out of the test split and
    reported. A data set without that split is divided as in the bundle's training. Raises BundleError, DatasetError.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    aligned = align_classes(Dataset.of(dataset), bundle.classes)
    source, indices = indices_for(aligned, split, bundle.seen)
    part, named = aligned.splits[source].take(indices), aligned.labelled(source)
    engine = compile_bundle(bundle, batch=BATCH, precision=precision)
    predictions = predict_readable(engine, bundle.preprocessing, part.images, label=f"evaluating on {split}")
    for skipped in predictions.skipped:
        notify(f"skipped {skipped.path}: {skipped.reason}")
    if split == "test":
        count_test_set_use(bundle, part.images)
    paths = [named.name(indices[row]) for row in predictions.kept]
    return evaluate_readable(predictions, part, bundle.classes, label=split, paths=paths)


def evaluate_readable(
    predictions: ReadableRows,
    split: Split,
    classes: tuple[str, ...],
    *,
    label: str,
    groups: tuple[str, ...] | None = None,
    paths: Sequence[str] | None = None,
) -> Evaluation:
    """Evaluate the probabilities, float32 (len(kept), classes), of the readable images of a split.

    `groups` and `paths` are those of the readable images, by default those of the split.
    """
    if not predictions.kept:
        raise DatasetError(f"none of the {len(split)} images of {label} can be read: check the files")
    readable = split.take(predictions.kept)
    paths = paths or [readable.images.name(index) for index in range(len(readable))]
    named = groups or group_names(readable)
    return judge(readable.labels, predictions.values, classes, groups=named, paths=paths)


def predict_readable(engine: Runner, preprocessing: Preprocessing, images: Images, *, label: str) -> ReadableRows:
    """Predict all images that can be read: values float32 (n, classes)."""
    kept: list[int] = []
    rows: list[NDArray[np.float32]] = []
    skipped: list[Skipped] = []
    stream = run_engine(engine, preprocessed(images, preprocessing, range(len(images))))
    with progress(label, len(images), "images") as advance:
        for index, result in enumerate(stream):
            advance(1)
            if isinstance(result, ImageError):
                skipped.append(Skipped(images.name(index), str(result)))
            else:
                kept.append(index)
                rows.append(result)
    return ReadableRows(np.array(rows), tuple(kept), tuple(skipped))


def split_for(dataset: Dataset, name: str, seen: Mapping[str, str]) -> Split:
    """Return a split of the data set, or draw it as in training; test excludes images used in training."""
    source, indices = indices_for(dataset, name, seen)
    return dataset.splits[source].take(indices)


def indices_for(dataset: Dataset, name: str, seen: Mapping[str, str]) -> tuple[str, list[int]]:
    """Return where the images of a split are in the data set: the name of its own split, and their numbers there."""
    existing = dataset.splits.get(name)
    source = next((split for split in (name, "all", "train") if split in dataset.splits), None)
    if source is None or name not in SPLIT_NAMES:
        raise DatasetError(f"{dataset.name} has no {name} split; it has {', '.join(dataset.splits)}")
    images = dataset.splits[source].images
    trained_as = [seen.get(digest[:HASH_DIGITS]) for digest in images.digests]
    if name == "test":
        kept = [i for i, split in enumerate(trained_as) if split is None]
    else:
        kept = [i for i, split in enumerate(trained_as) if existing is not None or split == name]
    if existing is not None and len(kept) < len(existing):
        notify(f"left out {len(existing) - len(kept)} images of {name} that were used in training")
    if not kept:
        raise DatasetError(_empty_split_error(name, dataset.name, len(images)))
    return source, kept


def training_splits(bundle: Bundle, dataset: Dataset, *names: str) -> list[Split]:
    """Return splits of the images as in the bundle's training; drawn here if the bundle does not record them."""
    dataset = align_classes(dataset, bundle.classes)
    if not bundle.seen:
        dataset = draw_splits(dataset, validation=HELD_OUT, test=0, seed=0)
    return [split_for(dataset, name, bundle.seen) for name in names]


def _empty_split_error(name: str, dataset: str, count: int) -> str:
    if name == "test":
        return f"{dataset} has no images for {name}: all {count} were used in training. Evaluate on other images"
    return (
        f"{dataset} has no images for {name}: none of its {count} was used for it in training. Pass the images of the "
        f"training, or add a folder {name}/"
    )


def align_classes(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """Renumber the labels of a data set to the class order of the bundle."""
    unknown = [name for name in dataset.classes if name not in classes]
    if unknown:
        raise DatasetError(
            f"{dataset.name} has classes that the bundle lacks: {', '.join(unknown[:5])}; it has "
            f"{', '.join(classes)}. Rename the folders, or train on these images"
        )
    indices = np.array([classes.index(name) for name in dataset.classes], dtype=np.int32)
    splits = {name: replace(split, labels=indices[split.labels]) for name, split in dataset.splits.items()}
    return replace(dataset, classes=classes, splits=splits)


def test_set_uses(run: Path) -> int:
    """Return how often the test split was evaluated, including once by the run itself. Raises RunError."""
    path = run / FILE
    if not path.exists():
        return 1
    try:
        return 1 + read_json(path, dict[str, int])["evaluations"]
    except (OSError, ContentError, KeyError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove it to restart the count at one") from error


def count_test_set_use(bundle: Bundle, evaluated: Images) -> None:
    """Count another evaluation on a run's own test images, and report the total from the third on.

    The second, the first after the training, repeats the numbers that the training gave: it selects nothing. Other
    images, and bundles outside their run, are not counted. Raises RunError.
    """
    run = bundle.folder.resolve().parent
    predictions = read_predictions(run, "test") if all((run / name).is_file() for name in RUN_FILES) else None
    if predictions is None or not {*predictions.digests} & {*evaluated.digests}:
        return
    uses = test_set_uses(run) + 1
    atomic_write(run / FILE, json.dumps({"evaluations": uses - 1}) + "\n")
    if uses >= REPORTED_USES:
        notify(
            f"the test images of {run.name} have now been evaluated {uses} times: selecting by them biases the results"
        )
