"""A disk that refuses: full, read-only, closed to us. A sentence, and the old state as it was."""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.images import FileImages
from tellapart.data.pixel_cache import decoded_pixels
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.read_image import read_bytes
from tellapart.data.sources.arrays import array_split
from tellapart.data.sources.open_source import open_source
from tellapart.engine import core, write_graph
from tellapart.errors import DatasetError, ImageError, StorageError
from tellapart.files import atomic_folder, atomic_write
from tellapart.recipe import Recipe

from .nobody import as_nobody

READ_ONLY, REMOUNT = 1, 32  # Source: mount(2)


def mount(folder: Path, flags: int, options: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", flags, options) != 0:
        pytest.skip(f"a disk of our own needs root: mount says {os.strerror(ctypes.get_errno())}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a disk of our own is made with Linux's tmpfs")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, 0, b"size=1m")
    yield folder
    # Lazily, since a failed test's traceback may still hold a file open.
    assert ctypes.CDLL(None, use_errno=True).umount2(str(folder).encode(), 2) == 0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FULL = r"the disk is full: no room for .*Free some space, then run the command again"


def test_a_file_that_does_not_fit_leaves_the_old_one(disk: Path) -> None:
    atomic_write(disk / "state", "old")
    with pytest.raises(StorageError, match=FULL):
        atomic_write(disk / "state", bytes(2_000_000))
    assert names(disk) == ["state"]
    assert (disk / "state").read_text() == "old"
    atomic_write(disk / "state", "new")


def test_a_folder_that_does_not_fit_leaves_nothing(disk: Path) -> None:
    def write() -> None:
        with atomic_folder(disk / "goal") as partial:
            (partial / "a").write_bytes(bytes(700_000))
            (partial / "b").write_bytes(bytes(700_000))

    with pytest.raises(StorageError, match=FULL):
        write()
    assert names(disk) == []


def test_a_failed_write_without_a_number_is_explained_by_the_full_disk(disk: Path) -> None:
    def write(error: Exception) -> None:
        with atomic_folder(disk / "goal") as partial:
            (partial / "a").write_bytes(bytes(1_000_000))
            raise error

    for error in (RuntimeError("basic_ios::clear: iostream error"), OSError("Unable to synchronously flush")):
        with pytest.raises(StorageError, match=FULL):
            write(error)
        assert names(disk) == []


def test_a_graph_that_does_not_fit_gets_a_sentence(disk: Path) -> None:
    core()
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, 1000], np.float32, name="pictures")
    weights = np.random.default_rng(0).normal(size=(1000, 1000)).astype(np.float32)
    answer = ops.matmul(images, weights, transpose_a=False, transpose_b=False)
    with pytest.raises(StorageError, match=FULL), atomic_folder(disk / "bundle") as partial:
        write_graph(openvino.Model([answer], [images], "large"), partial / "model.xml")
    assert names(disk) == []


def test_decoded_images_that_do_not_fit_get_a_sentence(disk: Path) -> None:
    # Written through a memory map they would end the process with a bus error.
    split = array_split(np.zeros((100, 8, 8), np.uint8), np.zeros(100, np.int32))
    with pytest.raises(StorageError, match=FULL):
        decoded_pixels(split.images, Preprocessing(150, 150, 1), cache=disk, label="decoding")
    assert names(disk / "pixels") == []


@pytest.mark.parametrize("code", [errno.EDQUOT, errno.ENOSPC])
def test_a_full_quota_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refused(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(StorageError, match="the disk is full: "):
        atomic_write(tmp_path / "state", "new")
    assert names(tmp_path) == []


def test_a_read_only_disk_gets_a_sentence(disk: Path) -> None:
    atomic_write(disk / "state", "old")
    mount(disk, READ_ONLY | REMOUNT, b"")
    for write in (write_file, write_folder, write_recipe):
        with pytest.raises(StorageError, match=f"cannot write {disk}.*: Read-only file system. Choose a folder"):
            write(disk / "state")
    assert (disk / "state").read_text() == "old"


def write_file(path: Path) -> None:
    atomic_write(path, "new")


def write_folder(path: Path) -> None:
    with atomic_folder(path):
        pass


def write_recipe(path: Path) -> None:
    Recipe().write(path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that anybody can reach by its relative path, though its parents be closed."""
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    return Path()


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_a_folder_closed_to_us_gets_a_sentence(here: Path, write: Callable[[Path], None]) -> None:
    (here / "closed").mkdir(mode=0o555)
    (here / "closed").chmod(0o555)
    with (
        as_nobody(),
        pytest.raises(StorageError, match="cannot write closed/state: Permission denied"),
    ):
        write(here / "closed" / "state")
    assert names(here / "closed") == []


def images(folder: Path) -> Path:
    from PIL import Image

    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (3, 3), number).save(folder / name / f"{number}.png")
    return folder


def test_a_image_closed_to_us_is_skipped_and_listed(here: Path) -> None:
    root = images(here / "photos")
    (root / "cat" / "0.png").chmod(0)
    with as_nobody():
        dataset = open_source("photos")
    assert len(dataset.splits["all"]) == 3
    (skipped,) = dataset.skipped
    assert (skipped.path, skipped.reason) == ("photos/cat/0.png", "cannot be read: Permission denied")


@pytest.mark.parametrize("closed", ["photos", "photos/cat"])
def test_a_folder_of_images_closed_to_us_gets_a_sentence(here: Path, closed: str) -> None:
    images(here / "photos")
    (here / closed).chmod(0)
    with as_nobody(), pytest.raises(DatasetError, match=f"folder {closed} cannot be listed: Permission denied"):
        open_source("photos")
    (here / closed).chmod(0o755)


def test_a_file_that_vanishes_is_a_image_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read: No such file or directory"):
        read_bytes(str(tmp_path / "gone.jpg"))
    with pytest.raises(ImageError, match="is a folder, not a file"):
        FileImages((str(tmp_path),), ("0",)).read(0)


def test_the_disk_fixture_is_small(disk: Path) -> None:
    assert shutil.disk_usage(disk).total == 2**20
