"""The index: right hashes always, and no file read twice that has not changed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.sources import hash_index
from tellapart.data.sources.hash_index import hash_all, index_path
from tellapart.errors import ImageError
from tellapart.files import sha256


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Ten files in three folders, which the index trusts at once."""
    monkeypatch.setattr(hash_index, "SETTLED_NS", -(10**18))
    paths = [tmp_path / "photos" / f"class {number % 3}" / f"{number}.jpg" for number in range(10)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image %d" % number)
    return paths


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened for hashing, as they are."""
    opened: list[str] = []
    before = Path.open

    def watched(self: Path, *args: object, **kwargs: object) -> object:
        if self.suffix == ".jpg":
            opened.append(self.name)
        return before(self, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watched)
    return opened


def ignored(_: int) -> None:
    """Nobody looks at how far it is."""


def hashed(paths: list[Path]) -> list[str | ImageError]:
    return hash_all([str(path) for path in paths], ignored)


def test_every_file_has_its_sha256_and_is_read_once(files: list[Path], read: list[str]) -> None:
    expected = [sha256(path) for path in files]
    read.clear()
    done: list[int] = []
    assert hash_all([str(path) for path in files], done.append) == expected
    assert sum(done) == 10
    assert sorted(read) == sorted(path.name for path in files)
    read.clear()
    assert hashed(files[::-1]) == expected[::-1]
    assert read == []


@pytest.mark.parametrize("change", ["content", "size", "time", "replaced"])
def test_what_changed_is_read_again_and_nothing_else(files: list[Path], read: list[str], change: str) -> None:
    hashed(files)
    file, facts = files[4], files[4].stat()
    if change == "replaced":  # by another file with the same size and times
        file.with_suffix(".new").write_bytes(b"image X")
        os.utime(file.with_suffix(".new"), ns=(facts.st_atime_ns, facts.st_mtime_ns))
        file.with_suffix(".new").rename(file)
    elif change == "time":
        os.utime(file, ns=(0, 0))
    else:
        file.write_bytes(b"image X" if change == "content" else b"another image")
        os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    read.clear()
    found = hashed(files)
    assert read == [file.name]
    assert found == [sha256(path) for path in files]


def test_a_relative_path_finds_the_same_entry(
    files: list[Path], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hashed(files)
    read.clear()
    monkeypatch.chdir(files[0].parents[2])
    assert hash_all([os.path.relpath(path) for path in files], ignored) == expected
    assert read == []


def test_a_file_that_was_just_written_is_not_trusted(
    files: list[Path], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hash_index, "SETTLED_NS", 2_000_000_000)
    for _ in range(2):
        read.clear()
        hashed(files)
        assert len(read) == 10


def test_some_of_the_files_leave_the_others_in_the_index(files: list[Path], read: list[str]) -> None:
    hashed(files)
    files[0].write_bytes(b"changed")
    hashed(files[:4])  # of all three folders, so the index is the same
    read.clear()
    hashed(files)
    assert read == []


def test_what_cannot_be_read_says_why_and_the_rest_is_hashed(files: list[Path]) -> None:
    os.mkfifo(files[0].parent / "pipe.jpg")
    odd = [files[0].parent / "gone.jpg", files[0].parent / "pipe.jpg", files[0].parent]
    found = hashed([*files, *odd])
    assert found[:10] == [sha256(path) for path in files]
    assert [str(error) for error in found[10:]] == [
        "cannot be read: No such file or directory",
        "cannot be read: it is not a regular file",
        "cannot be read: it is not a regular file",
    ]
    (nul,) = hash_all([f"{files[0]}\0"], ignored)
    assert str(nul) == "cannot be read: embedded null byte"


def test_names_that_are_no_utf8_are_kept(files: list[Path], read: list[str]) -> None:
    odd = Path(os.fsdecode(os.fsencode(files[0].parent) + b"/\xff\n.jpg"))
    files[0].rename(odd)
    expected = [sha256(odd)]
    assert hashed([odd]) == expected
    read.clear()
    assert hashed([odd]) == expected
    assert read == []


def test_a_folder_above_may_be_closed(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files[0].parents[1])
    path = os.path.relpath(files[0])
    monkeypatch.setattr(os.path, "abspath", lambda path: f"/closed to us/{path}")
    assert hash_all([path], ignored) == [sha256(files[0])]


def test_a_large_file_is_hashed_too(files: list[Path]) -> None:
    files[0].write_bytes(bytes(3 * hash_index.SMALL_BYTES + 1))
    assert hashed(files[:1]) == [sha256(files[0])]


def break_zip(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def break_content(path: Path) -> None:
    path.write_bytes(b"no index")


def fewer_hashes(path: Path) -> None:
    with np.load(path) as arrays:
        parts = dict(arrays)
    np.savez(path, names=parts["names"], stamps=parts["stamps"], hashes=parts["hashes"][1:])


def flat_stamps(path: Path) -> None:
    with np.load(path) as arrays:
        parts = dict(arrays)
    np.savez(path, names=parts["names"], stamps=parts["stamps"][:, 0], hashes=parts["hashes"])


def pickled(path: Path) -> None:
    np.savez(path, names=np.array([print], dtype=object), stamps=np.zeros((1, 4)), hashes=np.zeros((1, 32)))


def one_array(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [break_zip, break_content, fewer_hashes, flat_stamps, pickled, one_array, a_folder])
def test_a_broken_index_is_made_again_without_a_word(
    files: list[Path], spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = hashed(files)
    place = index_path(str(files[0].parents[1]))
    spoil(place)
    assert hashed(files) == hashed(files) == expected
    assert place.is_dir() or place.stat().st_size > 500
    assert capsys.readouterr() == ("", "")


def test_a_cache_that_cannot_be_written_is_no_error(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "file"))
    assert hashed(files) == [sha256(path) for path in files]


def test_what_was_hashed_before_an_interrupt_is_kept(files: list[Path], read: list[str]) -> None:
    more = [files[0].parent / f"more {number}.jpg" for number in range(4 * hash_index.CHUNK_FILES * hash_index.THREADS)]
    for path in more:
        path.write_bytes(path.name.encode())

    def interrupted(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_all([str(path) for path in more], interrupted)
    read.clear()
    found = hashed(more)
    assert 0 < len(read) <= len(more) - hash_index.CHUNK_FILES
    assert found == [sha256(path) for path in more]


def test_nothing_has_no_digests() -> None:
    assert hash_all([], ignored) == []
