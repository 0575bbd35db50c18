"""Command lines run, and killed, one after the other by a process that has loaded everything already."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Loads everything once, then runs each given command line in a copy of itself: loading takes longer than
# the work. A copy kills itself at the n-th time that something is made durable or renamed, if asked to.
NURSERY = """
import importlib, json, os, signal, sys
from pathlib import Path
from tellapart.backend import load_keras
load_keras()
import keras, numpy, openvino
from tellapart.cli.run_command import run
from tellapart.training import write_bundle
for name in sys.argv[1:]:
    importlib.import_module(name)

def counted(function):
    def call(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call

def armed():
    os.fsync, Path.rename, Path.replace = counted(os.fsync), counted(Path.rename), counted(Path.replace)

def written(*arguments, write=write_bundle.write_graph):
    armed()
    write(*arguments)

for line in sys.stdin:
    words, log, left, where = json.loads(line)
    child = os.fork()
    if child == 0:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1), os.dup2(descriptor, 2)
        if where == "bundle":
            write_bundle.write_graph = written
        elif where:
            armed()
        status = run(words)
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Training:
    """One command under way."""

    def __init__(self, nursery: "subprocess.Popen[str]", pid: int, log: Path) -> None:
        self.nursery, self.pid, self.log = nursery, pid, log

    def ended(self) -> bool:
        """Whether it has come to an end, by itself or not."""
        assert self.nursery.stdout
        return bool(select.select([self.nursery.stdout], [], [], 0.002)[0])

    def send(self, number: int) -> None:
        """Send it a signal."""
        if not self.ended():
            os.kill(self.pid, number)

    def status(self) -> int:
        """Wait for its end; give its exit status, or the negative number of the signal that ended it."""
        assert self.nursery.stdout
        return int(self.nursery.stdout.readline())


def some_now(now: tuple[int, ...], moments: range) -> list[Any]:
    """All moments, of which only some are tried each time: a try takes seconds."""
    return [moment if moment in now else pytest.param(moment, marks=pytest.mark.long) for moment in moments]


@contextmanager
def nursery(folder: Path, *modules: str) -> Iterator[Callable[..., Training]]:
    """Yield what begins a command as the command line does: with its words, and at which write it is to be killed.

    `where` is "bundle" to count writes from the bundle on, or anything else to count all. `modules` are loaded before.
    """
    settings = {**os.environ, "TELLAPART_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", NURSERY, *modules]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=settings) as process:
        assert process.stdin
        assert process.stdout

        def start(words: Sequence[str], *, killed_at: int = 0, where: str = "") -> Training:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps([list(words), str(folder / "log"), killed_at, where]) + "\n")
            process.stdin.flush()
            return Training(process, int(process.stdout.readline()), folder / "log")

        yield start
        process.stdin.close()
