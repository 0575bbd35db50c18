"""First use of a bundle on a machine: a process of its own runs it once on noise, within limits of time and memory.

Hashes show that a bundle is as it was written, not that its graph is harmless. `sandbox_worker` is the process. What it
accepted is remembered in the cache by the bundle's hash, so that later uses cost nothing.
"""

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import BundleError, MissingPackageError, StorageError
from tellapart.files import atomic_write, cache_folder
from tellapart.jobs import CORES, cores
from tellapart.worker_process import machine_memory, worker_command, worker_environment

CHECK = 1  # increase it whenever the check becomes stricter: what earlier ones accepted is run again
MAX_CPU_S, MAX_WALL_S = 60, 300  # the largest backbones take 20 s; a busy machine is not the bundle's fault
BASE_BYTES = 2_500_000_000  # of Python, OpenVINO and its threads
BYTES_PER_FILE_BYTE = 6  # weights are read, converted and packed for the CPU
BYTES_PER_PIXEL = 8_192  # activations of two images; Xception takes 2,000
MEMORY_SHARE = 0.75  # of the machine's memory, at most
MAX_CORES = 4
VERIFIED = "verified"


@dataclass(frozen=True)
class SandboxLimits:
    """Bytes of memory and seconds of CPU time that the process may take."""

    memory_bytes: int
    cpu_s: int = MAX_CPU_S

    @staticmethod
    def of(folder: Path, preprocessing: Preprocessing) -> "SandboxLimits":
        """Return limits that grow with the bundle's files and images, up to a share of the machine's memory."""
        file_bytes = sum(entry.stat().st_size for entry in os.scandir(folder))
        pixels = preprocessing.height * preprocessing.width
        wanted = BASE_BYTES + BYTES_PER_FILE_BYTE * file_bytes + BYTES_PER_PIXEL * pixels
        memory = machine_memory()
        return SandboxLimits(wanted if memory is None else min(wanted, int(MEMORY_SHARE * memory)))


class Sandbox:
    """A process that checks one bundle. It starts at once, and waits for `require_sound` before it reads the bundle."""

    def __init__(self, folder: Path, limits: SandboxLimits) -> None:
        self._folder = folder
        self._limits = limits
        awaited, self._go = os.pipe()  # its end tells the process that this one has ended
        self._process = subprocess.Popen(
            worker_command("tellapart.bundles.sandbox_worker", {"folder": str(folder.absolute()), **asdict(limits)}),
            stdin=awaited,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=worker_environment(**{CORES: str(min(cores(), MAX_CORES))}),
        )
        os.close(awaited)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the process, whatever it does."""
        os.close(self._go)
        self._process.kill()
        self._process.communicate()

    def require_sound(self) -> None:
        """Let the process check the bundle. Raises BundleError; MissingPackageError for a forest."""
        with suppress(OSError):  # it may have ended
            os.write(self._go, b"\n")
        try:
            answer, _ = self._process.communicate(timeout=MAX_WALL_S)
        except subprocess.TimeoutExpired as error:
            raise self._refusal(f"takes more than {MAX_WALL_S} s to answer two images") from error
        try:
            problem = json.loads(answer)
        except ValueError as error:  # it was killed before it could answer
            raise self._refusal(_death(self._process.returncode, self._limits)) from error
        if problem and problem["kind"] == MissingPackageError.__name__:
            raise MissingPackageError(problem["message"])
        if problem:
            raise BundleError(problem["message"])

    def _refusal(self, problem: str) -> BundleError:
        return BundleError(
            f"{self._folder} is not used, since its graph {problem}: get the bundle again from its maker"
        )


def is_verified(digest: str) -> bool:
    """Return True if this machine has accepted the bundle with this hash before, with the same OpenVINO."""
    return _mark(digest).is_file()


def remember(digest: str) -> None:
    """Remember that the bundle with this hash is sound. Without a cache to write to, it is checked again next time."""
    with suppress(StorageError, OSError):
        atomic_write(_mark(digest), "")


def _mark(digest: str) -> Path:
    return cache_folder() / VERIFIED / f"{CHECK}-openvino-{version('openvino')}" / digest


def _death(status: int, limits: SandboxLimits) -> str:
    if -status in (getattr(signal, "SIGXCPU", 0), signal.SIGTERM) and status:
        return f"takes more than {limits.cpu_s} s of CPU time to answer two images"
    if status < 0:
        return (
            f"crashed OpenVINO or took too much memory (signal {-status}; {limits.memory_bytes / 1e9:.1f} GB allowed)"
        )
    return f"could not be checked: the process that does it ended with status {status}"
