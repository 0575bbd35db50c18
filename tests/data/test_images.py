"""Sets of images: in files, in arrays, mirrored and concatenated."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.images import ArrayImages, ConcatImages, FileImages, MirroredImages
from tellapart.data.sources.arrays import array_split
from tellapart.errors import ImageError
from tellapart.files import sha256

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8)


def array_images(count: int, seed: int) -> ArrayImages:
    array = np.random.default_rng(seed).integers(0, 256, (count, 5, 4, 3), dtype=np.uint8)
    images = array_split(array, np.zeros(count, np.int64)).images
    assert isinstance(images, ArrayImages)
    return images


def test_a_mirrored_image_is_flipped_and_has_its_own_hash() -> None:
    original = array_images(3, 0)
    mirrored = MirroredImages(original)
    np.testing.assert_array_equal(mirrored.read(1), original.array[1][:, ::-1])
    assert mirrored.name(2) == f"{original.name(2)} (mirrored)"
    assert len({*original.digests, *mirrored.digests}) == 6
    assert mirrored.take([2, 0]).digests == (mirrored.digests[2], mirrored.digests[0])


def test_concatenated_sets_are_read_in_order_and_images_selected_from_them() -> None:
    first, second = array_images(3, 1), array_images(2, 2)
    both = ConcatImages((first, second))
    assert len(both) == 5
    assert both.digests == first.digests + second.digests
    for index, expected in enumerate([*first.array, *second.array]):
        np.testing.assert_array_equal(both.read(index), expected)
    selected = both.take([4, 0, 3]).take([0, 2])
    assert selected.digests == (both.digests[4], both.digests[3])
    assert [selected.name(i) for i in range(2)] == [second.name(1), second.name(0)]


def files(*paths: Path) -> FileImages:
    return FileImages(tuple(map(str, paths)), tuple(map(sha256, paths)))


def test_files_are_decoded_when_they_are_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(stream, "PNG")
    (tmp_path / "red.png").write_bytes(stream.getvalue())
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = files(tmp_path / "red.png", tmp_path / "bad.png")
    assert images.read(0).shape == (3, 4, 3)
    assert images.name(0) == str(tmp_path / "red.png")
    assert images.take([1, 0]).paths == images.paths[::-1]
    with pytest.raises(ImageError, match="not an image"):
        images.read(1)


def test_a_file_that_was_changed_after_it_was_listed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    Image.fromarray(PIXELS[0]).save(path)
    images = files(path)
    assert images.content(0) == path.read_bytes()
    Image.fromarray(PIXELS[1]).save(path)
    for read in (images.read, images.content):
        with pytest.raises(ImageError, match="was changed after it was listed: run the command again"):
            read(0)
    path.unlink()
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        images.read(0)


def test_arrays_and_files_give_equal_images(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[0]).save(tmp_path / "0.png")
    np.testing.assert_array_equal(
        files(tmp_path / "0.png").read(0), ArrayImages(PIXELS[..., np.newaxis], ("",) * 10).read(0)
    )
