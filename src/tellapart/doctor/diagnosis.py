"""What a machine's facts mean: findings, each with a mark, and sentences that say what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tellapart.doctor.probe import CUDA_PACKAGES, Machine

Mark = Literal["ok", "note", "problem"]

TRAIN = "pip install 'tellapart[train]'"
GPU = "pip install 'tellapart[gpu]'"
GUIDE = "docs/gpu.md"
LOW_BYTES = 5_000_000_000  # the features of 100,000 photos, or one download of TensorFlow with CUDA

# The oldest drivers for CUDA 12. Source: TensorFlow's guide to installing with pip.
OLDEST_DRIVER = "525.60.13"
OLDEST_DRIVER_WSL = "528.33"  # the driver of Windows, whose numbers are their own


@dataclass(frozen=True)
class Finding:
    """One thing found: `ok` is as wished, `note` is good to know, `problem` stands in the way."""

    name: str
    mark: Mark
    text: str


def findings(machine: Machine) -> tuple[Finding, ...]:
    """List what was found, in the order of a person's questions: machine, packages, card, settings."""
    return (
        Finding("Python", "ok", machine.python),
        Finding("tellapart", "ok", machine.tellapart),
        _system(machine),
        Finding("processor", "ok", f"{machine.cpu}, {machine.cores} cores"),
        Finding("instructions", *_instructions(machine)),
        Finding("memory", *_memory(machine)),
        *_disks(machine),
        *_packages(machine),
        _driver(machine),
        _cuda(machine),
        _gpus(machine),
        *_variables(machine),
    )


def advice(machine: Machine) -> tuple[str, ...]:
    """Say what to do, most important first; never empty."""
    return (*_about_packages(machine), *_about_settings(machine), _about_card(machine))


def _system(machine: Machine) -> Finding:
    if machine.wsl:
        return Finding("system", "ok" if machine.wsl == 2 else "problem", f"{machine.system}, in WSL{machine.wsl}")
    return Finding("system", "note" if _on_windows(machine) else "ok", machine.system)


def _instructions(machine: Machine) -> tuple[Mark, str]:
    if machine.instructions is None:
        return "note", "unknown"
    return ("ok" if machine.instructions else "note"), ", ".join(machine.instructions) or "not even AVX2"


def _memory(machine: Machine) -> tuple[Mark, str]:
    if machine.memory_bytes is None:
        return "note", "unknown"
    return ("ok" if machine.memory_bytes > 4e9 else "note"), f"{machine.memory_bytes / 1e9:.1f} GB"


def _disks(machine: Machine) -> Iterator[Finding]:
    for folder, free in machine.free_bytes.items():
        yield Finding("free disk", "ok" if free > LOW_BYTES else "note", f"{free / 1e9:.1f} GB at {folder}")


def _packages(machine: Machine) -> Iterator[Finding]:
    for name in ("keras", "tensorflow"):
        version = _version(machine, name)
        yield Finding(name, "ok" if version else "note", version or f"not installed: to train, {TRAIN}")
    version = machine.packages["openvino"]
    yield Finding("openvino", "ok" if version else "problem", version or "not installed")
    yield Finding("precision", "ok" if machine.precision else "problem", machine.precision or "unknown")


def _version(machine: Machine, name: str) -> str | None:
    if name == "tensorflow" and machine.packages["tensorflow-cpu"]:
        return f"{machine.packages['tensorflow-cpu']} (tensorflow-cpu)"
    return machine.packages[name]


def _driver(machine: Machine) -> Finding:
    driver = machine.driver
    if driver.failure:
        return Finding("NVIDIA driver", "problem", f"nvidia-smi fails: {driver.failure}")
    if driver.version is None:
        return Finding("NVIDIA driver", "note", "none: nvidia-smi is not here")
    mark: Mark = "problem" if _too_old(machine) else "ok"
    return Finding("NVIDIA driver", mark, f"{driver.version}: {', '.join(driver.cards)}")


def _cuda(machine: Machine) -> Finding:
    versions = [machine.packages[name] for name in CUDA_PACKAGES]
    if all(versions):
        return Finding("CUDA libraries", "ok", f"CUDA runtime {versions[0]} and cuDNN {versions[1]}, by pip")
    if machine.system_cuda:
        return Finding("CUDA libraries", "note", "the system's own; TensorFlow takes those that pip installs first")
    return Finding("CUDA libraries", "problem" if machine.driver.cards else "note", "none")


