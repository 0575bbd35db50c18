"""Run a command in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tellapart.cli.run_command import run
from tellapart.training.run import Run

Said = Callable[..., "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one sentence of a refusal, after a look at its form."""
        last = self.err.strip().splitlines()[-1]
        assert self.status == 2
        assert last.startswith("error: ")
        assert self.err.count("error: ") == 1
        assert "Traceback" not in self.err
        assert self.out == ""
        return last.removeprefix("error: ")


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """Run a command and give its status, standard output and standard error."""

    def say(*words: object) -> Outcome:
        capfd.readouterr()
        status = run([str(word) for word in words])
        return Outcome(status, *capfd.readouterr())

    return say


@pytest.fixture
def bundle(trained: Run) -> Path:
    return trained.bundle.folder


@pytest.fixture
def images(tiny: Path) -> list[Path]:
    return sorted(tiny.rglob("*.png"))
