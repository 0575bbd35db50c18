"""`tellapart lesson`."""

import inspect
import textwrap
from pathlib import Path

from tellapart.errors import RecipeError
from tellapart.files import require_unused, require_writable
from tellapart.lessons.book import write_book, write_page
from tellapart.lessons.learn import learn
from tellapart.lessons.lesson import Learned, Settings
from tellapart.lessons.table import all_lessons, lesson_named
from tellapart.lessons.words import plain
from tellapart.progress import notify, progress

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
) -> int:
    """Answer a question by an experiment that checks its own claims; or write the book of all.

    The exit status is 1 where a claim does not hold.

    Parameters
    ----------
    name
        A lesson: tellapart lessons lists them.
    all
        Run all lessons, and write them as a site that needs no network.
    small
        A few seconds' work on scikit-learn's digits, for a first look; numbers are less certain.
    show_code
        Print the lesson's source, and do not run it.
    save
        Where its page goes, lessons/<name>.html when left out; with --all the site's folder, book/ when left out.
    """
    if all == (name is not None):
        raise RecipeError("expected a lesson's name, or --all and no name: tellapart lessons lists them")
    if name is None:
        return _book(save or Path("book"), Settings(small=small))
    chosen = lesson_named(name)
    if show_code:
        print(Path(inspect.getfile(chosen.run)).read_text(encoding="utf-8"), end="")
        return 0
    page = save or Path("lessons") / f"{name}.html"
    require_writable(page)
    notify(f"{chosen.question} It takes {'a few seconds' if small else f'about {chosen.seconds} s'}")
    learned = learn(chosen, Settings(small=small))
    print(_told(learned))
    write_page(learned, page)
    print(f"\nfigures: {page}")
    return 0 if learned.holds else FAILED


def _book(folder: Path, settings: Settings) -> int:
    require_unused(folder)
    every, learned = all_lessons(), []
    with progress("lessons", len(every), "lessons") as advance:
        for one in every:
            learned.append(learn(one, settings))
            advance(1, one.name)
            for sentence, holds in learned[-1].claims:
                if not holds:
                    notify(f"{one.name}: does not hold: {sentence}")
    write_book(learned, folder)
    held = sum(one.holds for one in learned)
    print(f"{held} of {len(learned)} lessons hold\nbook: {folder / 'index.html'}")
    return 0 if held == len(learned) else FAILED


def _told(learned: Learned) -> str:
    lesson = learned.lesson
    claims = "\n\n".join(f"{'holds:' if holds else 'DOES NOT HOLD:'} {sentence}" for sentence, holds in learned.claims)
    figures = "\n\n".join(f"{one.title}. {one.caption}" for one in learned.findings.figures)
    parts = {
        "What we do": learned.text(lesson.method),
        "The figures": figures,
        "What came out": learned.text(lesson.outcome),
        "Does it hold?": claims,
        "What to conclude": learned.text(lesson.conclusion),
        "Try this next": learned.text(lesson.try_next),
    }
    return "\n\n".join([lesson.question, *(f"{title}\n{_wrapped(text)}" for title, text in parts.items())])


def _wrapped(text: str) -> str:
    return "\n\n".join(
        textwrap.fill(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ") for paragraph in plain(text)
    )
