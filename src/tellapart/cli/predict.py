"""`tellapart predict`."""

import csv as csvlib
import json as jsonlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.predictor import Prediction, Predictor, Unreadable
from tellapart.data.listing import listed

PARTLY = 1


def _no_option(_: type, word: str) -> None:
    if word.startswith("-") and word != "-":
        raise ValueError(f"There is no option {word}; a file of that name is ./{word}")


Word = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_no_option)]  # a lone - is a word too


def predict(bundle: Path, /, *pictures: Word, top: int = 3, json: bool = False, csv: bool = False) -> int:
    """Name the category of pictures, in the order given.

    Parameters
    ----------
    bundle
        The bundle's folder.
    pictures
        Files, folders (all pictures below them), globs in quotes, or - for one path per line on standard input.
    top
        How many classes to name for each picture.
    json
        One JSON object per line.
    csv
        A table with one row per picture.
    """
    answers = Predictor(bundle).predict(listed(pictures, sys.stdin), top=top)
    write = _write_json if json else _write_csv if csv else _write_text
    return PARTLY if write(answers) else 0


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
    table.writerow(["path", "label", "probability", "error"])
    for answer in answers:
        if isinstance(answer, Unreadable):
            unread += 1
            table.writerow([answer.path, "", "", answer.error])
        else:
            table.writerow([answer.path, answer.label, f"{answer.probability:.6f}", ""])
    return unread


def _write_text(answers: Answers) -> int:
    unread = 0
    for answer in answers:
        if isinstance(answer, Unreadable):
            unread += 1
            print(f"{answer.path}: error: {answer.error}")
        else:
            choices = ", ".join(f"{choice.label} {choice.probability:.1%}" for choice in answer.top)
            print(f"{answer.path}: {choices}", flush=True)
    return unread
