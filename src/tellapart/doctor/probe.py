"""Facts about this machine: what it computes with, and what is installed to use it.

Reading a probe's text is apart from running it, so that each can be tried with the text of any machine.
"""

import ctypes.util
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tellapart
from tellapart.files import cache_folder
from tellapart.jobs import cores

INSTRUCTIONS = {"amx_tile": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX-512", "avx2": "AVX2"}
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "openvino")
CUDA_PACKAGES = ("nvidia-cuda-runtime-cu12", "nvidia-cudnn-cu12")
VARIABLES = (
    "TELLAPART_DATA",
    "TELLAPART_WEIGHTS",
    "TELLAPART_CACHE",
    "KERAS_BACKEND",
    "CUDA_VISIBLE_DEVICES",
)
WSL_LIBRARIES = "/usr/lib/wsl/lib"  # where Windows puts nvidia-smi, not always on the PATH
SMI = ("--query-gpu=name,driver_version", "--format=csv,noheader")
PATIENCE_S = 120  # a first import of TensorFlow from a cold disk takes this long at worst

# In a process of its own: on a CPU that TensorFlow was not built for, importing it ends the process.
TENSORFLOW_PROBE = """
import json, tensorflow
devices = tensorflow.config.list_physical_devices("GPU")
details = [tensorflow.config.experimental.get_device_details(device) for device in devices]
print(json.dumps([detail.get("device_name", device.name) for detail, device in zip(details, devices)]))
"""


@dataclass(frozen=True)
class Driver:
    """What nvidia-smi says: the driver's version and the cards' names, or why there are none.

    `failure` is None where it worked, and where there is no nvidia-smi at all (`version` None too).
    """

    version: str | None = None
    cards: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class TensorFlow:
    """The names of the GPUs that TensorFlow sees, or why it could not be asked."""

    gpus: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class Machine:
    """One machine as tellapart finds it. None stands for what could not be found out."""

    python: str
    tellapart: str
    system: str
    wsl: int | None
    """1 or 2 inside the Windows Subsystem for Linux, None elsewhere."""
    cpu: str
    cores: int
    """How many this process may use."""
    instructions: tuple[str, ...] | None
    memory_bytes: int | None
    free_bytes: dict[str, int]
    """Free disk space, by folder: tellapart's cache and the folder it was called in."""
    packages: dict[str, str | None]
    """The version of each of PACKAGES and CUDA_PACKAGES, None where absent."""
    system_cuda: bool
    """Whether CUDA's runtime and cuDNN are installed for the whole system."""
    precision: str | None
    """What the engine chooses on this CPU, None without OpenVINO."""
    driver: Driver
    tensorflow: TensorFlow | None
    """None where TensorFlow is not installed."""
    variables: dict[str, str | None]
    """The values of VARIABLES, None where unset."""


def probe() -> Machine:
    """Examine this machine; takes some seconds where TensorFlow is installed, which is started once."""
    cpuinfo = _text(Path("/proc/cpuinfo"))
    packages = {name: installed(name) for name in (*PACKAGES, *CUDA_PACKAGES)}
    trains = packages["tensorflow"] or packages["tensorflow-cpu"]
    return Machine(
        python=platform.python_version(),
        tellapart=tellapart.__version__,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        wsl=wsl(platform.release()),
        cpu=cpu_name(cpuinfo) or platform.processor() or platform.machine(),
        cores=cores(),
        instructions=instructions(cpuinfo),
        memory_bytes=memory_bytes(_text(Path("/proc/meminfo"))),
        free_bytes={str(folder): free_bytes(folder) for folder in (cache_folder(), Path.cwd())},
        packages=packages,
        system_cuda=all(ctypes.util.find_library(name) for name in ("cudart", "cudnn")),
        precision=_precision(),
        driver=_driver(),
        tensorflow=_tensorflow() if trains else None,
        variables={name: os.environ.get(name) for name in VARIABLES},
    )


def cpu_name(cpuinfo: str) -> str | None:
    """Read the processor's name from the text of Linux's /proc/cpuinfo; None where it has none (ARM)."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else None


def instructions(cpuinfo: str) -> tuple[str, ...] | None:
    """Read which of INSTRUCTIONS' sets the processor has, from the text of /proc/cpuinfo."""
    found = re.search(r"^flags\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if not found:
        return None
    flags = set(found[1].split())
    return tuple(name for flag, name in INSTRUCTIONS.items() if flag in flags)


def memory_bytes(meminfo: str) -> int | None:
    """Read how much memory there is from the text of Linux's /proc/meminfo."""
    found = re.search(r"^MemTotal:\s*(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def wsl(release: str) -> int | None:
    """Tell the version of the Windows Subsystem for Linux from a kernel's release; None outside it.

    Version 2 has a kernel of its own, `5.15.90.1-microsoft-standard-WSL2`; version 1 imitates one,
    `4.4.0-19041-Microsoft`.
    """
    if "microsoft" not in release.lower():
        return None
    return 2 if "microsoft-standard" in release or "WSL2" in release else 1


def free_bytes(folder: Path) -> int:
    """Measure the free space where a folder is, or would be made."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(existing).free


def installed(package: str) -> str | None:
    """Look up the installed version of a package without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_smi(output: str, status: int) -> Driver:
    """Read the driver's version and the cards from the output of nvidia-smi, called with SMI."""
    rows = re.findall(r"^(.+), (\d[\d.]*)$", output, re.MULTILINE)
    if status == 0 and rows:
        return Driver(version=rows[0][1], cards=tuple(name for name, _ in rows))
    return Driver(failure=output.strip().partition("\n")[0] or f"it ended with status {status} and no message")


def read_tensorflow(output: str, errors: str, status: int) -> TensorFlow:
    """Read what TENSORFLOW_PROBE printed; the last line of its errors says why it failed."""
    if status != 0:
        last = errors.strip().rpartition("\n")[2]
        return TensorFlow(failure=last or f"its process ended with status {status} and no message")
    return TensorFlow(gpus=tuple(json.loads(output.strip().rpartition("\n")[2])))


def _driver() -> Driver:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), WSL_LIBRARIES))
    command = shutil.which("nvidia-smi", path=path)
    if command is None:
        return Driver()
    try:
        run = subprocess.run((command, *SMI), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Driver(failure=str(error))
    return read_smi(run.stdout or run.stderr, run.returncode)


def _tensorflow() -> TensorFlow:
    command = (sys.executable, "-c", TENSORFLOW_PROBE)
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return TensorFlow(failure=str(error))
    return read_tensorflow(run.stdout, run.stderr, run.returncode)


def _precision() -> str | None:
    try:
        from tellapart.engine import resolve_precision  # brings OpenVINO, which may be what is broken
    except ImportError:
        return None
    return resolve_precision("auto")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
