"""Run lessons and check their claims."""

import time

from tellapart.lessons.lesson import Learned, Lesson, Settings, filled


def learn(lesson: Lesson, settings: Settings | None = None) -> Learned:
    """Run a lesson's experiment and check its claims against the results. Raises what the experiment raises."""
    started = time.perf_counter()
    findings = lesson.run(settings or Settings())
    claims = tuple(
        (filled(claim.sentence, findings.results), bool(claim.is_true(findings.results))) for claim in lesson.claims
    )
    return Learned(lesson, findings, claims, time.perf_counter() - started)
