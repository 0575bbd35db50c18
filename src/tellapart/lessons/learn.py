"""Run lessons and check their claims."""

import time

from tellapart.lessons.lesson import Learned, Lesson, Settings, filled


def learn(lesson: Lesson, settings: Settings | None = None) -> Learned:
    """Run a lesson's experiment and hold its claims against what came out. Raises what the experiment raises."""
    started = time.perf_counter()
    findings = lesson.run(settings or Settings())
    claims = tuple((filled(one.sentence, findings.facts), bool(one.holds(findings.facts))) for one in lesson.claims)
    return Learned(lesson, findings, claims, time.perf_counter() - started)
