"""A bundle of any epoch whose checkpoint was kept."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.bundles.predictor import Prediction, Predictor
from tellapart.data.dataset import Dataset
from tellapart.errors import RunError
from tellapart.recipe import Recipe
from tellapart.training.checkpoint_bundle import bundle_checkpoint
from tellapart.training.fitting import checkpoints
from tellapart.training.run import Run, train


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that kept each epoch's checkpoint."""
    recipe = Recipe(model="mlp", size=20, epochs=3, batch_size=8, keep="all", precision="float32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train(Dataset.open(tiny), recipe, out=tmp_path_factory.mktemp("runs") / "kept")


def probabilities(folder: Path, images: Path) -> list[float]:
    answers = Predictor(folder).predict(sorted(images.rglob("*.png")))
    return [choice.probability for answer in answers if isinstance(answer, Prediction) for choice in answer.top]


def test_it_has_the_weights_of_the_checkpoint_and_no_test_metrics(run: Run, tiny: Path, tmp_path: Path) -> None:
    for checkpoint in checkpoints.found(run.folder / "checkpoints"):
        bundle = bundle_checkpoint(run, Dataset.open(tiny), checkpoint.epoch, tmp_path / str(checkpoint.epoch) / "one")
        bundle.verify()
        assert {*bundle.metrics} == {"validation"}
        weights = keras.saving.load_model(bundle.folder / "model.keras").get_weights()
        stored = [array.ravel().tolist() for array in checkpoint.state()]
        assert all(array.ravel().tolist() in stored for array in weights)


def test_the_chosen_epoch_answers_as_the_run_does_and_the_run_is_left_as_it_was(
    trained: Run, tiny: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*")}
    epochs = [one.epoch for one in checkpoints.found(trained.folder / "checkpoints")]
    answers = [
        probabilities(bundle_checkpoint(trained, Dataset.open(tiny), epoch, tmp_path / str(epoch) / "b").folder, tiny)
        for epoch in epochs
    ]
    expected = probabilities(trained.bundle.folder, tiny)
    assert any(np.allclose(answer, expected, atol=1e-6) for answer in answers)
    assert {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*")} == before


def test_an_epoch_that_was_not_kept_is_refused(run: Run, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no checkpoint of epoch 9, only of 1, 2 and 3: train with --keep all"):
        bundle_checkpoint(run, Dataset.open(tiny), 9, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_other_images_are_refused(run: Run, shades_of_noise: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not the images that .* was trained on"):
        bundle_checkpoint(run, Dataset.open(shades_of_noise), 1, tmp_path / "bundle")


def test_a_run_without_epochs_is_refused(tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe(model="knn"), out=tmp_path / "run")
    with pytest.raises(RunError, match="a run of knn, which has no epochs"):
        bundle_checkpoint(run, Dataset.open(tiny), 1, tmp_path / "bundle")


@pytest.fixture
def shades_of_noise(tmp_path: Path, coloured: object) -> Path:
    """Other images of the same classes."""
    assert callable(coloured)
    return Path(coloured(tmp_path / "other", seed=5))
