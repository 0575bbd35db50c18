"""Before the first epoch: what is found is said, what is forbidden is refused, and nothing is written then."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import Dataset, Recipe, train
from tellapart.errors import DatasetError
from tellapart.training.prepare import draw_all_splits, preflight, with_model

RECIPE = Recipe(model="mlp", size=20, epochs=1, batch_size=8, precision="float32")


@pytest.fixture
def leaky(coloured: Callable[..., Path], tmp_path: Path) -> Path:
    """Splits of their owner's: one image of train is also in test."""
    coloured(tmp_path / "photos" / "train", each=20, colours=("blue", "red"))
    coloured(tmp_path / "photos" / "test", each=10, colours=("blue", "red"), seed=1)
    shutil.copy(tmp_path / "photos" / "test" / "red" / "00.png", tmp_path / "photos" / "train" / "red" / "copy.png")
    return tmp_path / "photos"


@pytest.fixture
def nearly_leaky(tmp_path: Path) -> Path:
    """Splits of their owner's: an image of test is in train at another size."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in "ab":
            (tmp_path / "photos" / split / label).mkdir(parents=True)
            for number in range(12):
                small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
                small.resize((128, 128), Image.Resampling.BICUBIC).save(
                    tmp_path / "photos" / split / label / f"{number}.png"
                )
    with Image.open(tmp_path / "photos" / "test" / "a" / "0.png") as image:
        image.resize((96, 96)).save(tmp_path / "photos" / "train" / "a" / "again.png")
    return tmp_path / "photos"


def test_each_finding_is_said_in_a_line(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preflight(Dataset.open(leaky))
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("problem: 1 image is in two splits: 1 of train also in test") for line in lines)


def test_what_is_not_forbidden_trains(leaky: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(leaky), RECIPE, out=tmp_path / "run", forbid=["two-labels"])
    assert "test" in run.metrics


@pytest.mark.parametrize(("forbid", "strict"), [(["leak"], False), ([], True), (["copies", "leak"], False)])
def test_what_is_forbidden_is_refused_and_nothing_is_written(
    forbid: list[str], strict: bool, leaky: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"nothing was trained.*forbidden: leak\. Run `tellapart check .*photos`"):
        train(Dataset.open(leaky), RECIPE, out=tmp_path / "run", forbid=forbid, strict=strict)
    assert not (tmp_path / "run").exists()


def test_what_only_decoding_finds_is_looked_for_where_it_is_forbidden(nearly_leaky: Path) -> None:
    preflight(Dataset.open(nearly_leaky), strict=True)  # cheap, and finds nothing to refuse
    with pytest.raises(DatasetError, match="forbidden: near-leak"):
        preflight(Dataset.open(nearly_leaky), forbid=["near-leak"])


def test_notes_do_not_stop_a_strict_training(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tiny, tmp_path / "photos")
    (tmp_path / "photos" / "red" / "notes.txt").write_text("hello")
    preflight(Dataset.open(tmp_path / "photos"), strict=True)
    assert "note: 1 file is not an image" in capsys.readouterr().err
    with pytest.raises(DatasetError, match="forbidden: other-files"):
        preflight(Dataset.open(tmp_path / "photos"), forbid=["other-files"])


@pytest.mark.parametrize(
    ("kind", "phrase"),
    [("leek", "'leek' is no finding that could be forbidden: did you mean leak"), ("outlier", "cannot be forbidden")],
)
def test_what_cannot_be_forbidden_is_told_before_anything_is_looked_at(kind: str, phrase: str, tiny: Path) -> None:
    with pytest.raises(DatasetError, match=phrase):
        preflight(Dataset.open(tiny), forbid=[kind])


def test_the_model_follows_the_images(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = with_model(Dataset.open(tiny), Recipe())
    assert (recipe.model, recipe.size) == ("cnn", 20)
    assert "model: cnn, since the images have 20 pixels" in capsys.readouterr().err
    assert with_model(Dataset.open("digits"), Recipe()).size == 8
    assert draw_all_splits(Dataset.open(tiny), Recipe())[1].model == "cnn"


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(size=96),
        Recipe(weights="imagenet"),
        Recipe(unfreeze=3),
        Recipe(model="mlp"),
        Recipe(model="xception", size=71),
    ],
)
def test_a_recipe_that_asks_for_another_model_gets_it(tiny: Path, recipe: Recipe) -> None:
    expected = "xception" if recipe.model == "auto" else recipe.model
    assert with_model(Dataset.open(tiny), recipe).model == expected


def test_photos_get_a_pretrained_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            pixels = rng.integers(0, 256, (64, 90, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    assert with_model(Dataset.open(tmp_path), Recipe()) == Recipe(model="xception")
