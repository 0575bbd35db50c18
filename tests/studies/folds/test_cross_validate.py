"""Cross-validation: nothing leaks, each fold is what `train` gives, and it resumes where it was interrupted."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.sources.arrays import array_split
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import DatasetError, RecipeError, RunError
from tellapart.files import exclusive_lock
from tellapart.judging.metrics import accuracy
from tellapart.recipe import Recipe
from tellapart.studies.folds import cross_validate as module
from tellapart.studies.folds.cross_validate import cross_validate
from tellapart.studies.folds.estimator_learner import EstimatorLearner
from tellapart.studies.folds.learner import FoldPrediction, Learner
from tellapart.studies.folds.plan import plan_folds
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.loop import Loop, Score
from tellapart.training.run import train

from ..fake_jobs import FakeJobs, StoppedError

MLP = Recipe(model="mlp", size=20, epochs=3, batch_size=8, precision="float32")
KNN = Recipe(model="knn", features="pixels", size=20, neighbours=1, precision="float32")


def stored(folder: Path) -> dict[str, NDArray[Any]]:
    with np.load(folder / "out_of_fold.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def noise(count: int, *, copies: int = 1) -> Dataset:
    """Images that say nothing of their labels, each there `copies` times."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8).repeat(copies, axis=0)
    labels = rng.permutation(np.arange(count) % 2).repeat(copies)
    return Dataset("noise", ("a", "b"), {"all": array_split(images, labels)})


