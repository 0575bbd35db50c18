"""Progress: a bar on a terminal; elsewhere plain lines now and then, with rate and time left."""

import io
import sys
import time
from collections.abc import Callable

import pytest

from tellapart.progress import hidden_progress, notify, progress


class Terminal(io.StringIO):
    """Claims to be a terminal."""

    def isatty(self) -> bool:
        """Claim it."""
        return True


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass for the lines without waiting."""
    now = 1000.0

    def forward(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now)
    return forward


def test_a_line_says_rate_and_time_left(wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("decoding", 3000, "images") as advance:
        wait(5)
        advance(500)
        assert capsys.readouterr().err == ""
        wait(5)
        advance(500)
        first = capsys.readouterr()
        wait(9)
        advance(1)
        wait(11)
        advance(499, note="epoch 2")
        second = capsys.readouterr()
    assert first.err == "decoding: 1,000 of 3,000 images, 100.0 a second, about 20 s left\n"
    assert second.err == "decoding: 1,500 of 3,000 images, 50.0 a second, about 30 s left epoch 2\n"
    assert first.out == second.out == ""


def test_a_note_stays_until_the_next(wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("training", 10, "examples") as advance:
        advance(0, note="loss 1")
        wait(10)
        advance(1)
        assert capsys.readouterr().err.endswith("left loss 1\n")
        wait(10)
        advance(1, note="loss 2")
        assert capsys.readouterr().err.endswith("left loss 2\n")


def test_nothing_done_yet_has_no_rate(wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("training", 10, "examples") as advance:
        wait(60)
        advance(0, note="epoch 1")
        assert capsys.readouterr().err == ""
        advance(5)
        assert capsys.readouterr().err.startswith("training: 5 of 10 examples, 0.1 a second, about 60 s left")


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", 3, "files") as advance:
        for _ in range(3):
            advance(1)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_count_rate_and_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("decoding", 8, "images") as advance:
        advance(8, note="all well")
    drawn = terminal.getvalue()
    for part in ("decoding", "8/8", "images/s", "all well", "\x1b["):
        assert part in drawn


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str], wait: Callable[[float], None]) -> None:
    with progress("decoding", 8, "images") as advance:
        wait(10)
        advance(8)
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_of_the_work_passes_through(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    with pytest.raises(ValueError, match="mine"), progress("x", 1, "files"):
        raise ValueError("mine")


def test_what_is_said_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    notify("a sentence")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "a sentence\n")


def test_hidden_progress_prints_nothing(wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    with hidden_progress(), progress("decoding", 3000, "images") as advance:
        wait(60)
        advance(500)
        notify("a notice")
    assert capsys.readouterr().err == ""
    notify("another")
    assert capsys.readouterr().err == "another\n"
