"""What the guides tell people to type is there: every command with its options, and the plan's numbers."""

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tellapart.cli.commands import COMMANDS

from .conftest import Said

ROOT = Path(__file__).parents[2]
GUIDES = ("README.md", "docs/service.md", "docs/cluster.md", "docs/million-a-day.md", "docs/gpu.md")
BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:tellapart|ray) [^`]+)`")
PLAN = "python benchmarks/plan.py"


def typed(page: str) -> Iterator[str]:
    """The commands of a page: what follows a prompt in a block, its further lines joined, and what stands in a text."""
    for block in BLOCK.findall(page):
        for line in map(str.strip, block.replace("\\\n", " ").splitlines()):
            if line.startswith("$ "):
                yield line.removeprefix("$ ")
    yield from INLINE.findall(BLOCK.sub("", page))


def commands(program: str) -> list[tuple[str, list[str]]]:
    """Each command of a program in the guides: its verb, and its options."""
    found = []
    for guide in GUIDES:
        for line in typed((ROOT / guide).read_text(encoding="utf-8")):
            words = [word for word in shlex.split(line) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
            if len(words) > 1 and words[0] == program:
                options = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
                found.append((words[1], options))
    return found


def test_there_is_something_to_type() -> None:
    assert len(commands("tellapart")) >= 12
    assert len(commands("ray")) >= 8


@pytest.mark.parametrize(("verb", "options"), commands("tellapart"))
def test_every_command_has_the_options_it_is_given(verb: str, options: list[str], said: Said) -> None:
    assert verb in COMMANDS
    text = said(verb, "--help").out
    for option in options:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"tellapart {verb} has no {option}"


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is absent: install tellapart[ray]")
def test_every_command_of_ray_has_the_options_it_is_given() -> None:
    for verb, options in commands("ray"):
        for option in options:
            assert option in offered(verb), f"ray {verb} has no {option}"


@cache
def offered(verb: str) -> str:
    """What Ray says of a command, in a process of its own: it keeps what it reads when it is imported."""
    words = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", verb, "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_the_plans_numbers_are_what_its_command_prints() -> None:
    page = (ROOT / "docs/million-a-day.md").read_text(encoding="utf-8")
    for block in BLOCK.findall(page):
        command, _, shown = block.replace("\\\n", " ").partition("\n")
        if command.startswith(f"$ {PLAN}"):
            words = shlex.split(command)[2:]
            done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)
            assert done.stdout == shown
            return
    pytest.fail(f"the page does not show what {PLAN} prints")
