"""`tellapart predict`."""

import csv as csvlib
import json as jsonlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.bundles.predictor import Prediction, Predictor, Unreadable
from tellapart.cli.options import On, Workers, jobs_on
from tellapart.data.sources.listing import ListedImages, kinds_text, list_images
from tellapart.errors import RunError
from tellapart.jobs import Jobs
from tellapart.progress import notify
from tellapart.text import printable

PARTLY = 1
DEFAULT_FILE = "predictions.parquet"
Result = Prediction | Unreadable


def _refuse_options(_: type, word: str) -> None:
    if word.startswith("-") and word != "-":
        raise ValueError(f"There is no option {word}; a file of that name is ./{word}")


ImageArgument = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_refuse_options)]
"""A file, folder or glob; or a lone hyphen for standard input."""


def predict(
    bundle: Path,
    /,
    *images: ImageArgument,
    top: int = 3,
    json: Annotated[bool, Parameter(name="--json")] = False,
    csv: bool = False,
    out: Path | None = None,
    fresh: bool = False,
    on: On = None,
    workers: Workers = None,
) -> int:
    """Classify images, in the order given. The exit status is 1 where an image cannot be read or a folder has none.

    What is left out of a folder is counted by kind on standard error.

        tellapart predict runs/photos/bundle new.jpg
        tellapart predict runs/photos/bundle folder --out predictions.csv
        find . -name "*.jpg" | tellapart predict runs/photos/bundle - --json

    Parameters
    ----------
    bundle
        Folder of the bundle.
    images
        Files, folders (all images in them and below), globs in quotes, or - for one path per line on standard input.
    top
        Number of classes to print for each image.
    json
        Print one JSON object per line, for each image.
    csv
        Print a CSV table, a row for each image.
    out
        Write a file instead, for any number of images: .parquet, .csv or .jsonl, a row for each image. A folder gets
        predictions.parquet. If it is stopped or killed, the same command resumes.
    fresh
        Discard what an earlier command left of --out, finished or not, and start again.
    """
    if out:
        if json or csv:
            raise RunError(
                f"--out chooses its format by the file's ending, here {out.suffix!r}: leave --json and --csv out"
            )
        return _write_file(bundle, images, _file(out), top=top, fresh=fresh, by=jobs_on(on, workers))
    if on:
        raise RunError("--on is for predictions that are written into a file: name one with --out")
    if fresh:
        raise RunError("--fresh is about an earlier --out, which is not named: name it, or leave --fresh out")
    listed = list_images(images, sys.stdin)
    predictor = Predictor(bundle)
    first = list(islice(listed, 1))  # refuses here what names no image, before anything is printed
    results = predictor.predict(chain(first, listed), top=top)
    line: Callable[[Result], str] = _json_line if json else _csv_line if csv else _text_line
    if csv:
        print(_csv("path", "label", "probability", "unknown", "error"))
    unreadable = 0
    for result in results:
        unreadable += isinstance(result, Unreadable)
        print(line(result), flush=True)
    if json and listed.skipped:
        print(jsonlib.dumps({"skipped": dict(listed.skipped)}))
    return PARTLY if report_skipped(listed) or unreadable else 0


def report_skipped(listed: ListedImages) -> bool:
    """Report what was left out of folders, on standard error; return True where a folder had no image at all."""
    if listed.skipped:
        notify(f"left out: {kinds_text(listed.skipped)}")
    for sentence in listed.empty:
        notify(f"warning: {sentence}")
    return bool(listed.empty)


def _file(out: Path) -> Path:
    return out / DEFAULT_FILE if out.is_dir() or not out.suffix else out


def _write_file(
    bundle: Path,
    images: tuple[str, ...],
    out: Path,
    *,
    top: int,
    fresh: bool,
    by: AbstractContextManager[Jobs | None],
) -> int:
    listed = list_images(images, sys.stdin)
    try:
        with by as jobs:
            done = predict_to_file(bundle, listed, out, top=top, fresh=fresh, jobs=jobs)
    except KeyboardInterrupt as error:
        again = f"the same command{' without --fresh' * fresh} resumes"
        raise KeyboardInterrupt(f"Finished predictions are kept in {out}.parts: {again}") from error
    print(f"{out}: {done.images:,} images, {done.unknown:,} unknown, {done.unreadable:,} unreadable")
    return PARTLY if report_skipped(listed) or done.unreadable else 0


def _json_line(result: Result) -> str:
    return jsonlib.dumps(result.as_json())


def _csv_line(result: Result) -> str:
    if isinstance(result, Unreadable):
        return _csv(result.path, "", "", "", result.error)
    return _csv(result.path, result.label, f"{result.probability:.6f}", "yes" if result.unknown else "no", "")


def _csv(*cells: str) -> str:
    row = StringIO()
    csvlib.writer(row, lineterminator="").writerow(cells)
    return row.getvalue()


def _text_line(result: Result) -> str:
    if isinstance(result, Unreadable):
        return f"{result.path}: error: {printable(result.error)}"
    choices = ", ".join(f"{printable(choice.label)} {choice.probability:.1%}" for choice in result.top)
    return f"{result.path}: " + (f"I don't know ({choices})" if result.unknown else choices)
