"""Named data sets: where they are looked for, in which order, and what is said when they are nowhere."""

import gzip
import importlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset
from tellapart.data.images import ArrayImages
from tellapart.data.sources import builtin_datasets
from tellapart.data.sources.builtin_datasets import BUILTIN_DATASETS, CIFAR10, CLOTHES, open_builtin
from tellapart.errors import DatasetError, MissingPackageError

SHAPES = {"mnist": (28, 28, 1), "fashion-mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data set is on this machine."""
    monkeypatch.setenv("TELLAPART_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(builtin_datasets, "DEBIAN", tmp_path / "debian")
    return tmp_path


@pytest.fixture
def offline(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nor may any be downloaded."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be downloaded in this test")

    monkeypatch.setattr(builtin_datasets, "_download", refused)
    return nowhere


def put_idx(folder: Path, value: int) -> None:
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        images = struct.pack(">HBBIII", 0, 8, 3, 10, 28, 28) + bytes([value]) * 10 * 28 * 28
        labels = struct.pack(">HBBI", 0, 8, 1, 10) + bytes(range(10))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def put_npz(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images, labels = np.full((10, 28, 28), value, np.uint8), np.arange(10)
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)


def value_of(dataset: Dataset) -> int:
    return int(dataset.splits["train"].images.read(0)[0, 0, 0])


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_nearest_place_wins(offline: Path, name: str) -> None:
    put_npz(offline / "keras" / "datasets" / f"{name}.npz", 1)
    assert value_of(open_builtin(name)) == 1
    put_idx(offline / "keras" / "datasets" / name, 2)
    assert value_of(open_builtin(name)) == 2
    put_idx(offline / "debian" / name, 3)
    assert value_of(open_builtin(name)) == 3
    put_idx(offline / "mine" / name, 4)
    assert value_of(open_builtin(name)) == 4


def test_an_npz_file_of_mine_will_do(offline: Path) -> None:
    put_npz(offline / "mine" / "mnist.npz", 4)
    dataset = open_builtin("mnist")
    assert value_of(dataset) == 4
    assert dataset.classes == tuple("0123456789")
    assert dataset.name == "mnist"


def test_what_keras_has_cached_is_read_without_keras(offline: Path) -> None:
    put_idx(offline / "keras" / "datasets" / "fashion-mnist", 5)  # where Keras puts this one
    dataset = open_builtin("fashion-mnist")
    assert value_of(dataset) == 5
    assert dataset.classes == CLOTHES


def test_half_a_data_set_is_named_as_such(offline: Path) -> None:
    put_idx(offline / "mine" / "mnist", 3)
    (offline / "mine" / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match="has no t10k-labels-idx1-ubyte"):
        open_builtin("mnist")


@pytest.mark.parametrize("name", SHAPES)
def test_nowhere_and_no_network_says_where_it_was_looked_for(
    nowhere: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load_keras()
    module = importlib.import_module(f"keras.datasets.{name.replace('-', '_')}")

    def failing() -> None:
        raise Exception("URL fetch failure on somewhere: None -- no network")  # noqa: TRY002  as Keras does

    monkeypatch.setattr(module, "load_data", failing)
    with pytest.raises(DatasetError) as caught:
        open_builtin(name)
    sentence = str(caught.value)
    for place in (f"mine/{name}", f"debian/{name}", f"mine/{name}.npz", f"keras/datasets/{name}.npz"):
        assert str(nowhere / place) in sentence
    assert "could not be downloaded (URL fetch failure on somewhere: None -- no network)" in sentence
    assert f"set TELLAPART_DATA to the folder that has {name}/" in sentence
    assert capsys.readouterr().err == f"{name} is not on this machine: Keras downloads it\n"


@pytest.mark.parametrize("name", SHAPES)
def test_what_keras_downloads_is_taken_as_it_is(
    nowhere: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load_keras()
    module = importlib.import_module(f"keras.datasets.{name.replace('-', '_')}")
    shape = SHAPES[name]
    images = np.zeros((10, *(shape if shape[2] == 3 else shape[:2])), np.uint8)
    labels = np.arange(10, dtype=np.uint8)
    both = (images, labels[:, np.newaxis] if shape[2] == 3 else labels)

    def download() -> object:
        sys.stdout.write("Downloading data from somewhere")
        return both, both

    monkeypatch.setattr(module, "load_data", download)
    dataset = open_builtin(name)
    assert capsys.readouterr().out == ""
    assert dataset.splits.keys() == {"train", "test"}
    assert dataset.splits["test"].images.read(9).shape == shape
    assert dataset.counts("train").tolist() == [1] * 10
    assert len(dataset.classes) == 10


def test_without_keras_the_extra_is_named(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise MissingPackageError("this needs tensorflow")

    monkeypatch.setattr(builtin_datasets, "load_keras", absent)
    with pytest.raises(MissingPackageError, match="this needs tensorflow"):
        open_builtin("mnist")


def test_the_digits_are_those_of_scikit_learn() -> None:
    dataset = open_builtin("digits")
    assert dataset.splits.keys() == {"all"}
    assert len(dataset.splits["all"]) == 1797  # Source: sklearn.datasets.load_digits
    assert dataset.own_size == 8
    assert dataset.counts("all").tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    images = dataset.splits["all"].images
    assert isinstance(images, ArrayImages)
    assert (images.array.min(), images.array.max()) == (0, 255)
    assert len(np.unique(images.array)) == 17


def test_digits_without_scikit_learn_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingPackageError, match=r"sklearn.datasets, .*tellapart\[train\]"):
        open_builtin("digits")


def test_class_names_are_those_of_their_makers() -> None:
    # Sources: the README of Fashion-MNIST, and the CIFAR-10 page, by whose numbers the labels go
    assert (CLOTHES[0], CLOTHES[5], CLOTHES[9]) == ("T-shirt/top", "Sandal", "Ankle boot")
    assert (CIFAR10[0], CIFAR10[6], CIFAR10[9]) == ("airplane", "frog", "truck")
    assert all(len(set(entry.classes)) == 10 for entry in BUILTIN_DATASETS.values())


@pytest.mark.real
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_sets_are_whole(name: str) -> None:
    looked = [folder for folder in builtin_datasets._folders(name) if folder.is_dir()]
    if not looked:
        pytest.skip(f"{name} is absent: set TELLAPART_DATA to the folder that has {name}/")
    dataset = open_builtin(name)
    assert {part: len(split) for part, split in dataset.splits.items()} == {"train": 60_000, "test": 10_000}
    assert dataset.own_size == 28
    # Sources: Fashion-MNIST has 1,000 test images of each class; MNIST's test labels count so
    expected = {"fashion-mnist": [1000] * 10, "mnist": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]}
    assert dataset.counts("test").tolist() == expected[name]
