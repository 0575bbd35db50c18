"""The training and validation splits merged into one, for a last training on both."""

from dataclasses import replace

import numpy as np

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import ArrayImages, FileImages, Images
from tellapart.errors import DatasetError


def with_validation_in_train(dataset: Dataset) -> Dataset:
    """Return the data set with its validation images moved behind those for training. Raises DatasetError."""
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    groups = None
    if train.groups is not None or validation.groups is not None:
        groups = (*_groups(train), *_groups(validation))
    labels = np.concatenate([train.labels, validation.labels])
    merged = Split(_concatenate(train.images, validation.images), labels, groups)
    others = {name: split for name, split in dataset.splits.items() if name != "validation"}
    return replace(dataset, splits={**others, "train": merged})


def _groups(split: Split) -> tuple[str, ...]:
    return split.groups if split.groups is not None else ("",) * len(split)


def _concatenate(train: Images, validation: Images) -> Images:
    digests = (*train.digests, *validation.digests)
    if isinstance(train, FileImages) and isinstance(validation, FileImages):
        return FileImages((*train.paths, *validation.paths), digests)
    arrays = [images.array for images in (train, validation) if isinstance(images, ArrayImages)]
    if len(arrays) == 2 and arrays[0].shape[1:] == arrays[1].shape[1:]:
        return ArrayImages(np.concatenate(arrays), digests)
    raise DatasetError("training and validation images are stored in unlike ways or sizes: give one set for both")
