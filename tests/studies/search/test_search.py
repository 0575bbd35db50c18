"""A search on small images: its result, resuming, and refusals."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tellapart.bundles.manifest import SEEN
from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import RecipeError, RunError, TellapartError
from tellapart.recipe import Recipe
from tellapart.studies.search import successive_halving
from tellapart.studies.search.search import Search, search

from ..fake_jobs import FakeJobs, StoppedError

RECIPE = Recipe(model="mlp", batch_size=8, precision="float32")
SPACE = ["units=4:16:4", "learning_rate=0.003,0.03"]


@pytest.fixture(scope="module")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """An uninterrupted search: three trials of one epoch, two of three."""
    folder = tmp_path_factory.mktemp("search") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return search(Dataset.open(tiny), RECIPE, SPACE, out=folder, max_epochs=3)


@pytest.fixture
def begun(finished: Search, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return Path(shutil.copytree(finished.folder, tmp_path / "begun"))


def outcome(found: Search) -> dict[str, Any]:
    """Return what must not depend on interruptions or workers."""
    rows = [line.rsplit(",", 1)[0] for line in (found.folder / "trials.csv").read_text().splitlines()]
    return {
        "table": rows,
        "best": (found.folder / "best.toml").read_bytes(),
        "bundle": (found.run.bundle.folder / "model.bin").read_bytes(),
        "values": [(trial.number, trial.values, len(trial.history)) for trial in found.trials],
    }


def test_a_search_leaves_the_winner_trained_on_all_but_the_test_images(finished: Search, tiny: Path) -> None:
    assert sorted(len(trial.history) for trial in finished.trials) == [1, 1, 3, 3, 3]
    best = finished.trials[0]
    losses = [row.val_loss for trial in finished.trials for row in trial.history if row.val_loss is not None]
    assert best.best.val_loss == min(losses)
    assert finished.recipe == Recipe.read(finished.folder / "best.toml")
    assert (finished.recipe.units, finished.recipe.epochs) == (best.values["units"], best.best.epoch)
    run = finished.run
    assert (run.recipe.validation, run.recipe.epochs, run.recipe.seed) == (0.0, best.best.epoch, best.number)
    assert list(run.metrics) == ["test"]
    dataset = draw_splits(Dataset.open(tiny), validation=0.15, test=0.15, seed=0)
    seen = json.loads((run.bundle.folder / SEEN).read_text())
    assert len(seen["train"]) == len(dataset.splits["train"]) + len(dataset.splits["validation"])
    assert run.metrics["test"]["n"] == len(dataset.splits["test"])
    assert not list(finished.folder.rglob(".partial-*"))
    assert [path.name for path in (finished.folder / "trials").iterdir()] == [f"{best.number:04d}"]


def test_a_finished_search_trains_nothing(
    finished: Search, begun: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr("tellapart.studies.search.search_workers.load_keras", never)
    table = (begun / "trials.csv").read_text().splitlines(keepends=True)
    (begun / "trials.csv").write_text("".join(table[:-1]))  # as if killed before its last row was written
    again = search(Dataset.open(tiny), RECIPE, SPACE, out=begun, max_epochs=3)
    assert again.trials == finished.trials
    assert outcome(again) == outcome(finished)


@pytest.mark.parametrize("lines", [1, 9, *(pytest.param(lines, marks=pytest.mark.long) for lines in (0, 4, 12))])
def test_a_search_resumes_from_any_line_of_its_journal(finished: Search, begun: Path, tiny: Path, lines: int) -> None:
    journal = (begun / "journal.log").read_bytes().splitlines(keepends=True)
    (begun / "journal.log").write_bytes(b"".join(journal[:lines]) + journal[lines][:20])
    shutil.rmtree(begun / "final")
    shutil.rmtree(begun / "trials")  # as if killed when its trials were all unfinished
    if lines > 6:
        shutil.copytree(finished.folder / "trials", begun / "trials")
    (begun / "trials" / ".partial-of-a-kill").mkdir(parents=True)
    assert outcome(search(Dataset.open(tiny), RECIPE, SPACE, out=begun, max_epochs=3)) == outcome(finished)
    assert not list(begun.rglob(".partial-*"))


def test_two_processes_of_which_one_is_killed_give_the_same_result(
    finished: Search, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = successive_halving.SuccessiveHalving._train
    killed: list[int] = []

    def train(self: successive_halving.SuccessiveHalving, racing: list[int], epochs: int) -> None:
        if not killed:
            killed.append(multiprocessing.active_children()[0].pid or 0)
            os.kill(killed[0], signal.SIGKILL)
        trained(self, racing, epochs)

    monkeypatch.setattr(successive_halving.SuccessiveHalving, "_train", train)
    found = search(Dataset.open(tiny), RECIPE, SPACE, out=tmp_path / "two", max_epochs=3, workers=2)
    assert outcome(found) == outcome(finished)
    assert "a worker was killed: another repeats its job" in capfd.readouterr().err
    assert not multiprocessing.active_children()


def test_workers_begin_once_and_give_the_same_result(finished: Search, tiny: Path, tmp_path: Path) -> None:
    fake_jobs = FakeJobs()
    found = search(Dataset.open(tiny), RECIPE, SPACE, out=tmp_path / "fake_jobs", max_epochs=3, jobs=fake_jobs)
    assert outcome(found) == outcome(finished)
    assert fake_jobs.begun == 2
    assert fake_jobs.done == 1 + 3 + 1 + 2  # ready, then the rungs
    kept = [sorted(path.name for path in one.folder.glob("trials/*/*")) for one in (found, finished)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("most", [4, *(pytest.param(most, marks=pytest.mark.long) for most in (1, 2, 5))])
def test_a_search_begun_by_workers_resumes_in_this_process(
    finished: Search, tiny: Path, tmp_path: Path, most: int
) -> None:
    wanted: dict[str, Any] = {"out": tmp_path / "fake_jobs", "max_epochs": 3}
    with pytest.raises(StoppedError):
        search(Dataset.open(tiny), RECIPE, SPACE, jobs=FakeJobs(most), **wanted)
    assert outcome(search(Dataset.open(tiny), RECIPE, SPACE, **wanted)) == outcome(finished)


@pytest.mark.parametrize("lines", [9, pytest.param(4, marks=pytest.mark.long)])
def test_a_search_begun_in_this_process_is_resumed_by_workers(
    begun: Path, finished: Search, tiny: Path, lines: int
) -> None:
    journal = (begun / "journal.log").read_bytes().splitlines(keepends=True)
    (begun / "journal.log").write_bytes(b"".join(journal[:lines]))
    shutil.rmtree(begun / "final")
    found = search(Dataset.open(tiny), RECIPE, SPACE, out=begun, max_epochs=3, jobs=FakeJobs())
    assert outcome(found) == outcome(finished)


def test_no_workers_start_when_nothing_is_left_to_train(finished: Search, begun: Path, tiny: Path) -> None:
    fake_jobs = FakeJobs()
    again = search(Dataset.open(tiny), RECIPE, SPACE, out=begun, max_epochs=3, jobs=fake_jobs)
    assert (again.trials, fake_jobs.begun) == (finished.trials, 0)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"recipe": Recipe(model="mlp", batch_size=4, precision="float32")}, "batch_size was 8, now 4"),
        ({"recipe": Recipe(model="mlp", batch_size=8, precision="float32", seed=1)}, "seed was 0, now 1"),
        ({"space": ["units=4:16:4"]}, "space of learning_rate was 0.003,0.03, now fixed"),
        ({"space": ["units=4:16:2", SPACE[1]]}, "space of units was 4:16:4, now 4:16:2"),
        ({"max_epochs": 9}, "its brackets were"),
        ({"factor": 2}, r"\(3 x 1, then 1 x 3; 2 x 3 epochs\), now"),
    ],
)
def test_another_search_in_the_same_folder_is_refused_with_what_differs(
    begun: Path, tiny: Path, change: dict[str, Any], phrase: str
) -> None:
    wanted: dict[str, Any] = {"recipe": RECIPE, "space": SPACE, "max_epochs": 3, **change}
    with pytest.raises(RunError, match=phrase) as refused:
        search(Dataset.open(tiny), out=begun, **wanted)
    assert "--fresh" in str(refused.value)
    assert (begun / "final" / "metrics.json").exists()


def test_other_images_are_refused(begun: Path, tmp_path: Path, coloured: Callable[..., Path]) -> None:
    other = Dataset.open(coloured(tmp_path / "other", seed=5))
    with pytest.raises(RunError, match="it had other images"):
        search(other, RECIPE, SPACE, out=begun, max_epochs=3)


def test_fresh_begins_again_and_leaves_other_files_alone(begun: Path, tiny: Path) -> None:
    (begun / "mine.txt").write_text("mine")
    again = search(Dataset.open(tiny), RECIPE, ["units=4,8"], out=begun, max_epochs=1, fresh=True)
    assert [len(trial.history) for trial in again.trials] == [1]
    assert (begun / "mine.txt").read_text() == "mine"
    assert again.run.recipe.learning_rate == 0.001


def test_a_folder_with_other_files_is_refused_and_unchanged(tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path, tmp_path / "file"):
        for fresh in (False, True):
            with pytest.raises(RunError, match=r"is in use|is a file"):
                search(Dataset.open(tiny), RECIPE, SPACE, out=out, max_epochs=3, fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_unreadable_settings_are_refused(begun: Path, tiny: Path) -> None:
    for content in ("{", "[]", "{}"):
        (begun / "search.json").write_text(content)
        with pytest.raises(RunError, match="cannot be read"):
            search(Dataset.open(tiny), RECIPE, SPACE, out=begun, max_epochs=3)


@pytest.mark.parametrize(
    ("wanted", "error", "phrase"),
    [
        ({"recipe": Recipe(model="mlp", epochs=3)}, RecipeError, "give --max-epochs"),
        ({"recipe": Recipe(model="mlp", validation=0.0)}, RecipeError, "validation is 0"),
        ({"recipe": Recipe(model="mlp", then=("epochs=2",))}, RecipeError, "one stage"),
        ({"space": ["model=mlp,mpl"]}, RecipeError, "did you mean mlp"),
        ({"recipe": Recipe(model="knn")}, RecipeError, "knn has no epochs"),
        ({"space": ["model=mlp,forest"]}, RecipeError, "forest has no epochs"),
        ({"space": []}, RecipeError, "nothing to search"),
        ({"max_epochs": 0}, RecipeError, "max_epochs is 0"),
        ({"factor": 1}, RecipeError, "factor is 1"),
        ({"workers": 0}, RecipeError, "workers is 0"),
    ],
)
def test_an_invalid_search_is_refused_before_anything_is_written(
    tmp_path: Path, tiny: Path, wanted: dict[str, Any], error: type[TellapartError], phrase: str
) -> None:
    asked: dict[str, Any] = {"recipe": RECIPE, "space": SPACE, "max_epochs": 3, **wanted}
    with pytest.raises(error, match=phrase):
        search(Dataset.open(tiny), out=tmp_path / "new", **asked)
    assert not (tmp_path / "new" / "search.json").exists()
