"""Fixtures for the tests of lessons: every lesson at its small setting, and one that takes no time."""

import pytest

from tellapart.lessons.book import learn
from tellapart.lessons.drawing import drawing, lines
from tellapart.lessons.lesson import Claim, Findings, Learned, Lesson, Settings, all_lessons


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Learned]:
    """Every lesson, run once at its small setting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return {lesson.name: learn(lesson, Settings(small=True)) for lesson in all_lessons()}


def counting(settings: Settings) -> Findings:
    """Add up a few numbers."""
    n = settings.of(10, small=4)
    results = {"data": "<b>none</b>", "n": n, "sum": n * (n - 1) // 2}
    drawn = lines("sums", ("number", range(n)), "sum", {"sum so far": [i * (i + 1) // 2 for i in range(n)]})
    return Findings(results, (drawing("Sums", "The line rises faster and faster.", drawn),))


@pytest.fixture
def lesson() -> Lesson:
    """A lesson that takes no time."""
    return Lesson(
        name="counting",
        question="How much is 0 + 1 + ...?",
        method="We add {n} numbers in an [array].\n\n    Then we [look|shape] & see.",
        run=counting,
        outcome="It is {sum}.",
        claims=(Claim("The sum, {sum}, is at least {n}.", lambda results: results["sum"] >= results["n"]),),
        conclusion="Sums grow.",
        try_next="How do squares grow?",
        needs="digits",
        seconds=1,
    )
