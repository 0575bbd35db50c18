"""Probe of this machine: processor, memory, graphics cards, drivers, packages and settings.

Parsing a command's output is separate from running it, so that tests can parse the output of any machine.
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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import tellapart
from tellapart.backend import KERAS_SETTINGS, keras_home
from tellapart.cache import cache_bytes
from tellapart.files import cache_folder
from tellapart.jobs import cores
from tellapart.read_files import ContentError, read_text

INSTRUCTIONS = {"amx_tile": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX-512", "avx2": "AVX2"}
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "openvino")
CUDA_PACKAGES = ("nvidia-cuda-runtime-cu12", "nvidia-cudnn-cu12")
VARIABLES = (
    "TELLAPART_DATA",
    "TELLAPART_WEIGHTS",
    "TELLAPART_CACHE",
    "KERAS_BACKEND",
    "TF_USE_LEGACY_KERAS",
    "TF_ENABLE_ONEDNN_OPTS",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)
WSL_LIBRARIES = "/usr/lib/wsl/lib"  # contains Windows's nvidia-smi; not always on the PATH
SMI = ("--query-gpu=name,driver_version", "--format=csv,noheader")
TIMEOUT_S = 120  # a first import of TensorFlow from a cold disk may take this long

# Runs in a separate process: on a CPU that TensorFlow was not built for, importing it kills the process.
TENSORFLOW_PROBE = """
import json, tensorflow
devices = tensorflow.config.list_physical_devices("GPU")
details = [tensorflow.config.experimental.get_device_details(device) for device in devices]
print(json.dumps([detail.get("device_name", device.name) for detail, device in zip(details, devices)]))
"""


@dataclass(frozen=True)
class Driver:
    """Output of nvidia-smi: the driver's version and the names of the cards, or the reason of its failure.

    `failure` is None where it worked, and, with `version`, where there is no nvidia-smi.
    """

    version: str | None = None
    cards: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class TensorFlow:
    """The names of the GPUs that TensorFlow sees, or the reason why it does not start."""

    gpus: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class Machine:
    """Properties of one machine. None is unknown."""

    python: str
    tellapart: str
    system: str
    wsl: int | None
    """1 or 2 inside the Windows Subsystem for Linux, None elsewhere."""
    cpu: str
    cores: int
    """Available to this process."""
    instructions: tuple[str, ...] | None
    memory_bytes: int | None
    free_bytes: dict[str, int]
    """Free disk space by folder: tellapart's cache and the working directory."""
    packages: dict[str, str | None]
    """The version of each of PACKAGES and CUDA_PACKAGES, None where absent."""
    system_cuda: bool
    """True if the CUDA runtime and cuDNN are installed system-wide."""
    precision: str | None
    """The engine's choice on this CPU, None without OpenVINO."""
    driver: Driver
    tensorflow: TensorFlow | None
    """None where TensorFlow is not installed."""
    variables: dict[str, str | None]
    """The values of VARIABLES, None where unset."""
    cache: str = ""
    """Folder of the cache."""
    cache_bytes: int = 0
    keras_json: dict[str, object] = field(default_factory=dict)
    """The settings of the user's keras.json that are not tellapart's, which are set aside."""


def probe() -> Machine:
    """Examine this machine; takes some seconds where TensorFlow is installed, as it is started once."""
    cpuinfo = _read_text(Path("/proc/cpuinfo"))
    packages = {name: installed(name) for name in (*PACKAGES, *CUDA_PACKAGES)}
    has_tensorflow = packages["tensorflow"] or packages["tensorflow-cpu"]
    return Machine(
        python=platform.python_version(),
        tellapart=tellapart.__version__,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        wsl=wsl(platform.release()),
        cpu=cpu_name(cpuinfo) or platform.processor() or platform.machine(),
        cores=cores(),
        instructions=instructions(cpuinfo),
        memory_bytes=memory_bytes(_read_text(Path("/proc/meminfo"))),
        free_bytes={str(folder): free_bytes(folder) for folder in (cache_folder(), Path.cwd())},
        packages=packages,
        system_cuda=all(ctypes.util.find_library(name) for name in ("cudart", "cudnn")),
        precision=_precision(),
        driver=_driver(),
        tensorflow=_tensorflow() if has_tensorflow else None,
        variables={name: os.environ.get(name) for name in VARIABLES},
        cache=str(cache_folder()),
        cache_bytes=cache_bytes(),
        keras_json=foreign_keras_settings(_read_text(keras_home() / "keras.json")),
    )


