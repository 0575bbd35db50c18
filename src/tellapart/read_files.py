"""Read files that anybody may have written: the one reader of bundles, runs, studies, recipes and tables.

Only regular files, up to a size; JSON and TOML nested up to a depth, with finite numbers, of the types that a hint
names; arrays measured before they are unpacked. Whatever is wrong is a ContentError, a ValueError whose text is half a
sentence. A missing file stays an OSError.
"""

import csv
import io
import json
import math
import os
import stat
import tomllib
import types
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, BinaryIO, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tellapart.files import UNREADABLE

MAX_BYTES = 20_000_000  # of a description; a bundle of 9,000 classes has 4 million
MAX_LIST_BYTES = 500_000_000  # of a list with a line or a hash for each of millions of images
MAX_ARRAY_BYTES = 2_000_000_000  # of compressed arrays, once they are unpacked
MAX_EXPANSION = 20  # of larger ones: weights hardly shrink
MAX_CONTAINERS = 500_000  # lists and objects in a JSON file, 100 bytes each
MAX_DEPTH = 32
MAX_INTEGER = 2**63
KINDS = "biufUSV"  # of arrays: numbers, texts, and the raw bytes that bfloat16 is kept as
PARSER_ERRORS = (TypeError, OverflowError, SyntaxError, TokenError)  # of NumPy and zipfile
T = TypeVar("T")


class ContentError(ValueError):
    """A file is not a regular file, too large, or has other content than expected."""


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file. Raises ContentError for a pipe, which would wait, and a device, which may never end."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ContentError("it is a folder, a pipe or a device, expected a file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def read_content(path: Path, most: int = MAX_BYTES) -> bytes:
    """Return the bytes of a regular file. Raises OSError, ContentError when there are more than `most`."""
    with open_regular(path) as stream:
        if os.fstat(stream.fileno()).st_size > most:
            raise ContentError(f"it has more than {most:,} bytes")
        content = stream.read(most + 1)  # files of /proc claim a size of 0
    if len(content) > most:
        raise ContentError(f"it has more than {most:,} bytes")
    return content


def read_text(path: Path, most: int = MAX_BYTES, *, errors: str = "strict") -> str:
    """Return the text of a regular UTF-8 file. Raises OSError, ContentError."""
    try:
        return read_content(path, most).decode(errors=errors)
    except UnicodeDecodeError as error:
        raise ContentError("it is not UTF-8 text") from error


def read_json(path: Path, kind: type[T], most: int = MAX_BYTES, *, finite: bool = True) -> T:
    """Return the content of a JSON file as `parse_json` does. Raises OSError, ContentError."""
    return parse_json(read_content(path, most), kind, finite=finite)


def parse_json(content: bytes, kind: type[T], *, finite: bool = True) -> T:
    """Parse JSON of the types that a hint names, see `conform`. Raises ContentError.

    `finite` refuses NaN and infinity, which a training that diverged leaves.
    """
    if content.count(b"[") + content.count(b"{") > MAX_CONTAINERS:
        raise ContentError(f"it has more than {MAX_CONTAINERS:,} lists and objects")
    try:
        value = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ContentError(f"it is not JSON: {_reason(error)}") from error
    require_plain(value, finite=finite)
    content_of: T = conform(value, kind)
    return content_of


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises OSError, ContentError."""
    text = read_text(path, MAX_BYTES // 20)
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"it is not TOML: {_reason(error)}") from error
    require_plain(values, finite=True)
    return values


def read_table(
    path: Path, columns: Sequence[str], most: int = MAX_BYTES, *, errors: str = "strict"
) -> list[dict[str, str]]:
    """Return the rows of a CSV file that has these columns, each with all of them. Raises OSError, ContentError."""
    try:
        reader = csv.DictReader(io.StringIO(read_text(path, most, errors=errors), newline=""))
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise ContentError(f"it has no column {missing[0]}")
        rows = list(reader)
    except csv.Error as error:
        raise ContentError(f"it is not CSV: {_reason(error)}") from error
    for number, row in enumerate(rows, start=1):
        if any(row[name] is None for name in columns):
            raise ContentError(f"row {number} is too short")
    return rows


def parse_number(text: str) -> float:
    """Return the number in a cell of a table, also NaN and infinity. Raises ContentError."""
    try:
        return float(text)
    except ValueError as error:
        raise ContentError(f"{_shown(text)} is not a number") from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz`, measured before they are unpacked. Raises OSError, ContentError."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            most = max(MAX_ARRAY_BYTES, MAX_EXPANSION * os.fstat(file.fileno()).st_size)
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in _members(archive, most)}
    except (ContentError, FileNotFoundError):
        raise
    except (*UNREADABLE, *PARSER_ERRORS) as error:
        raise ContentError(f"it is not an archive of arrays: {_reason(error)}") from error


def _members(archive: zipfile.ZipFile, most: int) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if sum(member.file_size for member in members) > most:
        raise ContentError(f"its arrays would take more than {most:,} bytes")
    return members


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one array, whose header must claim as many bytes as there are."""
    with archive.open(member) as stream:
        shape, dtype = read_array_header(stream)
        count = math.prod(shape)
        if dtype.hasobject or dtype.kind not in KINDS or (dtype.itemsize == 0 and count):
            raise ContentError(f"{_shown(member.filename)} is not an array of numbers or texts")
        if min(shape, default=0) < 0 or stream.tell() + count * dtype.itemsize != member.file_size:
            raise ContentError(f"{_shown(member.filename)} claims another size than it has")
    with archive.open(member) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
        return array


