"""Write a divided data set as a table of its files, which can be read back as a source."""

import csv
import io
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tellapart.data.csv_injection import escape_formula
from tellapart.data.dataset import Dataset
from tellapart.data.images import FileImages
from tellapart.errors import DatasetError, StorageError
from tellapart.files import atomic_write
from tellapart.read_files import ContentError, read_content

COLUMNS = ("path", "label", "split", "group")
BYTE_ORDER_MARK = "\ufeff"  # without it Excel decodes UTF-8 with the machine's code page


def save_split(dataset: Dataset, path: Path) -> None:
    """Write the split, label and group of each file; paths are relative to the table's folder.

    Raises DatasetError if the images are not files, and StorageError if another table exists.
    """
    require_files(dataset)
    text = split_text(dataset, path.parent)
    if path.exists() and not _has_content(path, text.encode(errors="surrogateescape")):
        raise StorageError(f"{path} exists with other content: name another file")
    atomic_write(path, text)


def _has_content(path: Path, content: bytes) -> bool:
    try:
        return read_content(path, len(content)) == content
    except ContentError:
        return False


def is_in_files(dataset: Dataset) -> bool:
    """Return True if all images are files, so that a table can name them."""
    return all(isinstance(split.images, FileImages) for split in dataset.splits.values())


def require_files(dataset: Dataset) -> None:
    """Refuse a data set whose images are not files. Raises DatasetError."""
    if not is_in_files(dataset):
        raise DatasetError(
            f"the images of {dataset.name} are in arrays, not in files of their own, so that a table cannot name "
            "them: give their splits with the arrays, or save them as files"
        )


def split_text(dataset: Dataset, folder: Path) -> str:
    """Format the table, its paths relative to `folder`."""
    text = io.StringIO()
    # All are quoted: a label with a semicolon stays one cell in a spreadsheet that separates by it.
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow(COLUMNS)
    table.writerows(_rows(dataset, os.path.realpath(folder)))
    content = text.getvalue()
    return content if content.isascii() else BYTE_ORDER_MARK + content


def _rows(dataset: Dataset, folder: str) -> Iterator[tuple[str, ...]]:
    @cache
    def relative(parent: str) -> str:
        # Real folders, so that `..` resolves as on the disk; an image that is a link stays one.
        try:
            return os.path.relpath(os.path.realpath(parent), folder)
        except ValueError:  # on another drive
            return os.path.realpath(parent)

    for name, split in dataset.splits.items():
        for index, label in enumerate(split.labels.tolist()):
            parent, file = os.path.split(split.images.name(index))
            path = Path(relative(parent), file).as_posix()
            group = split.groups[index] if split.groups else ""
            yield escape_formula(path), escape_formula(dataset.classes[label]), name, escape_formula(group)
