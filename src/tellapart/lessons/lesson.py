"""What a lesson is: a question, an experiment, claims that its numbers must bear out, and text with those numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tellapart.errors import TellapartError
from tellapart.reports.report import Drawing, Table

Facts = Mapping[str, Any]
"""Numbers and words that came out of a run, by the names that the text calls them by."""


@dataclass(frozen=True)
class Settings:
    """How much work a lesson does: its full size, or one that takes seconds. The seed repeats it."""

    small: bool = False
    seed: int = 0

    def of(self, full: int, *, small: int) -> int:
        """How many: `full` of them, or only `small`."""
        return small if self.small else full


@dataclass(frozen=True)
class Findings:
    """What an experiment came to. Every number of the lesson's text is one of `facts`."""

    facts: Facts
    figures: tuple[Drawing, ...]
    tables: Mapping[str, Table] = field(default_factory=dict)
    """Tables by their titles."""


@dataclass(frozen=True)
class Claim:
    """A sentence, and whether the facts bear it out."""

    sentence: str
    holds: Callable[[Facts], bool]


@dataclass(frozen=True)
class Lesson:
    """A question and the experiment that answers it.

    Texts are templates: `{name}` or `{name:.1%}` is one of the facts, and `[term]` or `[words|term]` stands in the
    glossary; an empty line begins a new paragraph.
    """

    name: str
    question: str
    method: str
    """What is done."""
    run: Callable[[Settings], Findings]
    outcome: str
    """What came out."""
    claims: tuple[Claim, ...]
    conclusion: str
    """What to conclude."""
    try_next: str
    """A question to try."""
    needs: str
    """The data set that it uses, where it is on this machine; digits are always there."""
    seconds: int
    """About how long it takes on two cores at its full size."""


@dataclass(frozen=True)
class Learned:
    """A lesson that was run: its findings, what became of its claims, and how long it took."""

    lesson: Lesson
    findings: Findings
    claims: tuple[tuple[str, bool], ...]
    """Each claim with its numbers, and whether it holds."""
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return all(holds for _, holds in self.claims)

    @property
    def took(self) -> str:
        """How long it took, in words."""
        return "less than a second" if self.seconds < 1 else f"{max(2, round(self.seconds))} seconds"

    def text(self, template: str) -> str:
        """A text of the lesson with the numbers of this run. Raises TellapartError when it names none of the facts."""
        return filled(template, self.findings.facts)


def filled(template: str, facts: Facts) -> str:
    """Put facts into a text. Raises TellapartError where the text asks for a fact that there is not."""
    try:
        return template.format_map(facts)
    except (KeyError, ValueError) as error:
        known = ", ".join(sorted(facts))
        raise TellapartError(f"a lesson's text cannot be filled ({error!r}); its run found {known}") from error
