"""Sweeping: the same trials as `train` would end, one factor after the other, kept whatever ends the call."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import DatasetError, RecipeError, RunError
from tellapart.files import exclusive_lock
from tellapart.models.resolved_recipe import ResolvedRecipe, resolve_network
from tellapart.recipe import Recipe
from tellapart.studies.sweep.plan import Factor, Trial, best_trial, gap, parse_vary, plan_sweep
from tellapart.studies.sweep.sweep import Sweep, sweep
from tellapart.training import tasks, write_bundle
from tellapart.training.final_evaluation import FinalEvaluation
from tellapart.training.fitting.checkpoints import Epoch
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.loop import Loop, Score
from tellapart.training.run import train
from tellapart.training.tasks import Backbone, StageWeights, backbone_for

from ..fake_jobs import FakeJobs, StoppedError

RECIPE = Recipe(
    model="mlp", size=20, units=8, epochs=4, batch_size=8, patience=2, precision="float32", monitor="val_accuracy"
)
VARY = ("learning_rate=1e-3,1e-2", "dropout=0,0.5 @ epochs=3")


@pytest.fixture(scope="module")
def swept(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A finished sweep of the tiny images. Tests only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return sweep(Dataset.open(tiny), RECIPE, VARY, out=tmp_path_factory.mktemp("sweeps") / "tiny")


def rows(path: Path, *without: str) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return [{name: value for name, value in row.items() if name not in without} for row in csv.DictReader(stream)]


def table_of(trial: Trial) -> list[dict[str, str]]:
    names = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
    return [{name: str(getattr(row, name)) for name in names} for row in trial.history]


def test_every_trial_has_the_history_that_train_gives(swept: Sweep, tiny: Path, tmp_path: Path) -> None:
    assert len(swept.trials) == 4
    for trial in swept.trials:
        run = train(Dataset.open(tiny), trial.recipe, out=tmp_path / str(trial.number))
        assert rows(run.folder / "history.csv", "seconds") == table_of(trial)


def test_the_winners_bundle_is_to_the_byte_what_train_makes(swept: Sweep, tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe.read(swept.folder / "winner.toml"), out=tmp_path / "run")
    for name in ("model.bin", "splits.json"):
        assert (run.bundle.folder / name).read_bytes() == (swept.bundle.folder / name).read_bytes()
    assert run.metrics == swept.metrics
    assert run.recipe == swept.recipe
    assert swept.winner.recipe == resolve_network(swept.recipe)
    swept.bundle.verify()


def recipes_that_build(monkeypatch: pytest.MonkeyPatch) -> list[ResolvedRecipe]:
    """Keep the recipes for which what stands below is built."""
    made: list[ResolvedRecipe] = []

    def noted(recipe: ResolvedRecipe, preprocessing: Preprocessing, previous: StageWeights | None = None) -> Backbone:
        made.append(recipe)
        return backbone_for(recipe, preprocessing, previous)

    monkeypatch.setattr(tasks, "backbone_for", noted)
    return made


@pytest.mark.parametrize("unfreeze", [0, 3])
def test_on_a_frozen_backbone_trials_end_as_train_does_and_the_backbone_is_built_once(
    unfreeze: int, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "random.weights.h5"
    keras.utils.set_random_seed(3)
    keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(weights)
    made = recipes_that_build(monkeypatch)
    recipe = replace(RECIPE, model="mobilenet", weights=str(weights), size=32, epochs=2, unfreeze=unfreeze, inner=4)
    found = sweep(Dataset.open(tiny), recipe, ("dropout=0.5,0", "learning_rate=1e-2,1e-3"), out=tmp_path / "sweep")
    assert len(made) == 1
    for trial in found.trials:
        run = train(Dataset.open(tiny), trial.recipe, out=tmp_path / f"{trial.number}")
        assert rows(run.folder / "history.csv", "seconds") == table_of(trial)
        if trial == found.winner:
            binary = [one.bundle.folder / "model.bin" for one in (run, found)]
            assert binary[0].read_bytes() == binary[1].read_bytes()


def test_the_backbone_is_built_again_for_another_size(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipes_that_build(monkeypatch)
    found = sweep(Dataset.open(tiny), RECIPE, ("size=12,20", "learning_rate=1e-3,1e-2"), out=tmp_path / "sweep")
    assert [recipe.size for recipe in made] == [12, 20]
    assert found.bundle.preprocessing.width == found.recipe.size


def test_each_factor_varies_while_the_others_stay_at_the_best_values_so_far(swept: Sweep) -> None:
    first, second = swept.rounds
    assert [trial.values for trial in first.trials] == [{"learning_rate": 1e-3}, {"learning_rate": 1e-2}]
    best = best_trial(first.trials)
    assert [trial.recipe.learning_rate for trial in second.trials] == [best.recipe.learning_rate] * 2
    assert [trial.recipe.dropout for trial in second.trials] == [0, 0.5]
    assert [trial.recipe.epochs for trial in (*first.trials, *second.trials)] == [4, 4, 3, 3]
    assert swept.winner == best_trial(swept.trials)


def test_a_recipe_is_not_tried_twice(tiny: Path, tmp_path: Path) -> None:
    vary = ("units=4,8", "dropout=0.2,0.5", "learning_rate=1e-3,1e-2")  # 0.2 and 1e-3 are what mlp has anyway
    found = sweep(Dataset.open(tiny), replace(RECIPE, epochs=1), vary, out=tmp_path / "sweep")
    assert [trial.number for trial in found.trials] == [1, 2, 3, 4]
    first, second, third = found.rounds
    assert second.trials[0] == best_trial(first.trials)
    assert third.trials[0] == best_trial([*first.trials, *second.trials])
    assert [row["trial"] for row in rows(found.folder / "trials.csv")] == ["1", "2", "3", "4"]


def test_a_grid_tries_all_combinations(tiny: Path, tmp_path: Path) -> None:
    vary = ("inner=none,4", "learning_rate=1e-3,1e-2,1e-1")
    plan = plan_sweep(Dataset.open(tiny), RECIPE, vary, grid=True)
    tried = [(one.recipe.inner, one.recipe.learning_rate) for one in plan.candidates(0, {})]
    assert tried == [(0, 1e-3), (0, 1e-2), (0, 1e-1), (4, 1e-3), (4, 1e-2), (4, 1e-1)]
    found = sweep(
        Dataset.open(tiny), replace(RECIPE, epochs=1), ("units=4,8", "dropout=0,0.5"), out=tmp_path, grid=True
    )
    assert len(found.trials) == 4
    assert {row["factor"] for row in rows(tmp_path / "trials.csv")} == {"grid"}


def test_the_table_has_a_row_for_each_trial_and_epoch(swept: Sweep) -> None:
    table = rows(swept.folder / "trials.csv")
    assert list(table[0]) == [
        "trial", "factor", "recipe_learning_rate", "dropout", "epochs",
        "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "gap", "learning_rate", "seconds",
    ]  # fmt: skip
    assert len(table) == sum(len(trial.history) for trial in swept.trials)
    assert [row["factor"] for row in table if row["epoch"] == "1"] == ["learning_rate"] * 2 + ["dropout"] * 2
    for row in table:
        assert float(row["gap"]) == pytest.approx(float(row["accuracy"]) - float(row["val_accuracy"]), abs=1e-5)


def test_the_folder_contains_the_documented_files(swept: Sweep) -> None:
    names = {path.name for path in swept.folder.iterdir()}
    assert names == {
        ".lock", "sweep.json", "environment.json", "trials", "trials.csv", "winner.toml", "metrics.json", "answers",
        "bundle",
    }  # fmt: skip
    kept = {path.name for path in (swept.folder / "trials").iterdir()}
    assert kept == {"0001.json", "0002.json", "0003.json", "0004.json", f"{swept.winner.number:04d}.npz"}
    assert list(swept.metrics) == ["validation", "test"]


def test_a_trial_ends_with_its_patience_and_is_compared_by_its_best_epoch(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.0, 0.5, 0.7, 0.6, 0.65, 0.0, 0.2, 0.3, 0.4, 0.5])  # a first one is of the compiler's
    real = Loop.score
    monkeypatch.setattr(
        Loop, "score", lambda self, examples: Score(1.0, next(scores)) if len(examples) > 1 else real(self, examples)
    )
    next(scores)
    recipe = replace(RECIPE, epochs=9, patience=2)
    monkeypatch.setattr(write_bundle, "evaluate_finally", lambda *_: FinalEvaluation({}, None, {}, ()))
    found = sweep(Dataset.open(tiny), recipe, ("learning_rate=1e-3",), out=tmp_path / "sweep")
    (trial,) = found.trials
    assert (len(trial.history), trial.best_epoch, trial.best.val_accuracy) == (4, 2, 0.7)


def killed_in_trial(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = Loop.epoch

    def killed(
        self: Loop, examples: Examples, no: int, advance: Callable[[int], None], *, rate_factor: float = 1.0
    ) -> Score:
        if no == 1 and self.recipe == trial.recipe:  # in its second epoch
            raise KeyboardInterrupt
        return epoch(self, examples, no, advance, rate_factor=rate_factor)

    monkeypatch.setattr(Loop, "epoch", killed)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_interrupted_sweep_resumes_after_its_finished_trials(
    number: int, swept: Sweep, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sweep"
    with monkeypatch.context() as patch:
        killed_in_trial(swept.trials[number - 1], patch)
        with pytest.raises(KeyboardInterrupt):
            sweep(Dataset.open(tiny), RECIPE, VARY, out=out)
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("trials/*.json")}
    assert sorted(kept) == [f"{i:04d}.json" for i in range(1, number)]
    (out / "trials").mkdir(exist_ok=True)
    (out / "trials" / ".partial-of-a-kill").write_text("half")
    found = sweep(Dataset.open(tiny), RECIPE, VARY, out=out)
    assert rows(out / "trials.csv", "seconds") == rows(swept.folder / "trials.csv", "seconds")
    assert (out / "bundle" / "model.bin").read_bytes() == (swept.bundle.folder / "model.bin").read_bytes()
    assert found.recipe == swept.recipe
    assert all((out / "trials" / name).stat().st_mtime_ns == when for name, when in kept.items())
    assert not list(out.rglob(".partial-*"))


def require_as_swept(found: Sweep, swept: Sweep) -> None:
    assert rows(found.folder / "trials.csv", "seconds") == rows(swept.folder / "trials.csv", "seconds")
    assert (found.bundle.folder / "model.bin").read_bytes() == (swept.bundle.folder / "model.bin").read_bytes()
    assert [trial.number for trial in found.trials] == [trial.number for trial in swept.trials]
    assert (found.recipe, found.metrics) == (swept.recipe, swept.metrics)
    names = [sorted(path.relative_to(one.folder) for path in one.folder.rglob("*")) for one in (found, swept)]
    assert names[0] == names[1]


def test_workers_begin_once_and_give_the_same_sweep(swept: Sweep, tiny: Path, tmp_path: Path) -> None:
    fake_jobs = FakeJobs()
    require_as_swept(sweep(Dataset.open(tiny), RECIPE, VARY, out=tmp_path / "fake_jobs", jobs=fake_jobs), swept)
    assert (fake_jobs.begun, fake_jobs.done) == (2, 4)


@pytest.mark.parametrize("most", [0, 1, 3])
@pytest.mark.parametrize("others", [False, True])
def test_a_sweep_begun_by_workers_resumes_although_a_trial_in_the_middle_is_missing(
    most: int, swept: Sweep, tiny: Path, tmp_path: Path, *, others: bool
) -> None:
    out = tmp_path / "sweep"
    with pytest.raises(StoppedError):
        sweep(Dataset.open(tiny), RECIPE, VARY, out=out, jobs=FakeJobs(most))
    kept = sorted(path.name for path in out.glob("trials/*.json"))
    assert kept == {0: [], 1: ["0002.json"], 3: ["0001.json", "0002.json", "0004.json"]}[most]
    require_as_swept(sweep(Dataset.open(tiny), RECIPE, VARY, out=out, jobs=FakeJobs() if others else None), swept)


def test_a_finished_sweep_starts_no_workers(swept: Sweep, tiny: Path) -> None:
    fake_jobs = FakeJobs()
    assert sweep(Dataset.open(tiny), RECIPE, VARY, out=swept.folder, jobs=fake_jobs).rounds == swept.rounds
    assert fake_jobs.begun == 0


def test_after_a_kill_before_the_bundle_no_trial_is_repeated(
    swept: Sweep, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(write_bundle, "write_bundle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sweep(Dataset.open(tiny), RECIPE, VARY, out=tmp_path)
    monkeypatch.setattr(Loop, "epoch", None)
    sweep(Dataset.open(tiny), RECIPE, VARY, out=tmp_path)
    assert (tmp_path / "bundle" / "model.bin").read_bytes() == (swept.bundle.folder / "model.bin").read_bytes()


def test_a_finished_sweep_is_read_and_not_repeated(swept: Sweep, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Loop, "epoch", None)
    monkeypatch.setattr(write_bundle, "write_bundle", None)
    assert sweep(Dataset.open(tiny), RECIPE, VARY, out=swept.folder).rounds == swept.rounds


@pytest.mark.parametrize(
    ("recipe", "vary", "grid", "phrase"),
    [
        (replace(RECIPE, units=9), VARY, False, "units was 8, now 9"),
        (RECIPE, VARY[:1], False, r"it varied learning_rate=0\.001,0\.01, then dropout=0\.0,0\.5 @ epochs=3, now"),
        (RECIPE, (VARY[0], "dropout=0,0.5 @ epochs=2"), False, "@ epochs=2"),
        (RECIPE, (VARY[0], "dropout=0,0.5"), True, "it was no grid"),
    ],
)
def test_another_sweep_in_the_same_folder_is_refused_with_what_differs(
    recipe: Recipe, vary: tuple[str, ...], grid: bool, phrase: str, swept: Sweep, tiny: Path
) -> None:
    before = sorted(path.name for path in swept.folder.rglob("*"))
    with pytest.raises(RunError, match=phrase):
        sweep(Dataset.open(tiny), recipe, vary, out=swept.folder, grid=grid)
    assert sorted(path.name for path in swept.folder.rglob("*")) == before


def test_other_images_are_refused(swept: Sweep, coloured: Callable[..., Path], tmp_path: Path) -> None:
    other = coloured(tmp_path / "tiny", seed=5)
    with pytest.raises(RunError, match="it had other images, of tiny, than tiny has now"):
        sweep(Dataset.open(other), RECIPE, VARY, out=swept.folder)


def test_a_folder_in_use_is_refused_and_unchanged(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"is in use: it is not empty, and contains no sweep"):
        sweep(Dataset.open(tiny), RECIPE, VARY, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file"):
        sweep(Dataset.open(tiny), RECIPE, VARY, out=tmp_path / "file")


def test_two_sweeps_cannot_use_one_folder(tiny: Path, tmp_path: Path) -> None:
    with (
        exclusive_lock(tmp_path / ".lock", "another sweep", "wait"),
        pytest.raises(RunError, match="another sweep is at work in"),
    ):
        sweep(Dataset.open(tiny), RECIPE, VARY, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    sweep(Dataset.open(tiny), replace(RECIPE, epochs=1), ("units=4",), out=tmp_path)


def test_a_damaged_trial_file_is_named(tiny: Path, tmp_path: Path) -> None:
    recipe, vary = replace(RECIPE, epochs=1), ("units=4",)
    sweep(Dataset.open(tiny), recipe, vary, out=tmp_path)
    (tmp_path / "trials" / "0001.json").write_text("{")
    with pytest.raises(RunError, match=r"0001\.json cannot be read .* remove it"):
        sweep(Dataset.open(tiny), recipe, vary, out=tmp_path)


def test_a_sweep_refused_before_its_first_trial_frees_the_folder(tiny: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, model="mobilenet", weights="no-such-file.h5", size=32)
    with pytest.raises(Exception, match=r"no-such-file\.h5"):
        sweep(Dataset.open(tiny), recipe, ("inner=0,4",), out=tmp_path)
    sweep(Dataset.open(tiny), replace(RECIPE, epochs=1), ("units=4",), out=tmp_path)


def test_factors_keep_their_order() -> None:
    factors = parse_vary(["learning-rate=1e-3, 1e-2", "inner=none,10", "augment=flip;flip,rotate=30 @ views=2"], RECIPE)
    assert factors == (
        Factor("learning_rate", (1e-3, 1e-2)),
        Factor("inner", (0, 10)),
        Factor("augment", ("flip", "flip,rotate=30"), {"views": 2}),
    )


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        ([], "there is nothing to sweep: say what varies, such as --vary learning_rate"),
        (["units"], r"vary is 'units'; expected NAME=A,B,C"),
        (["units="], "expected NAME=A,B,C"),
        (["units=4 @"], "expected NAME=A,B,C"),
        (["unit=4"], "no field 'unit': did you mean units"),
        (["units=4,four"], "units is 'four'"),
        (["units=4,0"], "units is 0; expected 1 to 65536"),
        (["units=4,4"], "names a value twice"),
        (["units=4", "units=8"], "units varies twice"),
        (["seed=1,2"], "seed cannot vary in a sweep: every trial begins with the same draw"),
        (["monitor=val_loss,val_accuracy"], "give it with --monitor"),
        (["dropout=0,0.5 @ test=0.3"], "test cannot vary in a sweep"),
        (["dropout=0,0.5 @ dropout=0.3"], "both varies dropout and sets it"),
        (["dropout=0,0.5 @ epoch=3"], "no field 'epoch': did you mean epochs"),
        (["optimizer=adam,adamm"], "optimizer is 'adamm'"),
    ],
)
def test_an_invalid_factor_is_refused_before_an_image_is_read(words: list[str], phrase: str) -> None:
    with pytest.raises(RecipeError, match=phrase):
        parse_vary(words, RECIPE)


@pytest.mark.parametrize(
    ("recipe", "vary", "grid", "phrase"),
    [
        (RECIPE, ["model=mlp,knn"], False, "knn has no epochs"),
        (RECIPE, ["model=mlp,mpl"], False, "there is no model 'mpl': did you mean mlp"),
        (replace(RECIPE, validation=0.0), ["units=4"], False, "validation is 0"),
        (replace(RECIPE, then=("epochs=2",)), ["units=4"], False, "a trial has one stage"),
        (RECIPE, ["dropout=0,0.5 @ epochs=3"], True, "leave out the @, or the --grid"),
    ],
)
def test_an_invalid_sweep_is_refused_before_a_folder_is_made(
    recipe: Recipe, vary: list[str], grid: bool, phrase: str, tiny: Path, tmp_path: Path
) -> None:
    with pytest.raises((RecipeError, DatasetError), match=phrase):
        sweep(Dataset.open(tiny), recipe, vary, out=tmp_path / "sweep", grid=grid)
    assert not (tmp_path / "sweep").exists()


def trial(number: int, accuracy: float, *, training: float = 0.9, loss: float = 0.5, recipe: Recipe = RECIPE) -> Trial:
    row = Epoch(1, 0.1, training, loss, accuracy, 0.1, 1.0)
    return Trial(number, "units", {}, resolve_network(recipe), (row,), 1)


def test_ties_in_accuracy_go_to_the_smaller_gap_then_the_smaller_loss_then_the_first() -> None:
    assert best_trial([trial(1, 0.7), trial(2, 0.8), trial(3, 0.6)]).number == 2
    assert best_trial([trial(1, 0.8, training=0.95), trial(2, 0.8, training=0.78)]).number == 2
    assert best_trial([trial(1, 0.8, training=0.7), trial(2, 0.8, training=0.81)]).number == 2
    assert best_trial([trial(1, 0.8), trial(2, 0.8, loss=0.4)]).number == 2
    assert best_trial([trial(2, 0.8), trial(1, 0.8)]).number == 1


def test_loss_may_decide_and_nan_is_the_worst() -> None:
    recipe = replace(RECIPE, monitor="val_loss")
    trials = [trial(1, 0.9, loss=0.6, recipe=recipe), trial(2, 0.7, loss=0.4, recipe=recipe)]
    assert best_trial([*trials, trial(3, 0.9, loss=float("nan"), recipe=recipe)]).number == 2


def test_the_gap_is_training_minus_validation_accuracy() -> None:
    assert gap(Epoch(1, 0.1, 0.9, 0.5, 0.75, 0.1, 1.0)) == 0.15
    assert np.isclose(gap(Epoch(1, 0.1, 0.5, 0.5, 0.75, 0.1, 1.0)), -0.25)
