"""Facts about a run for its report: learning curves, size and speed, environment, skipped files, command line."""

import io
import shlex
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.bundles.parameters import count_parameters
from tellapart.bundles.predictor import Predictor
from tellapart.data.dataset import Dataset
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.image_size import size_text
from tellapart.data.preprocessing import to_image
from tellapart.errors import MissingPackageError, RunError
from tellapart.models.catalogue import MODELS
from tellapart.read_files import MAX_LIST_BYTES, ContentError, parse_number, read_table
from tellapart.recipe import Recipe
from tellapart.reports import figures
from tellapart.reports.report import Drawing, NamedValue
from tellapart.reports.report_images import read_images
from tellapart.training.fitting.checkpoints import History, read_history
from tellapart.training.run import Run
from tellapart.training.run_files import LADDER

OFF: tuple[object, ...] = (None, "", [], (), False, 0.0)
"""Values of settings that do nothing."""
ALWAYS = ("seed", "split_seed", "validation", "test", "dropout", "patience")
"""Settings of which 0 says something."""
OWN_SETTINGS = {"knn": {"neighbours", "features"}, "forest": {"trees", "features"}, "logistic": {"features"}}
"""The settings that only these models have."""
NETWORK_SETTINGS = {
    "weights", "unfreeze", "cut", "then", "views", "inner", "units", "dropout", "loss", "label_smoothing", "optimizer",
    "learning_rate", "schedule", "ema", "mixed_precision", "batch_size", "epochs", "patience", "min_delta", "monitor",
    "keep", "augment", "mirror",
}  # fmt: skip
MAX_TIMED = 20  # predictions
MAX_SKIPPED = 100  # files that are listed


def draw_learning_curves(run: Run) -> Drawing | None:
    """Draw the learning curves: of stages and ladder steps on the same axes, of several trials in a step the best."""
    paths = {run.folder.name: run.folder / "history.csv"}
    paths |= {path.parent.name: path for path in sorted(run.folder.glob("stage-*/history.csv"))}
    curves = {name: read_history(path) for name, path in paths.items() if path.exists()}
    curves |= {step.name: curve for step in read_ladder_steps(run.folder) if (curve := best_history(step.folder))}
    if not curves:
        return None
    if len(curves) == 1:
        return Drawing("Learning curves", figures.CAPTIONS["history"], figures.history(next(iter(curves.values()))))
    return Drawing("Learning curves", figures.CAPTIONS["histories"], figures.histories(curves))


def size_and_speed(run: Run, dataset: Dataset | None) -> Iterator[NamedValue]:
    """Measure the size of the bundle, and the time that one prediction takes."""
    size = sum(path.stat().st_size for path in run.bundle.folder.iterdir())
    yield NamedValue("bundle", f"{size / 1e6:,.1f} MB", meaning="all the files that are needed for prediction")
    with suppress(MissingPackageError):  # a report without the packages of training has no such line
        if parameters := count_parameters(run.bundle):
            yield NamedValue("parameters", f"{parameters:,}", meaning="weights of the network, frozen ones included")
    if dataset is None:
        return
    digests = dataset.splits["train"].images.digests[:MAX_TIMED]
    files = [_jpeg(image) for image in read_images(dataset, "train", digests).values()]
    if files:
        median = 1000 * statistics.median(_time_predictions(run, files))
        yield NamedValue(
            "one image", f"{median:,.1f} ms", meaning="median, one at a time on this machine, decoding included"
        )


def _time_predictions(run: Run, files: list[bytes]) -> list[float]:
    """Measure the seconds that each image takes on its own; a first prediction warms up and is not measured."""
    predictor, seconds = Predictor(run.bundle), []
    for content in [files[0], *files]:
        started = time.perf_counter()
        predictor.predict_one(content, path="")
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def _jpeg(image: ImageArray) -> bytes:
    stream = io.BytesIO()
    to_image(image).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def environment_values(run: Run) -> Iterator[NamedValue]:
    """Yield the platform and the package versions that the run used."""
    environment = run.environment
    for name in ("tellapart", "python", "platform"):
        yield NamedValue(name, str(environment[name]))
    for package, version in environment["packages"].items():
        yield NamedValue(package, str(version))


