"""IDX and npz files: what they mean, and a sentence for whatever else they hold."""

import gzip
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.data.sources import arrays
from tellapart.data.sources.arrays import array_split, npz_classes, read_idx, read_idx_folder, read_npz
from tellapart.errors import DatasetError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    """Write IDX by its description. Source: the MNIST page by Y. LeCun."""
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(6,), (6, 5, 4), (6, 5, 4, 3), (0, 28, 28), (0,)])
def test_idx_is_read_plain_and_gzipped(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(idx(array)))
    for name in ("plain", "zipped.gz"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), array)


def with_altered_middle(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 0xFF for byte in content[middle : middle + 20]) + content[middle + 20 :]


GOOD = idx(IMAGES)
ZIPPED = gzip.compress(idx(np.tile(IMAGES, (50, 1, 1))))
BAD_IDX = {
    "empty": (b"", "not an IDX file of unsigned bytes: it begins ''"),
    "two bytes": (b"\0\0", "it begins '0000'"),
    "text": (b"hello, I am text", "not an IDX file"),
    "a png": (b"\x89PNG\r\n\x1a\n" + bytes(30), "it begins '89504e47'"),
    "floats": (b"\0\0\x0d\x01" + struct.pack(">I", 1) + bytes(4), "not an IDX file of unsigned bytes"),
    "no dimension": (b"\0\0\x08\x00x", "not an IDX file"),
    "seventy dimensions": (b"\0\0\x08\x46" + struct.pack(">I", 1) * 70 + b"x", "not an IDX file"),
    "cut in its header": (GOOD[:9], "not an IDX file"),
    "cut": (GOOD[:-1], r"has 119 values, its header says \(6, 5, 4\). Fetch it again"),
    "too long": (GOOD + b"x", "has more than 120 values"),
    "a shape beyond all memory": (b"\0\0\x08\x03" + b"\xff" * 12 + b"x", "GB of memory, of which there are"),
}


@pytest.mark.parametrize("kind", BAD_IDX)
@pytest.mark.parametrize("zipped", [False, True])
def test_what_is_no_idx_file_gets_a_sentence(tmp_path: Path, kind: str, zipped: bool) -> None:
    content, sentence = BAD_IDX[kind]
    path = tmp_path / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(DatasetError, match=sentence):
        read_idx(path)


DAMAGED = {"cut": ZIPPED[: len(ZIPPED) // 2], "altered": with_altered_middle(ZIPPED), "not zipped": GOOD, "empty": b""}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_gz_file_gets_a_sentence(tmp_path: Path, kind: str) -> None:
    (tmp_path / "images.gz").write_bytes(DAMAGED[kind])
    with pytest.raises(DatasetError, match=r"cannot be read: .*Fetch it again|not an IDX file"):
        read_idx(tmp_path / "images.gz")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"", GOOD[:4], GOOD[:16], ZIPPED[:12]]), st.booleans())
def test_random_bytes_are_an_array_or_a_dataset_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes, zipped: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / ("random.gz" if zipped else "random")
    path.write_bytes(start + content)
    with suppress(DatasetError):
        assert read_idx(path).dtype == np.uint8


def four_files(folder: Path, *, ending: str = "") -> Path:
    for part, count in (("train", 6), ("t10k", 3)):
        for name, array in (("images-idx3", IMAGES[:count]), ("labels-idx1", LABELS[:count])):
            content = idx(array)
            file = folder / f"{part}-{name}-ubyte{ending}"
            file.write_bytes(gzip.compress(content) if ending else content)
    return folder


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_four_files_make_train_and_test(tmp_path: Path, ending: str) -> None:
    splits = read_idx_folder(four_files(tmp_path, ending=ending))
    assert {name: len(split) for name, split in splits.items()} == {"train": 6, "test": 3}
    assert splits["test"].labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(splits["train"].images.read(4)[:, :, 0], IMAGES[4])


