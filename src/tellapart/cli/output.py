"""Output shared by commands: one JSON object, the size of a data set, and commands to paste."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset, ReadOptions


def print_json(value: dict[str, Any], *, indent: int | None = None) -> None:
    """Print the one object of `--json`; paths become text."""
    print(json.dumps(value, default=str, indent=indent))


def dataset_line(dataset: Dataset) -> str:
    """Return `clothing: 3,068 train, 341 validation, 372 test images in 10 classes`."""
    sizes = ", ".join(f"{len(split):,} {name}".removesuffix(" all") for name, split in dataset.splits.items())
    return f"{dataset.name}: {sizes} images in {len(dataset.classes):,} classes"


def command_line(command: str, source: str, read_options: ReadOptions, *, skip: Path | None = None) -> str:
    """Return `tellapart COMMAND SOURCE` with the options that read the source the same way, and perhaps `--skip`."""
    if skip is not None:
        read_options = replace(read_options, skip=skip)
    return shlex.join(["tellapart", command, source, *_options(read_options)])


def _options(read_options: ReadOptions) -> Iterator[str]:
    for field in fields(read_options):
        value = getattr(read_options, field.name)
        if value:
            yield f"--{field.name.replace('_', '-')}"
            yield ",".join(value) if isinstance(value, tuple) else str(value)
