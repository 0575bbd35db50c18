"""The book of lessons: an offline site with a page for each lesson that was run, an index and a glossary."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import require
from tellapart.files import atomic_folder, atomic_write
from tellapart.lessons.glossary import GLOSSARY
from tellapart.lessons.lesson import CHAPTERS, Learned, Lesson, Settings, chapter_of, filled
from tellapart.lessons.words import anchor, paragraphs, terms
from tellapart.reports.render import TEMPLATES, page_html, site_html

OWN_TEMPLATES = Path(__file__).parent / "templates"
INDEX, TERMS = "index.html", "glossary.html"
SCRIPTS = ("plotly.js", "report.js")
"""The scripts that draw the figures, shared by all pages."""


def write_book(learned: Sequence[Learned], folder: Path) -> None:
    """Write the site into a new folder, whole or not at all. Raises StorageError."""
    with atomic_folder(folder) as partial:
        (partial / SCRIPTS[0]).write_text(require("plotly.offline", extra="train").get_plotlyjs(), encoding="utf-8")
        shutil.copyfile(TEMPLATES / SCRIPTS[1], partial / SCRIPTS[1])
        for name, page in pages(learned).items():
            (partial / name).write_text(page, encoding="utf-8")


def write_page(learned: Learned, path: Path) -> None:
    """Write one lesson as a single page with the terms that it uses. Raises StorageError."""
    context = _lesson_context([learned], 0, alone=True)
    atomic_write(path, page_html("lesson.html.jinja", more=OWN_TEMPLATES, script_files=(), **context))


def pages(learned: Sequence[Learned]) -> dict[str, str]:
    """Render the pages of the site, by file name."""
    chapters = _chapters(learned)
    html = {
        INDEX: _page(
            "index.html.jinja",
            learned=learned,
            chapters=chapters,
            anchor=lambda chapter: anchor(chapter) or "lessons",
            lesson_path=lesson_path,
            sections=[
                *((anchor(chapter) or "lessons", chapter or "Lessons", True) for chapter, _ in chapters),
                ("again", "Run them yourself", True),
            ],
        )
    }
    for position, lesson in enumerate(learned):
        html[lesson_path(lesson)] = _page("lesson.html.jinja", **_lesson_context(learned, position, alone=False))
    entries = [(anchor(term), term, sentence, _using(learned, term)) for term, sentence in sorted_terms()]
    html[TERMS] = _page("glossary.html.jinja", entries=entries, lesson_path=lesson_path, sections=[])
    return html


def _chapters(learned: Sequence[Learned]) -> list[tuple[str, list[Learned]]]:
    """Group lessons by chapter, in reading order; those in none are last."""
    names = [*CHAPTERS, ""]
    groups = [(name, [each for each in learned if chapter_of(each.lesson.name) == name]) for name in names]
    return [(name, lessons) for name, lessons in groups if lessons]


def lesson_path(learned: Learned) -> str:
    """Return the file name of a lesson's page."""
    return f"{learned.lesson.name}.html"


def sorted_terms() -> list[tuple[str, str]]:
    """Return the terms and their definitions in alphabetical order."""
    return sorted(GLOSSARY.items(), key=lambda item: item[0].lower())


def terms_of(learned: Learned) -> list[str]:
    """Return the distinct terms that a lesson uses, in order."""
    lesson = learned.lesson
    return terms("\n\n".join([lesson.method, lesson.outcome, lesson.conclusion, lesson.try_next]))


def _using(learned: Sequence[Learned], term: str) -> list[Learned]:
    return [lesson for lesson in learned if term in terms_of(lesson)]


def _lesson_context(all_learned: Sequence[Learned], position: int, *, alone: bool) -> dict[str, object]:
    learned = all_learned[position]
    parts = [
        ("method", "Method", learned.lesson.method),
        ("outcome", "Results", learned.lesson.outcome),
        ("conclusion", "Conclusion", learned.lesson.conclusion),
        ("try", "Try this next", learned.lesson.try_next),
    ]
    texts = {name: paragraphs(learned.text(text)) for name, _, text in parts}
    return {
        "learned": learned,
        "number": position + 1,
        "chapter": chapter_of(learned.lesson.name),
        "texts": texts,
        "before": all_learned[position - 1] if position else None,
        "after": all_learned[position + 1] if position + 1 < len(all_learned) else None,
        "lesson_path": lesson_path,
        "terms_at": "" if alone else TERMS,
        "entries": [(anchor(term), term, GLOSSARY[term], []) for term in terms_of(learned)] if alone else [],
        "alone": alone,
        "sections": [
            ("method", "Method", True),
            ("outcome", "Results", True),
            ("claims", "Claims", True),
            ("conclusion", "Conclusion", True),
            ("try", "Try this next", True),
            ("terms", "Terms", alone),
        ],
    }


def _page(template: str, **context: object) -> str:
    return site_html(template, more=OWN_TEMPLATES, script_files=SCRIPTS, **{"alone": False, **context})


def learn(lesson: Lesson, settings: Settings | None = None) -> Learned:
    """Run a lesson's experiment and check its claims against the results. Raises what the experiment raises."""
    started = time.perf_counter()
    findings = lesson.run(settings or Settings())
    claims = tuple(
        (filled(claim.sentence, findings.results), bool(claim.is_true(findings.results))) for claim in lesson.claims
    )
    return Learned(lesson, findings, claims, time.perf_counter() - started)
