"""Workers run this program's modules, whatever the current folder holds, within limits."""

import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.worker_process import limit_resources, machine_memory, worker_command, worker_environment


def test_a_worker_gets_its_setup_and_ignores_modules_of_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "timeit.py").write_text("raise SystemExit('the module of the current folder')")
    command = worker_command("timeit", {"n": 1})
    assert command[-2:] == ["timeit", '{"n": 1}']
    command[-1:] = ["-n", "1", "pass"]
    done = subprocess.run(command, cwd=tmp_path, env=worker_environment(), capture_output=True, text=True, check=True)
    assert "loop" in done.stdout


def test_a_worker_finds_the_modules_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, "", str(tmp_path)])
    environment = worker_environment(COLOUR="red")
    assert environment["PYTHONPATH"].endswith(str(tmp_path))
    assert environment["COLOUR"] == "red"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what mappings take")
def test_allocations_beyond_the_limit_fail() -> None:
    code = "from tellapart.worker_process import limit_resources as f; f(300_000_000); bytearray(1_000_000_000)"
    done = subprocess.run([sys.executable, "-c", code], env=worker_environment(), capture_output=True, text=True)
    assert "MemoryError" in done.stderr


def test_a_limit_is_never_above_the_systems_own(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    chosen: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (5, 10))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: chosen.append(limits))
    limit_resources(20, 7)
    assert chosen == [(10, 10), (7, 10)]


def test_the_memory_of_this_machine_is_known_on_linux() -> None:
    memory = machine_memory()
    assert memory is None or memory > 10**8
    assert (memory is not None) or sys.platform != "linux"
