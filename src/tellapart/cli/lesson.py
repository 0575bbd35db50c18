"""`tellapart lesson`."""

import inspect
import textwrap
from pathlib import Path

from tellapart.cli.options import Json
from tellapart.cli.output import print_json
from tellapart.errors import RecipeError
from tellapart.files import require_unused, require_writable
from tellapart.lessons.book import learn, write_book, write_page
from tellapart.lessons.lesson import Learned, Settings, all_lessons, lesson_named
from tellapart.lessons.words import plain
from tellapart.progress import hidden_progress, notify, progress

FAILED = 1
WIDTH = 100


def lesson(
    name: str | None = None,
    /,
    *,
    all: bool = False,
    small: bool = False,
    show_code: bool = False,
    save: Path | None = None,
    json: Json = False,
) -> int:
    """Run a lesson: a question answered by an experiment that checks its own claims.

    The exit status is 1 where a claim is not confirmed.

        tellapart lesson image-as-array
        tellapart lesson --all --small --save book

    Parameters
    ----------
    name
        A lesson: `tellapart lessons` lists them.
    all
        Run all lessons, and write them as a web site that needs no network.
    small
        A few seconds of work on scikit-learn's digits, for a first look; the numbers are less certain.
    show_code
        Print the lesson's source instead of running it.
    save
        Path of the page; lessons/<name>.html by default. With --all the site's folder; book/ by default.
    """
    if all == (name is not None):
        raise RecipeError("expected a lesson's name, or --all and no name: tellapart lessons lists them")
    if name is None:
        return _run_all(save or Path("book"), Settings(small=small), json=json)
    chosen = lesson_named(name)
    if show_code:
        print(Path(inspect.getfile(chosen.run)).read_text(encoding="utf-8"), end="")
        return 0
    page = save or Path("lessons") / f"{chosen.name}.html"
    require_writable(page)
    notify(f"{chosen.question} It takes {'a few seconds' if small else f'about {chosen.seconds} s'}")
    learned = learn(chosen, Settings(small=small))
    if not json:
        print(_text(learned))
    write_page(learned, page)
    if json:
        print_json(_as_json(learned) | {"page": page})
    else:
        print(f"\nfigures: {page}")
    return 0 if learned.is_confirmed else FAILED


def _run_all(folder: Path, settings: Settings, *, json: bool) -> int:
    require_unused(folder)
    lessons, results = all_lessons(), []
    with progress("lessons", len(lessons), "lessons") as advance:
        for lesson in lessons:
            with hidden_progress():
                learned = learn(lesson, settings)
            results.append(learned)
            advance(1, lesson.name)
            for sentence, is_true in learned.claims:
                if not is_true:
                    notify(f"{lesson.name}: not confirmed: {sentence}")
    write_book(results, folder)
    confirmed = sum(learned.is_confirmed for learned in results)
    index = folder / "index.html"
    if json:
        print_json(
            {"book": index, "holds": confirmed == len(results), "lessons": [_as_json(result) for result in results]}
        )
    else:
        print(f"{confirmed} of {len(results)} lessons confirmed\nbook: {index}")
    return 0 if confirmed == len(results) else FAILED


def _as_json(learned: Learned) -> dict[str, object]:
    return {
        "name": learned.lesson.name,
        "question": learned.lesson.question,
        "holds": learned.is_confirmed,
        "claims": [{"claim": sentence, "holds": holds} for sentence, holds in learned.claims],
        "seconds": learned.seconds,
    }


def _text(learned: Learned) -> str:
    lesson = learned.lesson
    claims = "\n\n".join(
        f"{'confirmed:' if is_true else 'NOT CONFIRMED:'} {sentence}" for sentence, is_true in learned.claims
    )
    figures = "\n\n".join(f"{figure.title}. {figure.caption}" for figure in learned.findings.figures)
    parts = {
        "Method": learned.text(lesson.method),
        "The figures": figures,
        "Results": learned.text(lesson.outcome),
        "Claims": claims,
        "Conclusion": learned.text(lesson.conclusion),
        "Try this next": learned.text(lesson.try_next),
    }
    return "\n\n".join([lesson.question, *(f"{title}\n{_wrapped(text)}" for title, text in parts.items())])


def _wrapped(text: str) -> str:
    return "\n\n".join(
        textwrap.fill(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ") for paragraph in plain(text)
    )
