"""An image of a data set, named in text and taken by its number."""

from pathlib import Path

import numpy as np
import pytest

from tellapart import Dataset
from tellapart.data.dataset import ReadOptions
from tellapart.data.image_inputs import named_image
from tellapart.data.labelled_images import LabelledImage
from tellapart.data.sources.references import find_image, is_reference
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import DatasetError, ImageError


@pytest.fixture
def arrays(tmp_path: Path) -> str:
    """A file with 5 training and 3 test images; test image i is all 10 i, and its label is i."""
    shape = (4, 4)
    test = np.stack([np.full(shape, 10 * number, np.uint8) for number in range(3)])
    path = tmp_path / "tens.npz"
    train = np.arange(80, dtype=np.uint8).reshape(5, *shape)
    np.savez(path, x_train=train, y_train=np.array([0, 1, 2, 0, 1]), x_test=test, y_test=np.arange(3))
    return str(path)


def test_text_and_python_name_the_same_image(arrays: str) -> None:
    text = f"{arrays}:test[2]"
    assert is_reference(text)
    for image in (find_image(text), Dataset.open(arrays).test[2]):
        assert (image.name, image.label, image.index) == (text, "2", 2)
        assert image.array.tolist() == np.full((4, 4, 1), 20).tolist()
    named = named_image(text)
    assert (named.name, named.true, named.read()[0, 0, 0]) == (text, "2", 20)
    assert named_image(Dataset.open(arrays).test[1]).true == "1"


def test_an_image_in_a_folder_is_named_by_its_path(tiny: Path) -> None:
    image = find_image(f"{tiny}:all[13]")
    assert image.label == Path(image.name).parent.name
    assert Dataset.open(tiny).all[13].name == image.name


def test_images_are_a_sequence(arrays: str) -> None:
    test = Dataset.open(arrays).test
    assert (len(test), [image.label for image in test], test[-1].label) == (3, ["0", "1", "2"], "2")
    assert [image.index for image in test[1:]] == [1, 2]
    with pytest.raises(IndexError, match=r"there is no image 3 in .*tens.npz:test: it has 0 to 2"):
        test[3]
    with pytest.raises(DatasetError, match="tens has no split validation, it has train and test"):
        Dataset.open(arrays).validation  # noqa: B018


@pytest.mark.parametrize(
    ("ending", "phrase"),
    [
        ("test[3]", r"there is no image \[3\] in .*:test: its images are 0 to 2"),
        ("test[-1]", r"there is no image \[-1\]"),
        ("test[]", r"there is no image \[\]"),
        ("test[1:2]", r"there is no image \[1:2\]"),
        ("tests[0]", r"has no split tests, it has train and test: write .*:train\[0\]"),
    ],
)
def test_what_is_not_there_is_one_sentence(arrays: str, ending: str, phrase: str) -> None:
    with pytest.raises(DatasetError, match=phrase):
        find_image(f"{arrays}:{ending}")
    with pytest.raises(ImageError, match=phrase):
        named_image(f"{arrays}:{ending}").read()


def test_an_unknown_source_is_named_with_the_nearest() -> None:
    with pytest.raises(DatasetError, match="did you mean mnist"):
        find_image("mnst:test[0]")


def test_a_split_that_was_drawn_has_no_text_that_would_name_another_image(arrays: str) -> None:
    drawn = draw_splits(Dataset.open(arrays), validation=0.4, test=0, seed=0)
    assert drawn.train[0].name.startswith("image ")
    without_1 = Dataset.open(arrays, ReadOptions(exclude_label=("1",)))
    assert without_1.test[1].label == "2"
    assert without_1.test[1].name.startswith("image ")


def test_paths_are_no_references(tmp_path: Path) -> None:
    (tmp_path / "a:b[1]").write_bytes(b"")
    assert not is_reference(str(tmp_path / "a:b[1]"))
    assert not any(map(is_reference, ("photo[1]", "photo.jpg", "C:\\photos\\a[1].jpg", "photos/*[0-9]", "a:b/c[1]")))


def test_a_labelled_image_says_what_it_is(arrays: str) -> None:
    dataset = Dataset.open(arrays)
    assert repr(dataset.test[1]) == f"<LabelledImage {arrays}:test[1]: 1>"
    assert repr(dataset.test) == f"<LabelledImages {arrays}:test: 3 images>"
    assert isinstance(dataset.test[1], LabelledImage)
