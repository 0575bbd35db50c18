"""Every lesson at its small setting: its claims hold, its text is filled, its terms are known, its figures are told."""

import ast
import re
from pathlib import Path

import pytest

from tellapart.errors import RecipeError
from tellapart.lessons.book import terms_of
from tellapart.lessons.glossary import GLOSSARY
from tellapart.lessons.lesson import Learned, Lesson
from tellapart.lessons.table import NAMES, all_lessons, lesson_named
from tellapart.lessons.words import anchor

FOLDER = Path(lesson_named.__code__.co_filename).parent
FRAME = {"__init__", "bases", "book", "drawing", "glossary", "learn", "lesson", "images", "table", "words"}
LESSONS = all_lessons()
MOST_SECONDS, MOST_LINES = 60, 180


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_bears_out_its_claims_and_tells_them_in_full(name: str, small: dict[str, Learned]) -> None:
    one = small[name]
    assert one.claims
    assert [sentence for sentence, holds in one.claims if not holds] == []
    texts = [one.text(text) for text in texts_of(one.lesson)] + [sentence for sentence, _ in one.claims]
    for text in texts:
        assert not re.search(r"[{}]|\bnan\b|\binf\b", text), text
    assert set(terms_of(one)) <= GLOSSARY.keys()
    assert one.findings.figures
    for figure in one.findings.figures:
        assert figure.title
        assert figure.caption.endswith(".")
        assert figure.figure.to_json()
    assert one.findings.results["data"] == "digits"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.name)
def test_a_lesson_is_whole_before_it_is_run(lesson: Lesson) -> None:
    assert lesson.question.endswith("?")
    assert "?" in lesson.try_next or "." in lesson.try_next
    assert 0 < lesson.seconds <= MOST_SECONDS
    assert len(lesson.run.__code__.co_varnames[: lesson.run.__code__.co_argcount]) == 1
    source = (FOLDER / f"{lesson.name.replace('-', '_')}.py").read_text()
    assert len(source.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.name)
def test_no_number_of_a_result_is_written_by_hand(lesson: Lesson) -> None:
    """What came out is told by facts: the only digits in its template are a range of values, a class or a level."""
    bare = re.sub(r"\{[^}]*\}", "", lesson.outcome)
    known = {"255", "0", "1", "0.50", "95", "4", "8", "3"}
    assert set(re.findall(r"\d+(?:\.\d+)?", bare)) <= known


def test_the_table_has_every_lesson_file_once_and_unlike_names() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - FRAME
    assert sorted(name.replace("-", "_") for name in NAMES) == sorted(files)
    assert tuple(lesson.name for lesson in LESSONS) == NAMES
    assert len({lesson.question for lesson in LESSONS}) == len(LESSONS)


def test_a_lesson_uses_nothing_private() -> None:
    for lesson in LESSONS:
        tree = ast.parse((FOLDER / f"{lesson.name.replace('-', '_')}.py").read_text())
        names = [name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names]
        assert not [name for name in names if name.startswith("_")]


def test_every_term_of_the_glossary_is_one_sentence_and_named_by_a_lesson(small: dict[str, Learned]) -> None:
    named = {term for one in small.values() for term in terms_of(one)}
    assert GLOSSARY.keys() <= named | {"loss", "recall", "precision"}
    assert len({anchor(term) for term in GLOSSARY}) == len(GLOSSARY)
    for sentence in GLOSSARY.values():
        assert sentence.endswith(".")
        assert ". " not in sentence


def test_an_unknown_lesson_is_refused_with_a_suggestion() -> None:
    with pytest.raises(RecipeError, match="did you mean pixel-order"):
        lesson_named("pixel-odrer")


def texts_of(lesson: Lesson) -> list[str]:
    return [lesson.method, lesson.outcome, lesson.conclusion, lesson.try_next]
