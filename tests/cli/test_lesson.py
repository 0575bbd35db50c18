"""`tellapart lessons` and `tellapart lesson`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.cli import lesson as command
from tellapart.lessons.lesson import CHAPTERS, OLD_NAMES, Claim, all_lessons

from .conftest import Said

LESSONS = all_lessons()


def test_lessons_are_listed_in_order_with_what_they_take(said: Said) -> None:
    answer = said("lessons")
    assert answer.status == 0
    chapters = [line for line in answer.out.splitlines() if line and not line.startswith(" ")]
    assert chapters == list(CHAPTERS)
    lines = [line for line in answer.out.splitlines() if line.startswith(" ")]
    assert [line.split()[0] for line in lines] == [lesson.name for lesson in LESSONS]
    assert f"about {LESSONS[0].seconds} s" in " ".join(lines[0].split())
    assert all(lesson.question in line for lesson, line in zip(LESSONS, lines, strict=True))
    rows = [json.loads(line) for line in said("lessons", "--json").out.splitlines()]
    assert [row["name"] for row in rows] == [lesson.name for lesson in LESSONS]


def test_a_lesson_tells_itself_and_leaves_its_page(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = said("lesson", "image-as-array", "--small")
    assert answer.status == 0
    places = [answer.out.index(title) for title in ("Method", "Results", "Claims", "Try this next")]
    assert places == sorted(places)
    assert "confirmed: PNG changes no number" in answer.out
    assert "[" not in answer.out
    assert answer.out.endswith("figures: lessons/image-as-array.html\n")
    assert (tmp_path / "lessons" / "image-as-array.html").stat().st_size > 1_000_000


def test_a_claim_that_fails_fails_the_command(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(LESSONS[0], claims=(Claim("It is {label}.", lambda _: False),))
    monkeypatch.setattr(command, "lesson_named", lambda _: wrong)
    answer = said("lesson", LESSONS[0].name, "--small", "--save", tmp_path / "page.html")
    assert answer.status == 1
    assert "NOT CONFIRMED: It is" in answer.out


@pytest.mark.parametrize("words", [("pooling",), ("--all",)])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    words: tuple[str, ...], said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "learn", lambda *_: pytest.fail("it ran"))
    (tmp_path / "file").touch()
    assert said("lesson", *words, "--save", tmp_path / "file" / "inner").error.startswith("cannot write")


def test_the_code_is_shown_and_not_run(said: Said) -> None:
    answer = said("lesson", "pixel-order", "--show-code")
    assert (answer.status, answer.err) == (0, "")
    assert 'name="pixel-order"' in answer.out


def test_all_lessons_become_a_book(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "all_lessons", lambda: LESSONS[:1])
    answer = said("lesson", "--all", "--small", "--save", tmp_path / "book")
    assert answer.status == 0
    assert answer.out == f"1 of 1 lessons confirmed\nbook: {tmp_path / 'book' / 'index.html'}\n"
    assert (tmp_path / "book" / "image-as-array.html").exists()
    assert "not empty" in said("lesson", "--all", "--small", "--save", tmp_path / "book").error


@pytest.mark.parametrize("words", [[], ["image-as-array", "--all"]])
def test_either_a_name_or_all(words: list[str], said: Said) -> None:
    assert "expected a lesson's name, or --all" in said("lesson", *words).error


def test_a_lesson_s_old_name_is_another_name_for_it(said: Said) -> None:
    for old, new in OLD_NAMES.items():
        assert said("lesson", old, "--show-code") == said("lesson", new, "--show-code")


def test_an_unknown_name_is_refused(said: Said) -> None:
    assert "did you mean over-fitting" in said("lesson", "overfitting").error