def map_array(path: Path) -> NDArray[Any]:
    """Map the array of a `.npy` file into memory. Raises OSError, ContentError."""
    try:
        with open_regular(path) as stream:
            _require_whole(stream)
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ContentError, FileNotFoundError):
        raise
    except (*UNREADABLE, *PARSER_ERRORS) as error:
        raise ContentError(f"it is not an array: {_reason(error)}") from error
    return array


def _require_whole(stream: BinaryIO) -> None:
    """Refuse an array whose header is not that of numbers or texts, or claims more than there is."""
    shape, dtype = read_array_header(stream)
    if dtype.hasobject or dtype.kind not in KINDS or min(shape, default=0) < 0:
        raise ContentError("it is not an array of numbers or texts")
    if math.prod(shape) * dtype.itemsize > os.fstat(stream.fileno()).st_size - stream.tell():
        raise ContentError("it is shorter than its header says")


def read_array_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the shape and type at the beginning of a `.npy` file, up to its numbers. Raises what NumPy's parser does."""
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    return shape, dtype


def require_plain(value: object, *, finite: bool) -> None:
    """Check the depth of parsed JSON or TOML and the size of its numbers, level by level. Raises ContentError."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, float) and finite and not math.isfinite(item):
                raise ContentError(f"it has the number {item}")
            elif isinstance(item, int) and abs(item) > MAX_INTEGER:
                raise ContentError("it has a whole number of more than 19 digits")
        if not below:
            return
        level = below
    raise ContentError(f"it is nested more than {MAX_DEPTH} deep")


def conform(value: object, kind: Any, name: str = "it") -> Any:  # noqa: ANN401  any hint
    """Return a parsed value as the type that a hint names. Raises ContentError that names what differs.

    Hints are Any, str, int, float, bool, None, Literal, unions, lists, tuples of one type, mappings from text, typed
    dictionaries, whose further keys are kept, and dataclasses, which are made.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _conform_to_one(value, arguments, name)
    if origin is Literal and value in arguments and isinstance(value, str):
        return value
    if kind is float and type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]
    if kind in (str, int, bool, type(None)) and type(value) is kind:
        return value
    if origin in (list, tuple, Sequence) and isinstance(value, list):
        return (tuple if origin is tuple else list)(_items(value, arguments[0], name))
    if isinstance(value, dict) and (origin in (dict, Mapping) or kind is dict):
        of = arguments[1] if arguments else Any
        return {key: conform(item, of, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, dict) and (is_typeddict(kind) or is_dataclass(kind)):
        return _conform_to_fields(value, kind, name)
    raise ContentError(f"{_shown(name.removeprefix('it.'))} is {_shown(value)}, expected {_kind_name(kind)}")


def _items(values: list[Any], kind: Any, name: str) -> Iterator[Any]:  # noqa: ANN401
    if kind in (str, int, bool) and {*map(type, values)} <= {kind}:  # millions of hashes
        return iter(values)
    return (conform(item, kind, f"{name}[{index}]") for index, item in enumerate(values))


def _conform_to_one(value: object, kinds: tuple[Any, ...], name: str) -> Any:  # noqa: ANN401
    for kind in kinds[:-1]:
        try:
            return conform(value, kind, name)
        except ContentError:
            continue
    return conform(value, kinds[-1], name)


def _conform_to_fields(value: dict[str, Any], kind: Any, name: str) -> Any:  # noqa: ANN401
    hints, required = _fields(kind)
    if missing := sorted(required - value.keys()):
        raise ContentError(f"{_shown(name)} lacks {missing[0]}")
    known = {key: conform(item, hints[key], f"{name}.{key}") for key, item in value.items() if key in hints}
    if is_typeddict(kind):
        return {**value, **known}
    if unknown := sorted(value.keys() - hints.keys()):
        raise ContentError(f"{_shown(name)} has the unknown field {_shown(unknown[0])}")
    return kind(**known)


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:  # noqa: ANN401
    """Return the hints of a typed dictionary or dataclass, and the names that it requires."""
    hints = get_type_hints(kind)
    if is_typeddict(kind):
        return hints, kind.__required_keys__
    made = [field for field in fields(kind) if field.init]
    required = {field.name for field in made if field.default is MISSING and field.default_factory is MISSING}
    return {field.name: hints[field.name] for field in made}, frozenset(required)


def _kind_name(kind: Any) -> str:  # noqa: ANN401
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return names.get(kind) or ("a list" if get_origin(kind) in (list, tuple, Sequence) else "other content")


def _shown(value: object) -> str:
    """Return a value from a file as a short line without characters that a terminal would obey."""
    return ascii(value)[:60] if not isinstance(value, str) else ascii(value)[1:-1][:60]


def _reason(error: BaseException) -> str:
    return _shown((str(error).strip().splitlines() or [type(error).__name__])[0])
