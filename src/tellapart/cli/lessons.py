"""`tellapart lessons`."""

import json as jsonlib

from tellapart.cli.tables import aligned
from tellapart.lessons.table import all_lessons
from tellapart.progress import notify


def lessons(*, json: bool = False) -> None:
    """List the lessons: questions about telling images apart, in the order to read them.

    Parameters
    ----------
    json
        One JSON object per line.
    """
    every = all_lessons()
    if json:
        for one in every:
            print(
                jsonlib.dumps({"name": one.name, "question": one.question, "data": one.needs, "seconds": one.seconds})
            )
        return
    rows = [[f"{one.name}  ", f"about {one.seconds} s", f"  {one.question}"] for one in every]
    widest = max(len(row[2]) for row in rows)
    print(aligned([[*row[:2], row[2].ljust(widest)] for row in rows]))
    notify(f"try: tellapart lesson {every[0].name}")
