"""`tellapart predict`."""

import csv as csvlib
import json as jsonlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.bundles.predictor import Prediction, Predictor, Unreadable
from tellapart.cli.job_options import jobs_on
from tellapart.cli.run_command import INTERRUPTED
from tellapart.data.sources.listing import list_images
from tellapart.errors import RunError
from tellapart.jobs import Jobs
from tellapart.progress import notify

PARTLY = 1
TABLE = "predictions.parquet"


def _no_option(_: type, word: str) -> None:
    if word.startswith("-") and word != "-":
        raise ValueError(f"There is no option {word}; a file of that name is ./{word}")


Word = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_no_option)]  # a lone - is a word too


def predict(
    bundle: Path,
    /,
    *images: Word,
    top: int = 3,
    json: bool = False,
    csv: bool = False,
    out: Path | None = None,
    fresh: bool = False,
    on: str | None = None,
    workers: int | None = None,
) -> int:
    """Name the category of images, in the order given.

    Parameters
    ----------
    bundle
        The bundle's folder.
    images
        Files, folders (all images below them), globs in quotes, or - for one path per line on standard input.
    top
        How many classes to name for each image.
    json
        One JSON object per line.
    csv
        A table with one row per image.
    out
        A file to write instead: .parquet, .csv or .jsonl, a row for each image, for any number of them. A folder
        gets predictions.parquet. Killed, the same command goes on where it was.
    fresh
        Forget what an earlier command left of --out, and replace it if it is finished.
    on
        Who answers for --out: ray, or a Ray cluster's ray://HOST:PORT. The file is the same.
    workers
        How many cores of the cluster answer; all when left out.
    """
    if out:
        if json or csv:
            raise RunError(
                f"--out says by its ending how it is written, here {out.suffix!r}: leave --json and --csv out"
            )
        return _write_file(bundle, images, _file(out), top=top, fresh=fresh, by=jobs_on(on, workers))
    if on:
        raise RunError("--on is for so many images that their answers need a file: name one with --out")
    if fresh:
        raise RunError("--fresh is about an earlier --out, which is not named: name it, or leave --fresh out")
    answers = Predictor(bundle).predict(list_images(images, sys.stdin), top=top)
    write = _write_json if json else _write_csv if csv else _write_text
    return PARTLY if write(answers) else 0


def _file(out: Path) -> Path:
    return out / TABLE if out.is_dir() or not out.suffix else out


def _write_file(
    bundle: Path,
    images: tuple[str, ...],
    out: Path,
    *,
    top: int,
    fresh: bool,
    by: AbstractContextManager[Jobs | None],
) -> int:
    try:
        with by as jobs:
            done = predict_to_file(bundle, list_images(images, sys.stdin), out, top=top, fresh=fresh, jobs=jobs)
    except KeyboardInterrupt:
        notify(
            f"\nstopped. What was answered is kept in {out}.parts: the same command goes on{' without --fresh' * fresh}"
        )
        return INTERRUPTED
    print(f"{out}: {done.images:,} images, {done.unknown:,} unknown, {done.unreadable:,} unreadable")
    return PARTLY if done.unreadable else 0


Answers = Iterator[Prediction | Unreadable]


def _write_json(answers: Answers) -> int:
    unread = 0
    for answer in answers:
        unread += isinstance(answer, Unreadable)
        print(jsonlib.dumps(answer.as_json()), flush=True)
    return unread


def _write_csv(answers: Answers) -> int:
    unread = 0
    table = csvlib.writer(sys.stdout, lineterminator="\n")
    table.writerow(["path", "label", "probability", "unknown", "error"])
    for answer in answers:
        if isinstance(answer, Unreadable):
            unread += 1
            table.writerow([answer.path, "", "", "", answer.error])
        else:
            table.writerow(
                [answer.path, answer.label, f"{answer.probability:.6f}", "yes" if answer.unknown else "no", ""]
            )
    return unread


def _write_text(answers: Answers) -> int:
    unread = 0
    for answer in answers:
        if isinstance(answer, Unreadable):
            unread += 1
            print(f"{answer.path}: error: {answer.error}")
        else:
            choices = ", ".join(f"{choice.label} {choice.probability:.1%}" for choice in answer.top)
            said = f"I don't know ({choices})" if answer.unknown else choices
            print(f"{answer.path}: {said}", flush=True)
    return unread
