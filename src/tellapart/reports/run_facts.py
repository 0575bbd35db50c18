"""Facts about a run for its report: learning curves, size and speed, environment, skipped files, command line."""

import csv
import io
import shlex
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from tellapart.bundles.predictor import Predictor
from tellapart.data.dataset import Dataset
from tellapart.data.decode import ImageArray
from tellapart.data.preprocessing import to_image
from tellapart.reports import figures
from tellapart.reports.ladder_history import best_history, read_ladder_steps
from tellapart.reports.report import Drawing, NamedValue
from tellapart.reports.report_images import read_images
from tellapart.training.fitting.checkpoints import read_history
from tellapart.training.run import Run

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
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            rows = list(csv.DictReader(stream))
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