def test_a_missing_file_of_the_four_is_named(tmp_path: Path) -> None:
    (four_files(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetError, match=r"has no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz: the four"):
        read_idx_folder(tmp_path)


def test_labels_of_another_number_than_images_are_refused(tmp_path: Path) -> None:
    (four_files(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:5]))
    with pytest.raises(DatasetError, match="6 images have 5 labels"):
        read_idx_folder(tmp_path)


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 5, 4, 1), (2, 5, 4, 3)])
def test_arrays_become_images_with_channels(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    split = array_split(array, np.array([[1], [0]]))  # CIFAR's labels lie in a column
    assert split.labels.tolist() == [1, 0]
    assert split.labels.dtype == np.int32
    np.testing.assert_array_equal(split.images.read(1), array[1].reshape(5, 4, -1))


def test_equal_images_have_equal_hashes_and_others_do_not() -> None:
    shapes = [(4, 5), (5, 4), (2, 10), (20, 1)]
    hashes = [array_split(np.zeros((2, *shape), np.uint8), np.zeros(2, int)).images.digests for shape in shapes]
    assert all(first == second and len(first) == 64 for first, second in hashes)
    assert len({first for first, _ in hashes}) == 4  # the same bytes in another shape are another image
    assert len(set(array_split(IMAGES, LABELS).images.digests)) == 6


WRONG_IMAGES = {
    "floats": IMAGES / 255,
    "16 bits": IMAGES.astype(np.uint16),
    "flat": IMAGES.reshape(6, -1),
    "four channels": np.zeros((6, 5, 4, 4), np.uint8),
    "channels first": np.zeros((6, 3, 5, 4), np.uint8),
    "a scalar": np.uint8(3) * np.ones(()),
}


@pytest.mark.parametrize("kind", WRONG_IMAGES)
def test_arrays_that_are_no_images_are_refused(kind: str) -> None:
    with pytest.raises(DatasetError, match=r"the images are .*; expected uint8 \(n, height, width\)"):
        array_split(np.asarray(WRONG_IMAGES[kind]), LABELS)


WRONG_LABELS: dict[str, object] = {
    "too few": [0, 1],
    "negative": [0, 1, 2, 0, 1, -1],
    "fractions": [0.0, 1, 2, 0, 1, 2],
    "words": list("abcabc"),
    "yes and no": [True, False] * 3,
    "one-hot": np.eye(6, dtype=int),
    "beyond 32 bits": [0, 1, 2, 0, 1, 2**32 + 1],
    "beyond 32 bits, unsigned": np.array([0, 1, 2, 0, 1, 2**63], np.uint64),
}


@pytest.mark.parametrize("kind", WRONG_LABELS)
def test_labels_that_are_no_numbers_of_classes_are_refused(kind: str) -> None:
    with pytest.raises(DatasetError, match=r"6 images have .* labels of type .*expected for each the number"):
        array_split(IMAGES, np.asarray(WRONG_LABELS[kind]))


def test_npz_with_or_without_splits(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(npz(x=IMAGES, y=LABELS))
    assert read_npz(path).keys() == {"all"}
    parts = {f"{axis}_{part}": array for part in ("train", "validation", "test") for axis, array in
             (("x", IMAGES), ("y", LABELS))}  # fmt: skip
    path.write_bytes(npz(**parts))
    assert list(read_npz(path)) == ["train", "validation", "test"]
    del parts["y_validation"]
    path.write_bytes(npz(**parts))
    assert list(read_npz(path)) == ["train", "test"]


def test_npz_may_name_its_classes(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(npz(x=IMAGES, y=LABELS))
    assert npz_classes(path) is None
    path.write_bytes(npz(x=IMAGES, y=LABELS, classes=["ant", "bee", "naïve"]))
    assert npz_classes(path) == ("ant", "bee", "naïve")
    path.write_bytes(npz(x=IMAGES, y=LABELS, classes="ant"))
    assert npz_classes(path) == ("ant",)


def member(header: dict[str, object], data: bytes) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def plain_npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, IMAGES)
    return stream.getvalue()


def compressed() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.tile(IMAGES, (50, 1, 1)), y=np.tile(LABELS, 50))
    return stream.getvalue()


def lying(count: int) -> bytes:
    return member({"descr": "|u1", "fortran_order": False, "shape": (count, 5, 4)}, IMAGES.tobytes())


CANNOT, EXPECTED = "cannot be read as npz: ", "; expected x and y, or x_train"
BAD_NPZ: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", CANNOT),
    "text": (lambda: b"hello", CANNOT),
    "cut": (lambda: npz(x=IMAGES, y=LABELS)[:100], CANNOT),
    "altered": (lambda: with_altered_middle(compressed()), CANNOT),
    "pickled": (lambda: npz(x=np.array([IMAGES, None], dtype=object), y=LABELS), CANNOT + "Object arrays cannot"),
    "a pickle": (lambda: b"\x80\x04N.", CANNOT),
    "one array": (plain_npy, r"is one array \(npy\), not several"),
    "other names": (lambda: npz(images=IMAGES, labels=LABELS), "contains images and labels" + EXPECTED),
    "a test split alone": (lambda: npz(x_test=IMAGES, y_test=LABELS), "contains x_test and y_test" + EXPECTED),
    "nothing": (npz, "contains nothing" + EXPECTED),
    "members that are no arrays": (lambda: zipped(x=b"a", y=b"b"), "contains nothing" + EXPECTED),
    "a longer shape than data": (lambda: zipped(x__npy=lying(7), y__npy=lying(7)), CANNOT),
    "a shape beyond all memory": (lambda: zipped(x__npy=lying(10**15), y__npy=lying(10**15)), CANNOT),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_NPZ)
def test_what_is_no_npz_file_of_images_gets_a_sentence(tmp_path: Path, kind: str) -> None:
    make, sentence = BAD_NPZ[kind]
    (tmp_path / "set.npz").write_bytes(make())
    with pytest.raises(DatasetError, match=sentence):
        read_npz(tmp_path / "set.npz")


def zeros(size: int) -> bytes:
    """A compressed file whose `x` has that many bytes, a thousandth of which it takes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.zeros((size // 100, 10, 10), np.uint8), y=np.zeros(size // 100, np.uint8))
    return stream.getvalue()


def test_npz_is_measured_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set.npz").write_bytes(zeros(20_000_000))
    monkeypatch.setattr(arrays, "machine_memory", lambda: 19_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=r"the arrays of .* would take 0.0 GB of memory, of which there are 0.0"):
            read_npz(tmp_path / "set.npz")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert npz_classes(tmp_path / "set.npz") is None  # whose arrays are not unpacked for it
    monkeypatch.undo()
    assert len(read_npz(tmp_path / "set.npz")["all"]) == 200_000


def test_a_gz_file_is_unpacked_no_further_than_its_header_says(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(GOOD + bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="has more than 120 values"):
            read_idx(tmp_path / "a.gz")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