def _gpus(machine: Machine) -> Finding:
    seen = machine.tensorflow
    if seen is None:
        return Finding("GPUs in use", "note", "none: TensorFlow is not installed")
    if seen.failure:
        return Finding("GPUs in use", "problem", f"TensorFlow does not start: {seen.failure}")
    if not seen.gpus:
        return Finding("GPUs in use", "problem" if machine.driver.cards else "note", "none")
    return Finding("GPUs in use", "ok", ", ".join(seen.gpus))


def _variables(machine: Machine) -> Iterator[Finding]:
    for name, value in machine.variables.items():
        if value is None:
            yield Finding(name, "ok", "not set")
        elif name in _missing_folders(machine):
            yield Finding(name, "problem", f"{value}: there is no such folder")
        else:
            yield Finding(name, "problem" if _wrong_backend(name, value) else "ok", value or "set to nothing")


def _missing_folders(machine: Machine) -> list[str]:
    # The cache's folder is made when it is first needed.
    values = {name: machine.variables[name] for name in ("TELLAPART_DATA", "TELLAPART_WEIGHTS")}
    return [name for name, value in values.items() if value and not Path(value).is_dir()]


def _wrong_backend(name: str, value: str) -> bool:
    return name == "KERAS_BACKEND" and value not in ("", "tensorflow")


def _about_packages(machine: Machine) -> Iterator[str]:
    if machine.packages["openvino"] is None:
        yield "OpenVINO is missing, and nothing is predicted without it: pip install openvino"
    if machine.packages["tensorflow"] and machine.packages["tensorflow-cpu"]:
        yield (
            "tensorflow and tensorflow-cpu are both installed and overwrite each other's files: "
            f"pip uninstall --yes tensorflow tensorflow-cpu, then {GPU} with a card or {TRAIN} without one."
        )
    if machine.tensorflow is None:
        yield f"Predicting and serving work; to train as well, {TRAIN}"
    elif machine.tensorflow.failure:
        yield f"TensorFlow is installed and does not start: pip uninstall it, then {TRAIN}"


def _about_settings(machine: Machine) -> Iterator[str]:
    for name in _missing_folders(machine):
        yield f"{name} names a folder that is not there: make it, correct the name, or unset {name}."
    backend = machine.variables["KERAS_BACKEND"]
    if backend and _wrong_backend("KERAS_BACKEND", backend):
        yield f"KERAS_BACKEND is {backend}, and tellapart trains with TensorFlow: unset it."
    for folder, free in machine.free_bytes.items():
        if free <= LOW_BYTES:
            yield f"Only {free / 1e9:.1f} GB are free at {folder}: make room before a large training."


def _about_card(machine: Machine) -> str:
    driver, seen = machine.driver, machine.tensorflow
    if seen and seen.gpus:
        return f"TensorFlow uses {', '.join(seen.gpus)}: training runs there. Nothing is left to do."
    if machine.wsl == 1:
        return f"WSL1 cannot reach a card: in PowerShell, wsl --set-version <distribution> 2. See {GUIDE}"
    if driver.failure:
        return f"nvidia-smi is here and fails: restart the machine, then install the driver anew. See {GUIDE}"
    if driver.version is None:
        return f"No NVIDIA card was found, and everything works without one. If there is a card, see {GUIDE}"
    if _too_old(machine):
        wanted = f"TensorFlow needs {_oldest(machine)} or newer"
        return f"The NVIDIA driver is {driver.version}, {wanted}: update it. See {GUIDE}"
    return _about_unused_card(machine)


def _about_unused_card(machine: Machine) -> str:
    unused = f"There is a card ({machine.driver.cards[0]}) and TensorFlow does not use it"
    if _on_windows(machine):
        return f"{unused}: on Windows it can inside WSL2 only. Install there. See {GUIDE}"
    hidden = machine.variables["CUDA_VISIBLE_DEVICES"]
    if hidden in ("", "-1"):
        return f"{unused}: CUDA_VISIBLE_DEVICES hides it. Unset that variable."
    if machine.packages["tensorflow-cpu"]:
        return f"{unused}: tensorflow-cpu cannot. pip uninstall --yes tensorflow-cpu, then {GPU}"
    if not all(machine.packages[name] for name in CUDA_PACKAGES):
        return f"{unused}: {GPU}"
    return f"{unused}, though driver and CUDA libraries are there. See {GUIDE}"


def _oldest(machine: Machine) -> str:
    return OLDEST_DRIVER_WSL if machine.wsl else OLDEST_DRIVER


def _too_old(machine: Machine) -> bool:
    return _numbers(machine.driver.version or "") < _numbers(_oldest(machine))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)


def _on_windows(machine: Machine) -> bool:
    return machine.system.startswith("Windows")
