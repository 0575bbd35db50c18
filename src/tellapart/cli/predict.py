"""`tellapart predict`."""

import csv as csvlib
import json as jsonlib
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.bundles.predictor import Prediction, Predictor, Unreadable
from tellapart.cli.options import On, Workers, jobs_on, require_positive
from tellapart.data.image_inputs import named_image
from tellapart.data.sources.listing import ListedImages, kinds_text, list_images
from tellapart.errors import RunError
from tellapart.jobs import Jobs
from tellapart.progress import notify
from tellapart.text import printable

PARTLY = 1
DRAWN_IMAGES, DRAWN_CLASSES = 50, 10  # by --save
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
    logits: bool = False,
    save: Path | None = None,
    out: Path | None = None,
    fresh: bool = False,
    on: On = None,
    workers: Workers = None,
) -> int:
    """Classify images, in the order given. The exit status is 1 where an image cannot be read or a folder has none.

    What is left out of a folder is counted by kind on standard error.

        tellapart predict runs/photos/bundle new.jpg
        tellapart predict runs/photos/bundle folder --out predictions.csv
        tellapart predict runs/digits/bundle "mnist:test[7388]" --save bars.png
        find . -name "*.jpg" | tellapart predict runs/photos/bundle - --json

    Parameters
    ----------
    bundle
        Folder of the bundle.
    images
        Files, folders (all images in them and below), globs in quotes, or - for one path per line on standard input;
        or an image of a data set by its split and its number from 0, such as "mnist:test[7388]", in quotes.
    top
        Number of classes to print for each image.
    json
        Print one JSON object per line, for each image.
    csv
        Print a CSV table, a row for each image.
    logits
        Also print each class's logit: ln p minus the mean of ln p over all classes, so that their softmax is the
        probabilities. For a network these are the inputs of its softmax, up to a number common to all classes.
    save
        Also draw the images into a PNG file, each with a bar for each class, up to ten, and its true label where that
        is known: the first 50 images.
    out
        Write a file instead, for any number of images: .parquet, .csv or .jsonl, a row for each image. A folder gets
        predictions.parquet. If it is stopped or killed, the same command resumes.
    fresh
        Discard what an earlier command left of --out, finished or not, and start again.
    """
    require_positive("--top", top)
    if json and csv:
        raise RunError("--json and --csv are two formats of the same predictions: leave one out")
    if out:
        if json or csv:
            raise RunError(
                f"--out chooses its format by the file's ending, here {out.suffix!r}: leave --json and --csv out"
            )
        if save:
            raise RunError("--save draws predictions that are printed: leave --out or --save out")
        if logits:
            raise RunError("--logits is for answers that are printed: leave --out out, such as with --json > FILE")
        return _write_file(bundle, images, _file(out), top=top, fresh=fresh, by=jobs_on(on, workers))
    if on or workers is not None:
        option = "--on" if on else "--workers"
        raise RunError(f"{option} is for predictions that are written into a file: name one with --out")
    if fresh:
        raise RunError("--fresh is about an earlier --out, which is not named: name it, or leave --fresh out")
    listed = list_images(images, sys.stdin)
    predictor = Predictor(bundle)
    first = list(islice(listed, 1))  # refuses here what names no image, before anything is printed
    results = predictor.predict(chain(first, listed), top=max(top, DRAWN_CLASSES) if save else top)
    drawn: list[Prediction] = []
    count = 0
    line = partial(_json_line if json else _csv_line if csv else _text_line, logits=logits)
    if csv:
        print(_csv("path", "label", "probability", "unknown", "error", *["logit"] * logits))
    unreadable = 0
    for answer in results:
        result = answer
        unreadable += isinstance(result, Unreadable)
        if save and isinstance(answer, Prediction):
            count += 1
            drawn += [_cut(answer, DRAWN_CLASSES)] if count <= DRAWN_IMAGES else []
            result = _cut(answer, top)
        print(line(result), flush=True)
    if save:
        _save(predictor, drawn, count, save)
    if json and listed.skipped:
        print(jsonlib.dumps({"skipped": dict(listed.skipped)}))
    return PARTLY if report_skipped(listed) or unreadable else 0


def _cut(prediction: Prediction, top: int) -> Prediction:
    count = max(top, 1)
    return replace(prediction, top=prediction.top[:count], top_logits=prediction.top_logits[:count])


def _save(predictor: Predictor, predictions: list[Prediction], count: int, path: Path) -> None:
    """Draw predictions into a PNG file; their images are read again."""
    from tellapart.cli.drawing import save as save_png  # needed only here
    from tellapart.reports.prediction_bars import draw_predictions

    if not predictions:
        raise RunError(f"{path} was not written: no image could be read")
    conversion = predictor.bundle.preprocessing.conversion
    images = [named_image(prediction.path, conversion=conversion).read() for prediction in predictions]
    save_png(draw_predictions(images, predictions), path)
    notify(f"saved: {path}" + (f", the first {len(predictions)} of {count:,} images" * (count > len(predictions))))


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


def _json_line(result: Result, *, logits: bool) -> str:
    return jsonlib.dumps(result.as_json() if isinstance(result, Unreadable) else result.as_json(logits=logits))


def _csv_line(result: Result, *, logits: bool) -> str:
    if isinstance(result, Unreadable):
        return _csv(result.path, "", "", "", result.error, *[""] * logits)
    known = "yes" if result.unknown else "no"
    logit = [f"{result.top_logits[0]:.6f}"] * logits
    return _csv(result.path, result.label, f"{result.probability:.6f}", known, "", *logit)


def _csv(*cells: str) -> str:
    row = StringIO()
    csvlib.writer(row, lineterminator="").writerow(cells)
    return row.getvalue()


def _text_line(result: Result, *, logits: bool) -> str:
    if isinstance(result, Unreadable):
        return f"{result.path}: error: {printable(result.error)}"
    notes = [f" (logit {logit:.2f})" for logit in result.top_logits] if logits else [""] * len(result.top)
    rows = zip(result.top, notes, strict=True)
    choices = ", ".join(f"{printable(choice.label)} {choice.probability:.1%}{note}" for choice, note in rows)
    correct = "correct" if result.true == result.label else f"the true label is {printable(result.true or '')}"
    known = "" if result.true is None else f" ({correct})"
    return f"{result.path}: " + (f"I don't know ({choices})" if result.unknown else choices) + known
