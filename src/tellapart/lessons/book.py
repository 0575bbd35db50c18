"""The book: one offline site with a page for each lesson that was run, an index and a glossary."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import require
from tellapart.files import atomic_folder, atomic_write
from tellapart.lessons.glossary import GLOSSARY
from tellapart.lessons.lesson import Learned
from tellapart.lessons.words import anchor, paragraphs, terms
from tellapart.reports.page import TEMPLATES, page_html, site_html

MINE = Path(__file__).parent / "templates"
INDEX, TERMS = "index.html", "glossary.html"
SCRIPTS = ("plotly.js", "report.js")
"""What draws the figures: once for all pages."""
CONTENTS = [("lessons", "Lessons", True), ("again", "Run them yourself", True)]
"""The sections of the index."""


def write_book(learned: Sequence[Learned], folder: Path) -> None:
    """Write the site into a new folder, whole or not at all. Raises StorageError."""
    with atomic_folder(folder) as partial:
        (partial / SCRIPTS[0]).write_text(require("plotly.offline", extra="train").get_plotlyjs(), encoding="utf-8")
        shutil.copyfile(TEMPLATES / SCRIPTS[1], partial / SCRIPTS[1])
        for name, page in pages(learned).items():
            (partial / name).write_text(page, encoding="utf-8")


def write_page(one: Learned, path: Path) -> None:
    """Write one lesson as a page of its own, with the terms that it names. Raises StorageError."""
    atomic_write(path, page_html("lesson.html.jinja", more=MINE, script_files=(), **_facts([one], 0, alone=True)))


def pages(learned: Sequence[Learned]) -> dict[str, str]:
    """The pages of the site by their file names."""
    made = {INDEX: _page("index.html.jinja", learned=learned, lesson_path=lesson_path, sections=CONTENTS)}
    for place, one in enumerate(learned):
        made[lesson_path(one)] = _page("lesson.html.jinja", **_facts(learned, place, alone=False))
    entries = [(anchor(term), term, sentence, _naming(learned, term)) for term, sentence in sorted_terms()]
    made[TERMS] = _page("glossary.html.jinja", entries=entries, lesson_path=lesson_path, sections=[])
    return made


def lesson_path(one: Learned) -> str:
    """The file of a lesson's page."""
    return f"{one.lesson.name}.html"


def sorted_terms() -> list[tuple[str, str]]:
    """The glossary in the order of a dictionary."""
    return sorted(GLOSSARY.items(), key=lambda item: item[0].lower())


def named_terms(one: Learned) -> list[str]:
    """The terms that a lesson names, each once, in their order."""
    lesson = one.lesson
    return terms("\n\n".join([lesson.method, lesson.outcome, lesson.conclusion, lesson.try_next]))


def _naming(learned: Sequence[Learned], term: str) -> list[Learned]:
    return [one for one in learned if term in named_terms(one)]


def _facts(learned: Sequence[Learned], place: int, *, alone: bool) -> dict[str, object]:
    one = learned[place]
    parts = [
        ("method", "What we do", one.lesson.method),
        ("outcome", "What came out", one.lesson.outcome),
        ("conclusion", "What to conclude", one.lesson.conclusion),
        ("try", "Try this next", one.lesson.try_next),
    ]
    texts = {name: paragraphs(one.text(text)) for name, _, text in parts}
    return {
        "one": one,
        "number": place + 1,
        "texts": texts,
        "before": learned[place - 1] if place else None,
        "after": learned[place + 1] if place + 1 < len(learned) else None,
        "lesson_path": lesson_path,
        "terms_at": "" if alone else TERMS,
        "entries": [(anchor(term), term, GLOSSARY[term], []) for term in named_terms(one)] if alone else [],
        "alone": alone,
        "sections": [
            ("method", "What we do", True),
            ("outcome", "What came out", True),
            ("claims", "Does it hold?", True),
            ("conclusion", "What to conclude", True),
            ("try", "Try this next", True),
            ("terms", "Terms", alone),
        ],
    }


def _page(template: str, **facts: object) -> str:
    return site_html(template, more=MINE, script_files=SCRIPTS, **{"alone": False, **facts})
