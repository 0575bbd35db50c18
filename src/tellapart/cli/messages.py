"""What several commands say alike: how many images there are, and commands that are ready to be pasted."""

import shlex
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.sources.read_options import ReadOptions


def described(dataset: Dataset) -> str:
    """`clothing: 3,068 train, 341 validation, 372 test images in 10 classes`."""
    sizes = ", ".join(f"{len(split):,} {name}".removesuffix(" all") for name, split in dataset.splits.items())
    return f"{dataset.name}: {sizes} images in {len(dataset.classes):,} classes"


def command(verb: str, source: str, reading: ReadOptions, *, skip: Path | None = None) -> str:
    """`tellapart VERB SOURCE` with the options that read the source as it was read; `skip` is a table to obey."""
    if skip is not None:
        reading = replace(reading, skip=skip)
    return shlex.join(["tellapart", verb, source, *_options(reading)])


def _options(reading: ReadOptions) -> Iterator[str]:
    for field in fields(reading):
        value = getattr(reading, field.name)
        if value:
            yield f"--{field.name.replace('_', '-')}"
            yield ",".join(value) if isinstance(value, tuple) else str(value)
