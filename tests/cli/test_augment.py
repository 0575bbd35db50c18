"""`tellapart augment`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.image_grid import CELL, GAP, TEXT

from .conftest import Said


def cell(file: Path, row: int, column: int) -> NDArray[np.uint8]:
    top, left = GAP + row * (CELL + TEXT + GAP), GAP + column * (CELL + GAP)
    with Image.open(file) as image:
        return np.asarray(image)[top : top + CELL, left : left + CELL]


def test_a_grid_shows_each_image_and_its_views(tiny: Path, tmp_path: Path, said: Said) -> None:
    file = tmp_path / "grid.png"
    answer = said("augment", tiny, "--augment", "flip", "--count", 3, "--views", 8, "--size", 16, "--save", file)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines() == ["flip: images: 3, views of each: 8, pixels: 16 x 16", f"saved: {file}"]
    with Image.open(file) as image:
        assert image.size == (9 * (CELL + GAP) + GAP, 3 * (CELL + TEXT + GAP) + GAP)
    for row in range(3):
        own = cell(file, row, 0)
        views = [cell(file, row, column) for column in range(1, 9)]
        assert all(np.array_equal(view, own) or np.array_equal(view, own[:, ::-1]) for view in views)
        assert not all(np.array_equal(view, own) for view in views)
    colours = {int(cell(file, row, 0).reshape(-1, 3).mean(axis=0).argmax()) for row in range(3)}
    assert colours == {0, 1, 2}  # from all classes, not three of the first


def test_the_seed_draws_other_views_and_the_same_seed_the_same(tiny: Path, tmp_path: Path, said: Said) -> None:
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        said("augment", tiny, "--augment", "rotate=30,cutmix=1", "--seed", seed, "--save", file)
    first, again, other = (file.read_bytes() for file in files)
    assert first == again
    assert first != other


def test_digits_are_shown_at_their_own_size_and_a_photo_by_itself(tmp_path: Path, said: Said) -> None:
    answer = said("augment", "digits", "--augment", "shift=0.1", "--save", tmp_path / "digits.png")
    assert answer.out.startswith("shift=0.1: images: 6, views of each: 7, pixels: 8 x 8")
    Image.new("RGB", (30, 40), "red").save(tmp_path / "photo.png")
    answer = said("augment", tmp_path / "photo.png", "--augment", "erase=0.3", "--save", tmp_path / "one.png")
    assert answer.out.startswith("erase=0.3: images: 1, views of each: 7, pixels: 160 x 160")


def test_mixed_images_say_of_what_they_are(tiny: Path, tmp_path: Path, said: Said) -> None:
    said("augment", tiny, "--augment", "cutmix=1", "--size", 16, "--save", tmp_path / "mixed.png")
    said("augment", tiny, "--augment", "flip", "--size", 16, "--save", tmp_path / "plain.png")

    def captions(file: Path) -> int:
        with Image.open(file) as image:
            line = np.asarray(image)[GAP + CELL + 2 : GAP + CELL + TEXT, GAP + CELL + GAP :]
        return int((line < 128).any())

    assert (captions(tmp_path / "mixed.png"), captions(tmp_path / "plain.png")) == (1, 0)


def test_without_a_file_it_says_how_to_get_one(tiny: Path, said: Said) -> None:
    answer = said("augment", tiny, "--augment", "flip")
    assert answer.status == 0
    assert "--save FILE.png" in answer.out


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--augment", "spin=30"], "there is no augmentation 'spin'"),
        (["--augment", "rotate=300"], "rotate is 300; expected more than 0 to 180"),
        (["--augment", "flip", "--count", "0"], "count is 0; expected 1 to 100"),
        (["--augment", "flip", "--views", "-1"], "views is -1; expected 1 to 100"),
        (["--augment", "flip", "--size", "0"], "size is 0; expected 1 to 4096"),
        (["--augment", "flip", "--size", "99999"], "size is 99999; expected 1 to 4096"),
        (["--augment", "flip", "--seed", "-1"], "seed is -1; expected 0"),
    ],
)
def test_what_cannot_be_shown_is_refused(words: list[str], phrase: str, tiny: Path, said: Said) -> None:
    assert phrase in said("augment", tiny, *words).error


def test_sources_that_are_none_are_refused(tmp_path: Path, said: Said) -> None:
    assert "nowhere" in said("augment", tmp_path / "nowhere", "--augment", "flip").error
    (tmp_path / "text.jpg").write_text("no image")
    assert "not an image" in said("augment", tmp_path / "text.jpg", "--augment", "flip").error
    assert said("augment", tmp_path).status == 2  # nothing asked for


def test_neither_tensorflow_nor_openvino_is_needed(tiny: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from tellapart.cli.run_command import run;"
        f"run(['augment', {str(tiny)!r}, '--augment', 'rotate=9', '--save', {str(tmp_path / 'grid.png')!r}]);"
        "sys.exit(str({'tensorflow', 'keras', 'openvino', 'sklearn'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
