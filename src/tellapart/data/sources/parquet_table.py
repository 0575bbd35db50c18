"""Tables in Parquet files, also those that have the bytes of the images in them, as Hugging Face's data sets do."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from tellapart.data.decoding.decode import read_header
from tellapart.data.decoding.decode_limits import own_limits
from tellapart.data.sources.table import Cells, Table, as_text, reading_errors
from tellapart.errors import ImageError, require
from tellapart.files import cache_folder, cached_folder, first_fills_lock
from tellapart.progress import notify, progress

BATCH = 8_192  # rows in memory at a time
IMAGE_BATCH = 64  # rows with images in them
IMAGES = re.compile(r"(large_)?binary|struct<(.*, )?bytes: (large_)?binary\b.*")
"""Arrow's names of the types of such columns: bytes, or a struct that has them, as Hugging Face stores an image."""
UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)
MAX_NAME = 80  # characters of an image's own name that are kept
NO_LABEL = -1  # Hugging Face's number for a missing label


@dataclass
class ParquetTable:
    """A Parquet file, read in batches."""

    path: Path
    columns: tuple[str, ...]
    file: Any
    """pyarrow.parquet.ParquetFile"""
    encoding: str | None = None

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each row; the first is number 1. An image in the table is a path to a file that has it."""
        rows = chain.from_iterable(zip(*batch, strict=True) for batch in self._batches(wanted))
        yield from enumerate(map(list, rows), 1)

    def place(self, number: int) -> str:
        """Name a row; the first is number 1."""
        return f"row {number} of {self.path}"

    @cached_property
    def embedded(self) -> tuple[str, ...]:
        """The columns that have images' bytes, plain or with a path beside them."""
        schema = self.file.schema_arrow
        return tuple(name for name in self.columns if IMAGES.fullmatch(str(schema.field(name).type)))

    def _batches(self, wanted: Sequence[str]) -> Iterator[list[Cells]]:
        """Yield batches of rows, column by column."""
        images = {name: self._images(name) for name in dict.fromkeys(wanted) if name in self.embedded}
        plain = [name for name in dict.fromkeys(wanted) if name not in images]
        texts = {name: self._text_of(name) for name in plain}
        start = 0
        with reading_errors(self.path, "Parquet", *_parquet_errors()):
            # Without a plain column, any column counts the rows: the images themselves are not read again.
            for batch in self.file.iter_batches(BATCH, columns=plain):
                cells = {name: list(map(texts[name], batch.column(name).to_pylist())) for name in plain}
                cells |= {
                    name: [paths.get(row, "") for row in range(start, start + len(batch))]
                    for name, paths in images.items()
                }
                start += len(batch)
                yield [cells[name] for name in wanted]

    def _text_of(self, column: str) -> Callable[[object], str]:
        names = self._class_names.get(column)
        if names is None:
            return as_text

        def class_name(value: object) -> str:
            if isinstance(value, int) and 0 <= value < len(names):
                return names[value]
            return "" if value == NO_LABEL else as_text(value)

        return class_name

    @cached_property
    def _class_names(self) -> Mapping[str, tuple[str, ...]]:
        """Class names by column, where the file's own description has them; a damaged description has none."""
        names: dict[str, tuple[str, ...]] = {}
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            description = json.loads((self.file.schema_arrow.metadata or {})[b"huggingface"])
            for column, feature in description["info"]["features"].items():
                if feature.get("_type") == "ClassLabel" and all(isinstance(name, str) for name in feature["names"]):
                    names[column] = tuple(feature["names"])
        return names

    def _images(self, column: str) -> Mapping[int, str]:
        """Write the images of a column to files in the cache, unless they are there; return paths by row, from 0."""
        folder = self._folder(column)
        with first_fills_lock(folder.parent / f"{folder.name}.lock"):
            if not folder.exists():
                with cached_folder(folder) as partial, reading_errors(self.path, "Parquet", *_parquet_errors()):
                    self._write_images(column, partial)
                notify(f"{self.path}: the images in it were written to {folder}")
        return {int(name.partition("-")[0]): str(folder / name) for name in os.listdir(folder)}  # noqa: PTH208

    def _folder(self, column: str) -> Path:
        status = self.path.stat()
        identity = f"{self.path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{column}"
        digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()
        return cache_folder() / "embedded" / digest[:32]

    def _write_images(self, column: str, folder: Path) -> None:
        row, max_bytes = 0, own_limits().bytes
        with progress("unpacking", self.file.metadata.num_rows, "images") as advance:
            for batch in self.file.iter_batches(IMAGE_BATCH, columns=[column]):
                for value in batch.column(0).to_pylist():
                    content, name = _content_and_name(value)
                    if content is not None and len(content) <= max_bytes:
                        (folder / f"{row:07}-{_file_name(content, name)}").write_bytes(content)
                    row += 1
                advance(len(batch))


def open_parquet(path: Path) -> Table:
    """Open a Parquet file. Raises DatasetError, MissingPackageError."""
    parquet = require("pyarrow.parquet", extra="parquet")
    with reading_errors(path, "Parquet", *_parquet_errors()):
        file = parquet.ParquetFile(path)
    return ParquetTable(path, tuple(file.schema_arrow.names), file)


def _parquet_errors() -> tuple[type[Exception], ...]:
    return (require("pyarrow", extra="parquet").ArrowException, OSError, ValueError, KeyError)


def _content_and_name(value: object) -> tuple[bytes | None, str]:
    if isinstance(value, dict):
        content, name = value.get("bytes"), value.get("path")
        return (content if isinstance(content, bytes) else None), name if isinstance(name, str) else ""
    return (value if isinstance(value, bytes) else None), ""


def _file_name(content: bytes, name: str) -> str:
    """Return a safe file name: the image's own, or `image` with the extension of its format."""
    own = UNSAFE.sub("_", re.split(r"[/\\]", name)[-1])[-MAX_NAME:]
    if own.strip("._"):
        return own
    try:
        return f"image.{read_header(content).format.lower()}"
    except ImageError:
        return "image"
