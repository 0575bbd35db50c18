"""Ray nodes on this machine, each with processes of its own that can be ended alone."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

STARTED = "Ray runtime started"
PATIENCE_S = 180.0  # on a busy machine; it is 15 otherwise
# A core each, little memory, nothing reported, and a lost node noticed in seconds instead of half a minute.
WORDS = ("--block", "--num-cpus=1", "--object-store-memory=80000000", "--node-ip-address=127.0.0.1")
SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
}


@dataclass(frozen=True)
class Node:
    """`ray start --block`: all of a node's processes descend from it."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def family(self) -> list[psutil.Process]:
        """Itself and its descendants."""
        try:
            whole = psutil.Process(self.process.pid)
            return [whole, *whole.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def works(self) -> bool:
        """Whether a worker of ours is on it."""
        return any(name.startswith("ray::Worker") for name in map(_name, self.family()))

    def kill(self) -> None:
        """End it whole, as when its power fails."""
        family = self.family()
        for one in family:
            _kill(one)
        self.process.wait()
        psutil.wait_procs(family, timeout=10)

    def require_started(self) -> None:
        """Wait until it says so."""
        until = time.monotonic() + PATIENCE_S
        while STARTED not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)


@dataclass(frozen=True)
class Nodes:
    """Two nodes: `address` is HOST:PORT of the first, which is the head; `client` its port for Ray Client."""

    head: Node
    other: Node
    address: str
    client: str
    token: str


@contextmanager
def two_nodes(folder: Path) -> Iterator[Nodes]:
    """Start two nodes at once: the other tries again until the head is there."""
    port, client, token = _free_port(), _free_port(), "3" * 64
    settings = {**os.environ, **SETTINGS, "RAY_AUTH_TOKEN": token, "HOME": str(folder)}
    settings.pop("RAY_ADDRESS", None)
    with tempfile.TemporaryDirectory(prefix="r-", ignore_cleanup_errors=True) as short:  # sockets lie below it
        ports = (f"--port={port}", f"--ray-client-server-port={client}")
        head = _started(
            folder / "head.log", settings, "--head", *ports, "--include-dashboard=false", f"--temp-dir={short}"
        )
        other = _started(folder / "other.log", settings, f"--address=127.0.0.1:{port}")
        try:
            head.require_started()
            other.require_started()
            yield Nodes(head, other, f"127.0.0.1:{port}", f"127.0.0.1:{client}", token)
        finally:
            other.kill()
            head.kill()


def _started(log: Path, settings: Mapping[str, str], *words: str) -> Node:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", *WORDS, "--disable-usage-stats", *words]
    with log.open("wb") as stream:
        return Node(subprocess.Popen(command, stdout=stream, stderr=stream, env=settings), log)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
