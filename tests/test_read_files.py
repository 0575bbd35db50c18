"""The one reader of files from elsewhere: what it takes, and that all else is a ContentError, soon."""

import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import pytest

from tellapart import read_files
from tellapart.read_files import (
    ContentError,
    conform,
    parse_json,
    read_arrays,
    read_content,
    read_json,
    read_table,
    read_text,
    read_toml,
)

READERS: dict[str, Callable[[Path], object]] = {
    "content": read_content,
    "text": read_text,
    "json": lambda path: read_json(path, dict),
    "toml": read_toml,
    "table": lambda path: read_table(path, ("a",)),
    "arrays": read_arrays,
}


@dataclass(frozen=True)
class Row:
    """A row with a default."""

    number: int
    share: float | None = None


class Note(TypedDict):
    """A typed dictionary."""

    text: str
    rows: tuple[Row, ...]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_pipe_a_device_and_a_folder_are_refused_at_once(reader: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    refusals: list[str] = []

    def read(path: Path) -> None:
        try:
            reader(path)
        except ContentError as error:
            refusals.append(str(error))

    for path in (tmp_path / "pipe", tmp_path / "zeros", tmp_path):
        thread = threading.Thread(target=read, args=(path,), daemon=True)  # a reader that waited would stop the tests
        thread.start()
        thread.join(30)
    assert refusals == ["it is a folder, a pipe or a device, expected a file"] * 3


def test_a_missing_file_stays_an_error_of_the_system(tmp_path: Path) -> None:
    for reader in READERS.values():
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / "absent")


def test_a_file_of_more_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"12345")
    assert read_content(path, 5) == b"12345"
    with pytest.raises(ContentError, match="more than 4 bytes"):
        read_content(path, 4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "is not JSON"),
        ("[" * 33 + "]" * 33, "nested more than 32 deep"),
        ('{"a": ' * 40 + "1" + "}" * 40, "nested more than 32 deep"),
        ("NaN", "the number nan"),
        ("[1e999]", "the number inf"),
        ("1" + "0" * 400, "more than 19 digits"),
        ("1" + "0" * 9_999, "is not JSON"),
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("\x00", "is not JSON"),
    ],
)
def test_json_that_is_deep_or_has_other_numbers_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ContentError, match=reason):
        parse_json(text.encode(), Any)


def test_json_of_many_objects_and_other_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_files, "MAX_CONTAINERS", 2)
    assert parse_json(b"[[]]", list[Any]) == [[]]
    for content in (b"[[],{}]", b"\xff"):
        with pytest.raises(ContentError):
            parse_json(content, list[Any])


def test_numbers_of_a_training_that_diverged_are_read_where_they_may_be() -> None:
    (row,) = parse_json(b'[{"number": 1, "share": NaN}]', tuple[Row, ...], finite=False)
    assert row.share != row.share


def test_content_gets_the_types_of_its_hints() -> None:
    note = conform({"text": "a", "rows": [{"number": 1}, {"number": 2, "share": 1}], "later": 3}, Note)
    assert note == {"text": "a", "rows": (Row(1), Row(2, 1.0)), "later": 3}
    assert type(note["rows"][1].share) is float
    assert conform({"a": [True]}, Mapping[str, list[bool]]) == {"a": [True]}
    assert conform("x", Literal["x", "y"]) == "x"
    assert conform(None, str | None) is None


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        ({"text": "a"}, Note, "lacks rows"),
        ({"text": 1, "rows": []}, Note, "text is 1, expected text"),
        ({"text": "a", "rows": [{"number": True}]}, Note, r"rows\[0\].number is True, expected a whole number"),
        ({"text": "a", "rows": [{"number": 1.0}]}, Note, "expected a whole number"),
        ({"text": "a", "rows": [{"number": 1, "odd\x1b": 2}]}, Note, r"unknown field odd\\x1b"),
        ({"text": "a", "rows": {}}, Note, "expected a list"),
        ("z", Literal["x", "y"], "is z"),
        (True, float, "expected a number"),
        (["a", 1], list[str], r"it\[1\] is 1"),
        ([], dict[str, int], "is \\[\\]"),
        ("\x1b]0;\ud800", int | None, r"is \\x1b\]0;\\ud800"),
    ],
)
def test_content_of_other_types_is_refused_by_name(value: object, kind: object, reason: str) -> None:
    with pytest.raises(ContentError, match=reason) as refusal:
        conform(value, kind)
    assert str(refusal.value).isprintable()


def test_toml_is_plain_and_finite(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text('size = 20\nthen = ["a"]\n')
    assert read_toml(path) == {"size": 20, "then": ["a"]}
    for text in ("size = nan", "size = ", "a = " + "[" * 5_000, "a = " + "[" * 40 + "]" * 40, f"a = 1{'0' * 400}"):
        path.write_text(text)
        with pytest.raises(ContentError):
            read_toml(path)


def test_a_table_has_its_columns_in_every_row(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\n1,2,3\n")
    assert read_table(path, ("b", "a")) == [{"a": "1", "b": "2", "c": "3"}]
    for text in ("", "a\n1\n", "a,b\n1\n", "a,b\n" + "x" * 200_000 + ",1\n"):
        path.write_text(text)
        with pytest.raises(ContentError):
            read_table(path, ("a", "b"))


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def claiming(header: str, data: bytes = b"") -> bytes:
    """Pack an array whose header claims something."""
    text = header.encode().ljust(118) + b"\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    return stream.getvalue()


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "numbers": np.eye(3, dtype=np.float32),
        "names": np.array([b"x", b"yz"]),
        "one": np.float64(2),
    }
    (tmp_path / "a.npz").write_bytes(npz(**arrays))
    stored = read_arrays(tmp_path / "a.npz")
    assert stored.keys() == arrays.keys()
    assert all(np.array_equal(stored[name], array) for name, array in arrays.items())


@pytest.mark.parametrize(
    "content",
    [
        npz(a=np.array([{}], dtype=object)),
        claiming("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}", b"1234"),
        claiming("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}"),
        claiming("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
        claiming("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"12345678"),
        claiming("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", b"12345"),
        claiming("{'descr': '<f4', 'shape': (1,)}", b"1234"),
        claiming("[" * 100),
        b"PK",
        b"",
        npz(a=np.eye(3))[:-30],
    ],
)
def test_arrays_that_claim_something_else_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ContentError):
        read_arrays(tmp_path / "a.npz")


def test_arrays_are_measured_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(100_000))
    assert len(read_arrays(tmp_path / "a.npz")["a"]) == 100_000
    monkeypatch.setattr(read_files, "MAX_ARRAY_BYTES", 1_000)
    with pytest.raises(ContentError, match="would take more than"):
        read_arrays(tmp_path / "a.npz")


def test_a_list_of_millions_is_checked_quickly() -> None:
    content = json.dumps({"train": ["0123456789abcdef"] * 300_000}).encode()
    assert len(parse_json(content, dict[str, list[str]])["train"]) == 300_000
