"""`tellapart lessons`."""

import json as jsonlib
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.output import aligned
from tellapart.lessons.lesson import CHAPTERS, all_lessons
from tellapart.progress import notify


def lessons(*, json: Annotated[bool, Parameter(name="--json")] = False) -> None:
    """List the lessons: questions about image classification, in the order to read them.

        tellapart lessons

    Parameters
    ----------
    json
        Print one JSON object per line, for each lesson.
    """
    listed = all_lessons()
    if json:
        for lesson in listed:
            row = {"name": lesson.name, "question": lesson.question, "data": lesson.needs, "seconds": lesson.seconds}
            print(jsonlib.dumps(row))
        return
    widest = max(len(lesson.question) for lesson in listed)
    rows = [
        [f"{lesson.name}  ", f"about {lesson.seconds} s", f"  {lesson.question.ljust(widest)}"] for lesson in listed
    ]
    lines = dict(zip((lesson.name for lesson in listed), aligned(rows).splitlines(), strict=True))
    for chapter, names in CHAPTERS.items():
        print(f"{chapter}\n" + "\n".join(f"  {lines[name].rstrip()}" for name in names) + "\n")
    notify(f"try: tellapart lesson {listed[0].name}")