def cpu_name(cpuinfo: str) -> str | None:
    """Parse the processor's name from Linux's /proc/cpuinfo; None where it has none (ARM)."""
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match[1].strip() if match else None


def instructions(cpuinfo: str) -> tuple[str, ...] | None:
    """Parse the processor's instruction sets, of those in INSTRUCTIONS, from /proc/cpuinfo."""
    match = re.search(r"^flags\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if not match:
        return None
    flags = set(match[1].split())
    return tuple(name for flag, name in INSTRUCTIONS.items() if flag in flags)


def memory_bytes(meminfo: str) -> int | None:
    """Parse the total memory from Linux's /proc/meminfo."""
    match = re.search(r"^MemTotal:\s*(\d+) kB$", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def wsl(release: str) -> int | None:
    """Parse the version of the Windows Subsystem for Linux from a kernel's release; None outside it.

    Version 2 has its own kernel, `5.15.90.1-microsoft-standard-WSL2`; version 1 imitates one,
    `4.4.0-19041-Microsoft`.
    """
    if "microsoft" not in release.lower():
        return None
    return 2 if "microsoft-standard" in release or "WSL2" in release else 1


def free_bytes(folder: Path) -> int:
    """Measure the free space of the disk of a folder, which need not exist yet."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


def installed(package: str) -> str | None:
    """Look up the installed version of a package without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_smi(output: str, status: int) -> Driver:
    """Parse the driver's version and the cards from the output of nvidia-smi, called with SMI."""
    rows = re.findall(r"^(.+), (\d[\d.]*)$", output, re.MULTILINE)
    if status == 0 and rows:
        return Driver(version=rows[0][1], cards=tuple(name for name, _ in rows))
    return Driver(failure=output.strip().partition("\n")[0] or f"it ended with status {status} and no message")


def read_tensorflow(output: str, errors: str, status: int) -> TensorFlow:
    """Parse the output of TENSORFLOW_PROBE; the last line of `errors` is the reason of a failure."""
    if status != 0:
        last = errors.strip().rpartition("\n")[2]
        return TensorFlow(failure=last or f"its process ended with status {status} and no message")
    return TensorFlow(gpus=tuple(json.loads(output.strip().rpartition("\n")[2])))


def foreign_keras_settings(keras_json: str) -> dict[str, object]:
    """Parse the settings in a keras.json that are not tellapart's; an unreadable file is the setting `unreadable`."""
    if not keras_json:
        return {}
    try:
        settings = json.loads(keras_json)
    except ValueError as error:
        return {"unreadable": str(error)}
    if not isinstance(settings, dict):
        return {"unreadable": "it is no JSON object"}
    return {name: value for name, value in settings.items() if value != KERAS_SETTINGS.get(name, value)}


def _driver() -> Driver:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), WSL_LIBRARIES))
    command = shutil.which("nvidia-smi", path=path)
    if command is None:
        return Driver()
    try:
        run = subprocess.run((command, *SMI), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Driver(failure=str(error))
    return read_smi(run.stdout or run.stderr, run.returncode)


def _tensorflow() -> TensorFlow:
    command = (sys.executable, "-c", TENSORFLOW_PROBE)
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return TensorFlow(failure=str(error))
    return read_tensorflow(run.stdout, run.stderr, run.returncode)


def _precision() -> str | None:
    try:
        from tellapart.engine import resolve_precision  # imports OpenVINO, which may be broken
    except ImportError:
        return None
    return resolve_precision("auto")


def _read_text(path: Path) -> str:
    with suppress(FileNotFoundError, ContentError):
        return read_text(path, errors="replace")
    return ""
