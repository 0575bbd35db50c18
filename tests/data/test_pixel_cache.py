"""Pixels: decoded once, mapped ever after; what cannot be read is left out and named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data import pixel_cache
from tellapart.data.images import FileImages, Images
from tellapart.data.pipeline import ReadableRows, preprocessed
from tellapart.data.pixel_cache import decoded_pixels
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.arrays import array_split
from tellapart.files import sha256

SMALL = Preprocessing(4, 5, 3, "stretch")


@pytest.fixture
def files(tmp_path: Path) -> FileImages:
    """Six images, of which the second and the last cannot be read."""
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        Image.new("RGB", (8, 8), (number * 10, 0, 0)).save(path)
    paths[1].write_bytes(b"no image")
    paths[5].write_bytes(b"")
    return FileImages(tuple(map(str, paths)), tuple(map(sha256, paths)))


def decode_all(images: Images, cache: Path, preprocessing: Preprocessing = SMALL) -> ReadableRows:
    return decoded_pixels(images, preprocessing, cache=cache, label="decoding")


def test_what_can_be_read_is_decoded_and_the_rest_named(files: FileImages, tmp_path: Path) -> None:
    for _ in range(2):  # decoded, then mapped
        found = decode_all(files, tmp_path / "cache")
        assert found.kept == (0, 2, 3, 4)
        assert found.values.shape == (4, 4, 5, 3)
        assert found.values.dtype == np.uint8
        assert found.values[:, 0, 0, 0].tolist() == [0, 20, 30, 40]
        assert [(one.path, one.reason.partition(":")[0]) for one in found.skipped] == [
            (files.paths[1], "not an image"),
            (files.paths[5], "the file is empty"),
        ]


def test_the_values_are_mapped_and_cannot_be_changed(files: FileImages, tmp_path: Path) -> None:
    values = decode_all(files, tmp_path / "cache").values
    assert isinstance(values, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0


def test_a_second_time_nothing_is_decoded(files: FileImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = decode_all(files, tmp_path / "cache")

    def refused(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(pixel_cache, "preprocessed", refused)
    renamed = FileImages(tuple(f"elsewhere/{number}" for number in range(6)), files.digests)
    again = decode_all(renamed, tmp_path / "cache")
    np.testing.assert_array_equal(again.values, first.values)
    assert [one.path for one in again.skipped] == ["elsewhere/1", "elsewhere/5"]
    for other in (Preprocessing(4, 5, 1, "stretch"), Preprocessing(5, 5, 3, "stretch"), Preprocessing(4, 5, 3, "crop")):
        with pytest.raises(AssertionError, match="decoded again"):
            decode_all(files, tmp_path / "cache", other)
    with pytest.raises(AssertionError, match="decoded again"):
        decode_all(files.take([1, 0, 2, 3, 4, 5]), tmp_path / "cache")


def test_an_interrupted_decoding_leaves_nothing_that_is_read(
    files: FileImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pixel_cache, "preprocessed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            decode_all(files, tmp_path / "cache")
    assert list((tmp_path / "cache" / "pixels").iterdir()) == []
    assert decode_all(files, tmp_path / "cache").kept == (0, 2, 3, 4)


def test_two_runs_may_decode_the_same_images_at_once(
    files: FileImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = preprocessed

    def overtaken(*arguments: object) -> object:
        monkeypatch.setattr(pixel_cache, "preprocessed", true)
        decode_all(files, tmp_path / "cache")  # another run finishes first
        return true(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pixel_cache, "preprocessed", overtaken)
    assert decode_all(files, tmp_path / "cache").kept == (0, 2, 3, 4)
    assert len(list((tmp_path / "cache" / "pixels").iterdir())) == 1


def test_arrays_of_the_right_size_are_taken_as_they_are(tmp_path: Path) -> None:
    split = array_split(np.zeros((3, 4, 5, 3), np.uint8), np.zeros(3, int))
    found = decode_all(split.images, tmp_path / "cache")
    assert found.kept == (0, 1, 2)
    assert found.skipped == ()
    assert not (tmp_path / "cache").exists()


def test_arrays_of_another_size_are_resized(tmp_path: Path) -> None:
    split = array_split(np.full((3, 8, 8), 9, np.uint8), np.zeros(3, int))
    found = decode_all(split.images, tmp_path / "cache")
    assert found.values.shape == (3, 4, 5, 3)
    assert (found.values == 9).all()


@pytest.mark.parametrize("count", [0, 3])
def test_no_readable_image_at_all_is_no_value_at_all(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        path.write_bytes(b"no image")
    files = FileImages(tuple(map(str, paths)), tuple(map(sha256, paths)))
    for _ in range(2):
        found = decode_all(files, tmp_path / "cache")
        assert found.values.shape == (0, 4, 5, 3)
        assert found.kept == ()
        assert len(found.skipped) == count
