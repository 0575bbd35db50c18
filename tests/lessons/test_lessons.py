"""Every lesson at its small setting: claims are true, texts are filled, terms are known, figures have captions."""

import ast
import re
from pathlib import Path

import pytest

from tellapart.errors import RecipeError
from tellapart.lessons.book import terms_of
from tellapart.lessons.glossary import GLOSSARY
from tellapart.lessons.lesson import NAMES, Learned, Lesson, all_lessons, lesson_named
from tellapart.lessons.words import anchor

FOLDER = Path(lesson_named.__code__.co_filename).parent
FRAME = {"__init__", "backbones", "book", "drawing", "glossary", "learn", "lesson", "images", "table", "words"}
LESSONS = all_lessons()
MAX_SECONDS, MAX_LINES = 60, 180


@pytest.mark.parametrize("name", NAMES)
def test_the_claims_of_a_lesson_are_true_and_its_texts_complete(name: str, small: dict[str, Learned]) -> None:
    learned = small[name]
    assert learned.claims
    assert [sentence for sentence, is_true in learned.claims if not is_true] == []
    texts = [learned.text(text) for text in texts_of(learned.lesson)] + [sentence for sentence, _ in learned.claims]
    for text in texts:
        assert not re.search(r"[{}]|\bnan\b|\binf\b", text), text
    assert set(terms_of(learned)) <= GLOSSARY.keys()
    assert learned.findings.figures
    for figure in learned.findings.figures:
        assert figure.title
        assert figure.caption.endswith(".")
        assert figure.figure.to_json()
    assert learned.findings.results["data"] == "digits"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_is_complete_before_it_runs(lesson: Lesson) -> None:
    assert lesson.question.endswith("?")
    assert "?" in lesson.try_next or "." in lesson.try_next
    assert 0 < lesson.seconds <= MAX_SECONDS
    assert len(lesson.run.__code__.co_varnames[: lesson.run.__code__.co_argcount]) == 1
    source = (FOLDER / f"{lesson.name.replace('-', '_')}.py").read_text()
    assert len(source.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_no_number_of_a_result_is_hard_coded(lesson: Lesson) -> None:
    """Outcomes use placeholders: the only digits in a template are a range of values, a class or a level."""
    bare = re.sub(r"\{[^}]*\}", "", lesson.outcome)
    known = {"255", "0", "1", "0.50", "95", "4", "8", "3"}
    assert set(re.findall(r"\d+(?:\.\d+)?", bare)) <= known


def test_the_table_has_every_lesson_file_once_with_distinct_questions() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - FRAME
    assert sorted(name.replace("-", "_") for name in NAMES) == sorted(files)
    assert tuple(lesson.name for lesson in LESSONS) == NAMES
    assert len({lesson.question for lesson in LESSONS}) == len(LESSONS)


def test_a_lesson_uses_nothing_private() -> None:
    for lesson in LESSONS:
        tree = ast.parse((FOLDER / f"{lesson.name.replace('-', '_')}.py").read_text())
        names = [name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names]
        assert not [name for name in names if name.startswith("_")]


def test_every_term_of_the_glossary_is_one_sentence_and_used_by_a_lesson(small: dict[str, Learned]) -> None:
    used = {term for learned in small.values() for term in terms_of(learned)}
    assert GLOSSARY.keys() <= used | {"loss", "recall", "precision"}
    assert len({anchor(term) for term in GLOSSARY}) == len(GLOSSARY)
    for sentence in GLOSSARY.values():
        assert sentence.endswith(".")
        assert ". " not in sentence


def test_an_unknown_lesson_is_refused_with_a_suggestion() -> None:
    with pytest.raises(RecipeError, match="did you mean pixel-order"):
        lesson_named("pixel-odrer")


def texts_of(lesson: Lesson) -> list[str]:
    return [lesson.method, lesson.outcome, lesson.conclusion, lesson.try_next]
