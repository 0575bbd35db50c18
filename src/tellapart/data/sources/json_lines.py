"""Tables of JSON lines: an object on each line, such as Hugging Face's metadata.jsonl."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tellapart.data.sources.table import Cells, Table, as_text, reading_errors, text_lines
from tellapart.errors import DatasetError

HEADER_LINES = 1_000  # that show which columns there are
MAX_LINE = 10_000_000  # characters of a line


@dataclass
class JsonLines:
    """A JSON object on each line; the first ones show which columns there are."""

    path: Path
    columns: tuple[str, ...]
    encoding: str
    embedded: tuple[str, ...] = ()

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each line that is not empty; a field that is lacking is an empty cell."""
        for number, fields in _json_objects(self.path, self.encoding):
            with reading_errors(self.path, f"JSON lines, line {number}", ValueError):
                cells = [as_text(fields.get(name)) for name in wanted]
            yield number, cells

    def place(self, number: int) -> str:
        """Name a row as an editor does."""
        return f"line {number} of {self.path}"


def open_json_lines(path: Path, encoding: str) -> Table:
    """Open a file of JSON lines. Raises DatasetError."""
    objects = (fields for _, fields in islice(_json_objects(path, encoding), HEADER_LINES))
    columns = tuple(dict.fromkeys(chain.from_iterable(objects)))
    if not columns:
        raise DatasetError(f'{path} is empty; expected an object on each line, such as {{"file_name": "1.jpg"}}')
    return JsonLines(path, columns, encoding)


def _json_objects(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with text_lines(path, encoding) as stream:
        number = 0
        while line := stream.readline(MAX_LINE):
            number += 1
            if not line.strip():
                continue
            with reading_errors(path, f"JSON lines, line {number}", ValueError, RecursionError):
                fields = json.loads(line)
            if not isinstance(fields, dict):
                raise DatasetError(f"line {number} of {path} is no object; expected one on each line, in braces")
            yield number, fields
