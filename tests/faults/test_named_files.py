"""Files that a person names, and the program's own cache entries: a pipe, a device, too much, or damaged content."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings_csv import keep_findings_csv
from tellapart.data.findings_csv import read_marks
from tellapart.data.images import FileImages
from tellapart.data.pixel_cache import PIXELS, UNREADABLE, decoded_pixels
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.arrays import read_idx, read_npz
from tellapart.data.sources.tables import open_table
from tellapart.doctor.probe import _read_text
from tellapart.errors import TellapartError
from tellapart.files import sha256
from tellapart.judging.costs import read_costs
from tellapart.models.features.feature_cache import FeatureCache
from tellapart.read_files import ContentError, map_array
from tellapart.recipe import Recipe
from tellapart.training.import_model import class_names

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
READERS: dict[str, Callable[[Path], object]] = {
    "costs.csv": lambda path: read_costs(path, ("a", "b")),
    "findings.csv": read_marks,
    "classes.txt": class_names,
    "labels.csv": open_table,
    "labels.jsonl": open_table,
    "images-idx3-ubyte": read_idx,
    "images-idx3-ubyte.gz": read_idx,
    "images.npz": read_npz,
    "recipe.toml": Recipe.read,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)  # opening it to read would wait for a writer
    elif kind == "device":
        path.symlink_to("/dev/zero")  # has no end
    else:
        path.mkdir()
    with pytest.raises(TellapartError, match=r"pipe or a device|Is a directory|cannot be read"):
        READERS[name](path)


def test_a_class_list_has_a_size(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("".join(f"{number}\n" for number in range(700_000)))
    with pytest.raises(TellapartError, match="cannot be read: it has more than 4,000,000 bytes"):
        class_names(path)


def test_a_pipe_of_the_name_of_a_table_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "findings.csv")
    finding = Finding("unreadable", "problem", 1, "One.", "Look.", (Row("a.png", "0" * 64, "all", "cat"),))
    assert keep_findings_csv([finding], tmp_path / "findings.csv") == tmp_path / "findings-2.csv"


def test_settings_of_keras_in_a_pipe_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keras.json")
    assert _read_text(tmp_path / "keras.json") == ""
    assert _read_text(tmp_path / "other.json") == ""


@pytest.mark.parametrize("damage", ["cut", "pipe", "no array", "no reasons"])
def test_damaged_pixels_are_decoded_again(tmp_path: Path, damage: str) -> None:
    paths, size = [tmp_path / "a.png", tmp_path / "b.png"], Preprocessing(8, 8, 3)
    for shade, path in enumerate(paths):
        Image.new("RGB", (9, 9), (shade, 50, 100)).save(path)
    images = FileImages(tuple(map(str, paths)), tuple(map(sha256, paths)))
    first = decoded_pixels(images, size, cache=tmp_path, label="decoding").values.copy()
    (folder,) = (path for path in (tmp_path / "pixels").iterdir() if path.is_dir())
    pixels = folder / PIXELS
    if damage == "cut":
        pixels.write_bytes(pixels.read_bytes()[:-50])
    elif damage == "pipe":
        pixels.unlink()
        os.mkfifo(pixels)
    elif damage == "no array":
        pixels.write_bytes(b"x" * 1000)
    else:
        (folder / UNREADABLE).write_text("[[1e400, [")
    again = decoded_pixels(images, size, cache=tmp_path, label="decoding").values
    assert np.array_equal(first, again)


def test_a_damaged_index_of_features_is_passed_over(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.add(["a" * 64], np.ones((1, 3), np.float32))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "numbers.json").write_text(json.dumps([1, 2]))
    os.mkfifo(tmp_path / "pipe.json")
    assert list(FeatureCache(tmp_path).rows) == ["a" * 64]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04"])
def test_what_is_no_array_is_not_mapped(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(ContentError):
        map_array(path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ContentError, match="not an array of numbers"):
        map_array(path)
