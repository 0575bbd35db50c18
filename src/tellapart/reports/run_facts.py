"""What a report says beside its judgement: how it learned, size and speed, environment, what was left out."""

import csv
import io
import shlex
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from tellapart.bundles.predictor import Predictor
from tellapart.data.dataset import Dataset
from tellapart.data.image import ImageArray
from tellapart.data.preprocessing import to_image
from tellapart.reports import figures
from tellapart.reports.ladder_history import best_try, steps_of
from tellapart.reports.report import Drawing, Line
from tellapart.reports.report_images import read_some
from tellapart.training.fitting.checkpoints import read_history
from tellapart.training.run import Run

TIMED = 20  # answers, for the time of one
SHOWN = 100  # lines of what was skipped


def history_of(run: Run) -> Drawing | None:
    """The curves: of a climb those of its steps, one over the other, and of a step's several tries the best."""
    paths = {run.folder.name: run.folder / "history.csv"}
    paths |= {path.parent.name: path for path in sorted(run.folder.glob("stage-*/history.csv"))}
    found = {name: read_history(path) for name, path in paths.items() if path.exists()}
    found |= {step.name: curve for step in steps_of(run.folder) if (curve := best_try(step.folder))}
    if not found:
        return None
    if len(found) == 1:
        return Drawing("Learning curves", figures.CAPTIONS["history"], figures.history(next(iter(found.values()))))
    return Drawing("Learning curves", figures.CAPTIONS["histories"], figures.histories(found))


def size_and_speed(run: Run, dataset: Dataset | None) -> Iterator[Line]:
    """What has to be copied to predict, and how long an image waits for its answer."""
    size = sum(path.stat().st_size for path in run.bundle.folder.iterdir())
    yield Line("bundle", f"{size / 1e6:,.1f} MB", meaning="what has to be copied to predict")
    if dataset is None:
        return
    digests = dataset.splits["train"].images.digests[:TIMED]
    files = [_jpeg(image) for image in read_some(dataset, "train", digests).values()]
    if files:
        middle = 1000 * statistics.median(_seconds_each(run, files))
        yield Line("one image", f"{middle:,.1f} ms", meaning="median, one at a time on this machine, decoding included")


def _seconds_each(run: Run, files: list[bytes]) -> list[float]:
    """How long a lone image waits for its answer; the first answer warms up and does not count."""
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


def environment_of(run: Run) -> Iterator[Line]:
    """What the run ran on and with."""
    facts = run.environment
    for name in ("tellapart", "python", "platform"):
        yield Line(name, str(facts[name]))
    for package, found in facts["packages"].items():
        yield Line(package, str(found))


def skipped_by(run: Run) -> Iterator[Line]:
    """What the run left out, and why."""
    path = run.folder / "skipped.csv"
    if path.exists():
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows[:SHOWN]:
            yield Line(row["path"], row["reason"])
        if len(rows) > SHOWN:
            yield Line("in all", f"{len(rows):,}", meaning=f"the others are in {path.name}, in the run's folder")


def climbed(run: Run) -> Iterator[str]:
    """For a run that climbed the ladder a sentence for each step. Raises RunError."""
    for step in steps_of(run.folder):
        kept = "kept" if step.kept else "no gain"
        yield f"Step {step.name}: {step.seconds:,.0f} s, accuracy on validation {step.accuracy:.1%}, {kept}."


def command_of(run: Run) -> str:
    """The command that made the run."""
    words = [str(word) for word in run.environment["command"]]
    return shlex.join([Path(words[0]).name, *words[1:]]) if words else ""
