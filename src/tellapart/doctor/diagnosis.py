"""Diagnoses of a machine, each with a mark, and advice on what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tellapart.doctor.probe import CUDA_PACKAGES, Machine

Mark = Literal["ok", "note", "problem"]

TRAIN = "pip install 'tellapart[train]'"
GPU = "pip install 'tellapart[gpu]'"
GUIDE = "docs/gpu.md"
MIN_FREE_BYTES = 5_000_000_000  # the features of 100,000 photos, or one download of TensorFlow with CUDA

# The oldest drivers for CUDA 12. Source: TensorFlow's guide to installing with pip.
MIN_DRIVER = "525.60.13"
MIN_DRIVER_WSL = "528.33"  # the Windows driver, which has version numbers of its own

SET_ASIDE = {"KERAS_BACKEND": ("", "tensorflow"), "TF_USE_LEGACY_KERAS": ("", "0", "false", "False")}
"""Variables of other programs that training sets aside, each with the values that change nothing."""
USED = {
    "TF_ENABLE_ONEDNN_OPTS": "TensorFlow's sums may differ from another machine's in the last digits",
    "OMP_NUM_THREADS": "NumPy and scikit-learn compute with so many threads",
    "CUDA_VISIBLE_DEVICES": "TensorFlow sees only these graphics cards",
}
"""Variables that tellapart leaves as they are, with their effect."""


@dataclass(frozen=True)
class Diagnosis:
    """One property of the machine: `ok`, a `note` worth knowing, or a `problem` to solve."""

    name: str
    mark: Mark
    text: str


def diagnose(machine: Machine) -> tuple[Diagnosis, ...]:
    """List the diagnoses: machine, packages, graphics card, settings."""
    return (
        Diagnosis("Python", "ok", machine.python),
        Diagnosis("tellapart", "ok", machine.tellapart),
        _system(machine),
        Diagnosis("processor", "ok", f"{machine.cpu}, {machine.cores} cores"),
        Diagnosis("instructions", *_instructions(machine)),
        Diagnosis("memory", *_memory(machine)),
        *_disks(machine),
        Diagnosis("cache", "ok", f"{machine.cache_bytes / 1e9:.1f} GB in {machine.cache} (tellapart cache)"),
        *_packages(machine),
        _driver(machine),
        _cuda(machine),
        _gpus(machine),
        *_variables(machine),
        *_keras_json(machine),
    )


def advice(machine: Machine) -> tuple[str, ...]:
    """List what to do, most important first; never empty."""
    return (*_package_advice(machine), *_settings_advice(machine), _card_advice(machine))


def _system(machine: Machine) -> Diagnosis:
    if machine.wsl:
        return Diagnosis("system", "ok" if machine.wsl == 2 else "problem", f"{machine.system}, in WSL{machine.wsl}")
    return Diagnosis("system", "note" if _on_windows(machine) else "ok", machine.system)


def _instructions(machine: Machine) -> tuple[Mark, str]:
    if machine.instructions is None:
        return "note", "unknown"
    return ("ok" if machine.instructions else "note"), ", ".join(machine.instructions) or "not even AVX2"


def _memory(machine: Machine) -> tuple[Mark, str]:
    if machine.memory_bytes is None:
        return "note", "unknown"
    return ("ok" if machine.memory_bytes > 4e9 else "note"), f"{machine.memory_bytes / 1e9:.1f} GB"


def _disks(machine: Machine) -> Iterator[Diagnosis]:
    for folder, free in machine.free_bytes.items():
        yield Diagnosis("free disk", "ok" if free > MIN_FREE_BYTES else "note", f"{free / 1e9:.1f} GB at {folder}")


def _packages(machine: Machine) -> Iterator[Diagnosis]:
    for name in ("keras", "tensorflow"):
        version = _version(machine, name)
        yield Diagnosis(name, "ok" if version else "note", version or f"not installed: to train, {TRAIN}")
    version = machine.packages["openvino"]
    yield Diagnosis("openvino", "ok" if version else "problem", version or "not installed")
    yield Diagnosis("precision", "ok" if machine.precision else "problem", machine.precision or "unknown")


def _version(machine: Machine, name: str) -> str | None:
    if name == "tensorflow" and machine.packages["tensorflow-cpu"]:
        return f"{machine.packages['tensorflow-cpu']} (tensorflow-cpu)"
    return machine.packages[name]


def _driver(machine: Machine) -> Diagnosis:
    driver = machine.driver
    if driver.failure:
        return Diagnosis("NVIDIA driver", "problem", f"nvidia-smi fails: {driver.failure}")
    if driver.version is None:
        return Diagnosis("NVIDIA driver", "note", "none: nvidia-smi is not installed")
    mark: Mark = "problem" if _too_old(machine) else "ok"
    return Diagnosis("NVIDIA driver", mark, f"{driver.version}: {', '.join(driver.cards)}")


def _cuda(machine: Machine) -> Diagnosis:
    versions = [machine.packages[name] for name in CUDA_PACKAGES]
    if all(versions):
        return Diagnosis("CUDA libraries", "ok", f"CUDA runtime {versions[0]} and cuDNN {versions[1]}, by pip")
    if machine.system_cuda:
        return Diagnosis("CUDA libraries", "note", "the system's; TensorFlow prefers those that pip installs")
    return Diagnosis("CUDA libraries", "problem" if machine.driver.cards else "note", "none")


def _gpus(machine: Machine) -> Diagnosis:
    tensorflow = machine.tensorflow
    if tensorflow is None:
        return Diagnosis("GPUs in use", "note", "none: TensorFlow is not installed")
    if tensorflow.failure:
        return Diagnosis("GPUs in use", "problem", f"TensorFlow does not start: {tensorflow.failure}")
    if not tensorflow.gpus:
        return Diagnosis("GPUs in use", "problem" if machine.driver.cards else "note", "none")
    return Diagnosis("GPUs in use", "ok", ", ".join(tensorflow.gpus))


def _variables(machine: Machine) -> Iterator[Diagnosis]:
    for name, value in machine.variables.items():
        if value is None:
            yield Diagnosis(name, "ok", "not set")
        elif name in _missing_folders(machine):
            yield Diagnosis(name, "problem", f"{value}: no such folder")
        elif name in SET_ASIDE and value not in SET_ASIDE[name]:
            yield Diagnosis(name, "note", f"{value} (set aside: tellapart trains with Keras 3 on TensorFlow)")
        elif name in USED:
            yield Diagnosis(name, "note", f"{value or 'empty'} (used: {USED[name]})")
        else:
            yield Diagnosis(name, "ok", value or "empty")


def _keras_json(machine: Machine) -> Iterator[Diagnosis]:
    if machine.keras_json:
        settings = ", ".join(f"{name} {value}" for name, value in machine.keras_json.items())
        yield Diagnosis("keras.json", "note", f"{settings} (set aside: tellapart trains with Keras's own defaults)")


def _missing_folders(machine: Machine) -> list[str]:
    # The cache folder is created on first use.
    values = {name: machine.variables[name] for name in ("TELLAPART_DATA", "TELLAPART_WEIGHTS")}
    return [name for name, value in values.items() if value and not Path(value).is_dir()]


def _package_advice(machine: Machine) -> Iterator[str]:
    if machine.packages["openvino"] is None:
        yield "OpenVINO is missing, and predictions need it: pip install openvino"
    if machine.packages["tensorflow"] and machine.packages["tensorflow-cpu"]:
        yield (
            "tensorflow and tensorflow-cpu are both installed and overwrite each other's files: "
            f"pip uninstall --yes tensorflow tensorflow-cpu, then {GPU} with a graphics card or {TRAIN} without one."
        )
    if machine.tensorflow is None:
        yield f"Prediction and serving work; to train as well, {TRAIN}"
    elif machine.tensorflow.failure:
        yield f"TensorFlow is installed but does not start: pip uninstall it, then {TRAIN}"


def _settings_advice(machine: Machine) -> Iterator[str]:
    for name in _missing_folders(machine):
        yield f"{name} names a folder that does not exist: create it, correct the name, or unset {name}."
    for folder, free in machine.free_bytes.items():
        if free <= MIN_FREE_BYTES:
            yield f"Only {free / 1e9:.1f} GB are free at {folder}: free some space before training on many images."


def _card_advice(machine: Machine) -> str:
    driver, tensorflow = machine.driver, machine.tensorflow
    if tensorflow and tensorflow.gpus:
        return f"TensorFlow uses {', '.join(tensorflow.gpus)} for training. There is nothing to do."
    if machine.wsl == 1:
        return f"WSL1 cannot use a graphics card: in PowerShell, wsl --set-version <distribution> 2. See {GUIDE}"
    if driver.failure:
        return f"nvidia-smi is installed but fails: restart the machine, then reinstall the driver. See {GUIDE}"
    if driver.version is None:
        return f"There is no NVIDIA driver, and everything works without one. If you have an NVIDIA card, see {GUIDE}"
    if _too_old(machine):
        needed = f"TensorFlow needs {_oldest(machine)} or newer"
        return f"The NVIDIA driver is {driver.version}, {needed}: update it. See {GUIDE}"
    return _unused_card_advice(machine)


def _unused_card_advice(machine: Machine) -> str:
    unused = f"There is a graphics card ({machine.driver.cards[0]}), but TensorFlow does not use it"
    if _on_windows(machine):
        return f"{unused}: on Windows it can only inside WSL2. Install tellapart there. See {GUIDE}"
    hidden = machine.variables["CUDA_VISIBLE_DEVICES"]
    if hidden in ("", "-1"):
        return f"{unused}: CUDA_VISIBLE_DEVICES hides it. Unset it."
    if machine.packages["tensorflow-cpu"]:
        return f"{unused}: tensorflow-cpu cannot. pip uninstall --yes tensorflow-cpu, then {GPU}"
    if not all(machine.packages[name] for name in CUDA_PACKAGES):
        return f"{unused}: {GPU}"
    return f"{unused}, although driver and CUDA libraries are installed. See {GUIDE}"


def _oldest(machine: Machine) -> str:
    return MIN_DRIVER_WSL if machine.wsl else MIN_DRIVER


def _too_old(machine: Machine) -> bool:
    return _version_tuple(machine.driver.version or "") < _version_tuple(_oldest(machine))


def _version_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)


def _on_windows(machine: Machine) -> bool:
    return machine.system.startswith("Windows")