def skipped_files(run: Run) -> Iterator[NamedValue]:
    """Yield the files that the run left out, each with the reason."""
    path = run.folder / "skipped.csv"
    if path.exists():
        try:
            rows = read_table(path, ("path", "reason"), MAX_LIST_BYTES, errors="surrogateescape")
        except (OSError, ContentError) as error:
            raise RunError(f"{path} cannot be read ({error}): remove it, or train again") from error
        for row in rows[:MAX_SKIPPED]:
            yield NamedValue(row["path"], row["reason"])
        if len(rows) > MAX_SKIPPED:
            yield NamedValue("total", f"{len(rows):,}", meaning=f"the others are in {path.name} in the run's folder")


def ladder_notes(run: Run) -> Iterator[str]:
    """Yield a sentence for each ladder step of a run. Raises RunError."""
    for step in read_ladder_steps(run.folder):
        kept = "kept" if step.kept else "no gain"
        yield f"Step {step.name}: {step.seconds:,.0f} s, validation accuracy {step.accuracy:.1%}, {kept}."


def command_line(run: Run) -> str:
    """Return the command that made the run, quoted for a shell."""
    arguments = [str(argument) for argument in run.environment["command"]]
    return shlex.join([Path(arguments[0]).name, *arguments[1:]]) if arguments else ""


@dataclass(frozen=True)
class LadderStep:
    """A step of the ladder: its duration, its validation accuracy, and whether it was better than those before."""

    folder: Path
    name: str
    seconds: float
    accuracy: float
    kept: bool


def read_ladder_steps(folder: Path) -> tuple[LadderStep, ...]:
    """Read the ladder steps of a run, none where it was trained without a budget. Raises RunError."""
    path = folder / LADDER
    if not path.exists():
        return ()
    try:
        rows = read_table(path, ("name", "took_s", "accuracy", "kept"))
        return tuple(_step(folder, number, row) for number, row in enumerate(rows, start=1))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}): train again") from error


def _step(folder: Path, number: int, row: dict[str, str]) -> LadderStep:
    step_folder = next((folder / "steps").glob(f"{number}-*"), folder)
    return LadderStep(
        step_folder, row["name"], parse_number(row["took_s"]), parse_number(row["accuracy"]), row["kept"] == "True"
    )


def read_learning_curve(folder: Path) -> History:
    """Read the epochs that led to a run's classifier, stage after stage; none for a model without epochs.

    On the ladder they are those of the last step that was kept, and of several trials in it the best. Raises RunError.
    """
    kept = [step for step in read_ladder_steps(folder) if step.kept]
    if kept:
        return best_history(kept[-1].folder)
    paths = [folder / "history.csv", *sorted(folder.glob("stage-*/history.csv"), key=_stage_number)]
    rows = [row for path in paths if path.exists() for row in read_history(path)]
    return tuple(replace(row, epoch=number) for number, row in enumerate(rows, start=1))


def best_history(folder: Path) -> History:
    """Of all histories in a step's folder, return the one with the best epoch on validation."""
    histories = [read_history(path) for path in sorted(folder.rglob("history.csv"))]
    return max(filter(None, histories), key=_best_score, default=())


def recipe_values(run: Run) -> dict[str, str]:
    """Format the settings that a run's classifier has; those that the ladder changed with the original in brackets.

    Left out is what its model does not have, and what is off.
    """
    recipe = _applying(run.recipe)
    path = run.folder / "winner.toml"
    if not path.exists():
        return recipe
    winner = _applying(Recipe.read(path))
    return {
        name: value if recipe.get(name) == value else f"{value} (set: {recipe.get(name, 'the default')})"
        for name, value in winner.items()
    }


def _applying(recipe: Recipe) -> dict[str, str]:
    values = {
        name: size_text(value) if name == "size" else str(value)
        for name, value in recipe.as_dict().items()
        if name in ALWAYS or value not in OFF
    }
    model = MODELS.get(recipe.model)
    if model is None:
        return values
    own = OWN_SETTINGS.get(recipe.model, set())
    foreign = set[str]().union(*OWN_SETTINGS.values()) - own
    if model.estimator:
        return {name: value for name, value in values.items() if name not in foreign | NETWORK_SETTINGS}
    without = foreign | ({"unfreeze", "views", "cut"} if recipe.weights == "none" else set())
    return {name: value for name, value in values.items() if name not in without}


def _best_score(history: History) -> tuple[float, float]:
    """Score a history by its best epoch on validation: accuracy, and at equal accuracy the lower loss."""
    return max((row.val_accuracy or 0.0, -(row.val_loss or 0.0)) for row in history)


def _stage_number(path: Path) -> int:
    number = path.parent.name.removeprefix("stage-")
    return int(number) if number.isdecimal() else 0