class Watched:
    """Learns nothing, and records the images it gets."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.shown: list[dict[str, set[str]]] = []

    def learn(self, dataset: Dataset, held: Images, _: Path, /) -> FoldPrediction:
        """See Learner."""
        sets = {name: set(split.images.digests) for name, split in dataset.splits.items()}
        self.shown.append({**sets, "held": set(held.digests)})
        return FoldPrediction(np.full((len(held), len(dataset.classes)), 1 / len(dataset.classes), np.float32), 1)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """Put a watched learner in place of a real one."""
    made: list[Watched] = []

    def learner(dataset: Dataset, _: Recipe) -> Learner:
        made.append(Watched(dataset))
        return made[-1]

    monkeypatch.setattr(module, "make_learner", learner)
    return made


def test_training_validation_and_fold_share_no_image_and_test_is_not_used(
    watched: list[Watched], tmp_path: Path
) -> None:
    dataset = noise(60, copies=3)
    cross_validate(dataset, replace(MLP, size=8), count=4, out=tmp_path)
    test = set(draw_splits(dataset, validation=0, test=0.15, seed=0).splits["test"].images.digests)
    every = set(dataset.splits["all"].images.digests)
    (learner,) = watched
    assert len(learner.shown) == 4
    for shown in learner.shown:
        assert shown.keys() == {"train", "validation", "held"}
        assert shown["train"] | shown["validation"] | shown["held"] == every - test
        assert sum(len(part) for part in shown.values()) == len(every - test)
    held = [shown["held"] for shown in learner.shown]
    assert sum(map(len, held)) == len(set().union(*held)) == len(every - test)


def test_a_given_validation_split_is_in_the_folds_and_a_given_test_split_is_not(
    watched: list[Watched], tmp_path: Path
) -> None:
    drawn = draw_splits(noise(60), validation=0.2, test=0.2, seed=5)
    cross_validate(drawn, replace(MLP, size=8), count=3, out=tmp_path)
    held = set().union(*(shown["held"] for shown in watched[0].shown))
    expected = {name: set(split.images.digests) for name, split in drawn.splits.items()}
    assert held == expected["train"] | expected["validation"]
    assert json.loads((tmp_path / "folds.json").read_text())["test_pictures_left_alone"] == len(expected["test"])


def test_random_labels_are_guessed_although_every_image_has_duplicates(tmp_path: Path) -> None:
    dataset = noise(300, copies=3)
    found = cross_validate(dataset, replace(KNN, size=8), count=5, out=tmp_path)
    assert found.pooled.n == len(draw_splits(dataset, validation=0, test=KNN.test, seed=0).splits["train"])
    assert (
        0.4 < found.pooled.accuracy.value < 0.6
    )  # about 255 guesses: 0.5 with a deviation of 0.03; a leak would give 1.0


def test_a_network_guesses_random_labels(tmp_path: Path) -> None:
    found = cross_validate(noise(200, copies=2), replace(MLP, size=8, epochs=8), count=2, out=tmp_path)
    assert 0.35 < found.pooled.accuracy.value < 0.65


@pytest.mark.parametrize("recipe", [MLP, replace(MLP, augment="flip", class_weight="balanced"), KNN])
def test_a_fold_is_what_train_gives_on_the_other_images(recipe: Recipe, tiny: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(tiny)
    found = cross_validate(dataset, recipe, count=3, out=tmp_path / "folds")
    plan = plan_folds(dataset, recipe, 3)
    every = plan.dataset.splits["train"]
    rest = every.take(sorted([*plan.parts[0], *plan.parts[2]]))
    fold = every.take(plan.parts[1].tolist())
    exclusive_lock = replace(plan.dataset, splits={"train": rest, "test": fold})
    metrics = train(exclusive_lock, found.recipe, out=tmp_path / "run").metrics
    row = found.rows[1]
    assert metrics["test"]["n"] == row.n
    assert metrics["test"]["accuracy"]["value"] == pytest.approx(row.accuracy, abs=1e-6)
    assert metrics["test"]["log_loss"]["value"] == pytest.approx(row.log_loss, abs=1e-5)
    assert metrics["test"]["macro_f1"]["value"] == pytest.approx(row.macro_f1, abs=1e-6)


def test_the_files_agree_with_the_result(tiny: Path, tmp_path: Path) -> None:
    found = cross_validate(Dataset.open(tiny), replace(MLP, test=0.0), count=3, out=tmp_path)
    arrays = stored(tmp_path)
    assert {name: (array.dtype.kind, array.shape) for name, array in arrays.items()} == {
        "digests": ("U", (36,)),
        "labels": ("i", (36,)),
        "fold": ("i", (36,)),
        "probabilities": ("f", (36, 3)),
        "classes": ("U", (3,)),
    }
    assert arrays["probabilities"].dtype == np.float32
    every = Dataset.open(tiny).splits["all"]
    labels = dict(zip(every.images.digests, every.labels.tolist(), strict=True))
    assert dict(zip(arrays["digests"].tolist(), arrays["labels"].tolist(), strict=True)) == labels
    for row in found.rows:
        mine = arrays["fold"] == row.fold
        assert row.n == np.count_nonzero(mine)
        assert accuracy(arrays["labels"][mine], arrays["probabilities"][mine]) == pytest.approx(row.accuracy, abs=1e-6)
    with (tmp_path / "folds.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["epoch"]) for row in rows] == [row.epoch for row in found.rows]
    facts = json.loads((tmp_path / "folds.json").read_text())
    assert facts["mean"]["accuracy"] == found.accuracy.value == pytest.approx(found.mean("accuracy"))
    assert facts["accuracy"] == {**found.accuracy.as_json(), "interval": facts["accuracy"]["interval"]}
    assert facts["pooled"]["n"] == facts["pictures"] == 36
    assert Recipe.read(tmp_path / "recipe.toml") == found.recipe
    assert not list(tmp_path.glob("checkpoints*"))


def test_the_same_seed_gives_the_same_folds(tiny: Path, tmp_path: Path) -> None:
    one, other = (cross_validate(Dataset.open(tiny), MLP, count=2, out=tmp_path / name) for name in ("one", "other"))
    np.testing.assert_array_equal(stored(one.folder)["probabilities"], stored(other.folder)["probabilities"])
    third = cross_validate(Dataset.open(tiny), replace(MLP, seed=1), count=2, out=tmp_path / "third")
    assert not np.array_equal(stored(one.folder)["probabilities"], stored(third.folder)["probabilities"])


def test_an_interrupted_cross_validation_resumes_after_its_finished_folds(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset.open(tiny)
    learned: list[str] = []
    whole = cross_validate(dataset, KNN, count=3, out=tmp_path / "whole")
    real = EstimatorLearner.learn

    def learn(self: EstimatorLearner, dataset: Dataset, held: Images, folder: Path, /) -> FoldPrediction:
        if len(learned) == 2:
            learned.append("stopped")
            raise KeyboardInterrupt
        learned.append(dataset.name)
        return real(self, dataset, held, folder)

    monkeypatch.setattr(EstimatorLearner, "learn", learn)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(dataset, KNN, count=3, out=tmp_path / "stopped")
    again = cross_validate(dataset, KNN, count=3, out=tmp_path / "stopped")
    assert learned == ["tiny without fold 1", "tiny without fold 2", "stopped", "tiny without fold 3"]
    np.testing.assert_array_equal(stored(whole.folder)["probabilities"], stored(again.folder)["probabilities"])
    cross_validate(dataset, KNN, count=3, out=tmp_path / "stopped")
    assert len(learned) == 4


def test_a_network_interrupted_within_a_fold_resumes_from_its_checkpoint(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, real = Dataset.open(tiny), Loop.epoch
    epochs: list[int] = []

    def learned(
        self: Loop, examples: Examples, epoch: int, advance: Callable[[int], None], *, rate_factor: float
    ) -> Score:
        if len(epochs) == 2:
            epochs.append(-1)
            raise KeyboardInterrupt
        epochs.append(epoch)
        return real(self, examples, epoch, advance, rate_factor=rate_factor)

    whole = cross_validate(dataset, MLP, count=2, out=tmp_path / "whole")
    monkeypatch.setattr(Loop, "epoch", learned)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(dataset, MLP, count=2, out=tmp_path / "stopped")
    for place in ("parts", "checkpoints"):
        (tmp_path / "stopped" / place).mkdir(exist_ok=True)
        (tmp_path / "stopped" / place / ".partial-of-a-kill").mkdir()
    again = cross_validate(dataset, MLP, count=2, out=tmp_path / "stopped")
    assert not list(again.folder.rglob(".partial-*"))
    assert not (again.folder / "checkpoints").exists()
    assert epochs == [0, 1, -1, 2, 0, 1, 2]
    np.testing.assert_array_equal(stored(whole.folder)["probabilities"], stored(again.folder)["probabilities"])


def test_other_folds_in_the_same_folder_are_refused_with_what_differs(
    tiny: Path, tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    dataset = Dataset.open(tiny)
    cross_validate(dataset, KNN, count=3, out=tmp_path / "folds")
    with pytest.raises(RunError, match=r"there were 3 folds, now 4; neighbours was 1, now 2. .*--out"):
        cross_validate(dataset, replace(KNN, neighbours=2), count=4, out=tmp_path / "folds")
    other = Dataset.open(coloured(tmp_path / "other", seed=9))
    with pytest.raises(RunError, match="other images, of tiny, than other has now"):
        cross_validate(other, KNN, count=3, out=tmp_path / "folds")
    (tmp_path / "folds" / "settings.json").write_text("[1]")
    with pytest.raises(RunError, match=r"settings.json cannot be read"):
        cross_validate(dataset, KNN, count=3, out=tmp_path / "folds")


def test_a_file_and_a_folder_with_other_files_are_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    for name, phrase in (("full", "contains no cross-validation"), ("full/letter.txt", "is a file")):
        with pytest.raises(RunError, match=phrase):
            cross_validate(Dataset.open(tiny), KNN, count=3, out=tmp_path / name)


def test_two_cross_validations_cannot_use_one_folder(tiny: Path, tmp_path: Path) -> None:
    with (
        exclusive_lock(tmp_path / ".lock", "folds", "wait"),
        pytest.raises(RunError, match="another cross-validation is at work in"),
    ):
        cross_validate(Dataset.open(tiny), KNN, count=3, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert cross_validate(Dataset.open(tiny), KNN, count=3, out=tmp_path).recipe.neighbours == 1


def test_other_folds_are_replaced_while_none_is_finished(tiny: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(tiny)
    with pytest.raises(RecipeError, match="neighbours is 50"):
        cross_validate(dataset, replace(KNN, neighbours=50), count=3, out=tmp_path)
    assert cross_validate(dataset, KNN, count=3, out=tmp_path).recipe.neighbours == 1


def test_a_damaged_fold_file_is_named(tiny: Path, tmp_path: Path) -> None:
    cross_validate(Dataset.open(tiny), KNN, count=3, out=tmp_path)
    (tmp_path / "parts" / "0002.npz").write_bytes(b"PK but not a zip")
    with pytest.raises(RunError, match=r"0002.npz cannot be read .* remove that file"):
        cross_validate(Dataset.open(tiny), KNN, count=3, out=tmp_path)


def test_unreadable_images_are_listed_and_left_out(tmp_path: Path, coloured: Callable[..., Path]) -> None:
    folder = coloured(tmp_path / "photos")
    for number in range(2):
        (folder / "red" / f"{number:02}.png").write_bytes(b"no image" + bytes([number]))
    for recipe in (KNN, MLP):
        found = cross_validate(Dataset.open(folder), replace(recipe, test=0.0), count=3, out=tmp_path / recipe.model)
        assert found.pooled.n == 34
        assert (tmp_path / recipe.model / "skipped.csv").read_text().count("red") == 2


def test_nan_probabilities_are_refused_before_they_are_stored(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverged(_: Watched, dataset: Dataset, held: Images, __: Path, /) -> FoldPrediction:
        return FoldPrediction(np.full((len(held), len(dataset.classes)), np.nan, np.float32), 1)

    monkeypatch.setattr(Watched, "learn", diverged)
    monkeypatch.setattr(module, "make_learner", lambda dataset, _: Watched(dataset))
    with pytest.raises(RunError, match=r"the probabilities of fold 1 are not numbers.*lower --learning-rate"):
        cross_validate(Dataset.open(tiny), MLP, count=2, out=tmp_path)
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize(("count", "phrase"), [(1, "folds is 1; expected 2"), (1001, "expected 2 to 1,000")])
def test_too_few_or_many_folds_are_refused(count: int, phrase: str, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=phrase):
        cross_validate(Dataset.open(tiny), MLP, count=count, out=tmp_path / "folds")
    assert not (tmp_path / "folds").exists()


def test_classes_too_small_are_refused_by_name(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"class (blue|green|red) has \d+ distinct images, but 13 folds"):
        cross_validate(Dataset.open(tiny), MLP, count=13, out=tmp_path / "folds")
    small = noise(4)
    with pytest.raises(DatasetError, match="validation split of noise without fold 1 has no image"):
        cross_validate(small, replace(MLP, size=8, test=0.0), count=2, out=tmp_path / "small")


def test_an_unknown_model_is_refused_before_a_folder_is_made(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no model"):
        cross_validate(Dataset.open(tiny), replace(MLP, model="xcepton"), count=3, out=tmp_path / "folds")
    assert not (tmp_path / "folds").exists()


@pytest.mark.parametrize("recipe", [MLP, KNN])
def test_workers_give_the_same_folds(recipe: Recipe, tmp_path: Path, coloured: Callable[..., Path]) -> None:
    folder = coloured(tmp_path / "photos")
    (folder / "red" / "00.png").write_bytes(b"no image")
    dataset = Dataset.open(folder)
    fake_jobs = FakeJobs()
    here, there = (
        cross_validate(dataset, recipe, count=3, out=tmp_path / name, jobs=jobs)
        for name, jobs in (("here", None), ("there", fake_jobs))
    )
    assert fake_jobs.done == 3
    for name, values in stored(here.folder).items():
        np.testing.assert_array_equal(values, stored(there.folder)[name])
    assert [replace(row, seconds=0) for row in there.rows] == [replace(row, seconds=0) for row in here.rows]
    names = [sorted(path.relative_to(one.folder) for path in one.folder.rglob("*")) for one in (here, there)]
    assert names[0] == names[1]
    skipped = [(one.folder / "skipped.csv").read_text() for one in (here, there)]
    assert skipped[0] == skipped[1]


@pytest.mark.parametrize("by", [None, FakeJobs()])
def test_folds_begun_by_workers_resume_after_the_finished_ones(by: FakeJobs | None, tiny: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(tiny)
    with pytest.raises(StoppedError):
        cross_validate(dataset, MLP, count=3, out=tmp_path / "folds", jobs=FakeJobs(1))
    assert [path.name for path in (tmp_path / "folds" / "parts").iterdir()] == ["0003.npz"]
    again = cross_validate(dataset, MLP, count=3, out=tmp_path / "folds", jobs=by)
    whole = cross_validate(dataset, MLP, count=3, out=tmp_path / "whole")
    np.testing.assert_array_equal(stored(whole.folder)["probabilities"], stored(again.folder)["probabilities"])


def test_an_error_in_a_worker_is_raised(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="neighbours is 50"):
        cross_validate(Dataset.open(tiny), replace(KNN, neighbours=50), count=3, out=tmp_path, jobs=FakeJobs())
