"""Diagnoses and advice for made-up machines."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.doctor import probe
from tellapart.doctor.diagnosis import Diagnosis, advice, diagnose
from tellapart.doctor.probe import Driver, Machine, TensorFlow

NO_DRIVER = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the\n"
CARD = "NVIDIA GeForce RTX 4070"
CUDA: dict[str, str | None] = {"nvidia-cuda-runtime-cu12": "12.9.79", "nvidia-cudnn-cu12": "9.28.0.42"}

PLAIN = Machine(
    python="3.12.1",
    tellapart="0.1.0",
    system="Linux 6.1.0 x86_64",
    wsl=None,
    cpu="A processor",
    cores=8,
    instructions=("AVX2",),
    memory_bytes=16_000_000_000,
    free_bytes={"cache": 80_000_000_000, "here": 80_000_000_000},
    packages={"keras": "3.15.1", "tensorflow": None, "tensorflow-cpu": "2.21.0", "openvino": "2026.4.1"}
    | dict.fromkeys(CUDA, None),
    system_cuda=False,
    precision="float32",
    driver=Driver(),
    tensorflow=TensorFlow(),
    variables=dict.fromkeys(probe.VARIABLES),
)
WITH_GPU = replace(
    PLAIN,
    packages={"keras": "3.15.1", "tensorflow": "2.21.0", "tensorflow-cpu": None, "openvino": "2026.4.1"} | CUDA,
    driver=Driver(version="580.65.06", cards=(CARD,)),
    tensorflow=TensorFlow(gpus=(CARD,)),
)


def packages(machine: Machine, **versions: str | None) -> dict[str, str | None]:
    return machine.packages | {name.replace("_", "-"): version for name, version in versions.items()}


def diagnosis(machine: Machine, name: str) -> Diagnosis:
    (match,) = (diagnosis for diagnosis in diagnose(machine) if diagnosis.name == name)
    return match


def test_a_machine_without_a_card_has_no_problem() -> None:
    assert {diagnosis.mark for diagnosis in diagnose(PLAIN)} == {"ok", "note"}
    assert len(advice(PLAIN)) == 1
    assert "everything works without one" in advice(PLAIN)[0]


def test_a_card_in_use_needs_no_advice() -> None:
    assert {diagnosis.mark for diagnosis in diagnose(WITH_GPU)} == {"ok"}
    assert advice(WITH_GPU) == (f"TensorFlow uses {CARD} for training. There is nothing to do.",)


IDLE = replace(WITH_GPU, tensorflow=TensorFlow())
HIDDEN = WITH_GPU.variables | {"CUDA_VISIBLE_DEVICES": "-1"}
WSL = "Linux 5.15.90.1-microsoft-standard-WSL2 x86_64"


@pytest.mark.parametrize(
    ("case", "problem", "sentence"),
    [
        (
            replace(IDLE, packages=packages(IDLE, tensorflow=None, tensorflow_cpu="2.21.0")),
            "GPUs in use",
            r"tensorflow-cpu cannot\. pip uninstall --yes tensorflow-cpu, then pip install 'tellapart\[gpu",
        ),
        (
            replace(IDLE, packages=packages(IDLE, nvidia_cudnn_cu12=None)),
            "CUDA libraries",
            r"does not use it: pip install 'tellapart\[gpu\]'",
        ),
        (replace(IDLE, system="Windows 11 AMD64"), "GPUs in use", "only inside WSL2"),
        (replace(IDLE, variables=HIDDEN), "GPUs in use", "CUDA_VISIBLE_DEVICES hides it"),
        (IDLE, "GPUs in use", r"although driver and CUDA libraries are installed. See docs/gpu\.md"),
        (replace(IDLE, driver=Driver("470.82.01", (CARD,))), "NVIDIA driver", r"470\.82\.01, .* 525\.60\.13"),
        (
            replace(IDLE, driver=Driver("526.86", (CARD,)), wsl=2, system=WSL),
            "NVIDIA driver",
            r"526\.86, TensorFlow needs 528\.33 or newer",
        ),
        (replace(IDLE, driver=Driver(failure=NO_DRIVER)), "NVIDIA driver", "nvidia-smi is installed but fails"),
        (replace(PLAIN, wsl=1, system="Linux 4.4.0-19041-Microsoft"), "system", "wsl --set-version"),
        (
            replace(WITH_GPU, packages=packages(WITH_GPU, tensorflow_cpu="2.21.0")),
            None,
            "both installed and overwrite each other's files",
        ),
        (
            replace(PLAIN, tensorflow=None, packages=packages(PLAIN, keras=None, tensorflow_cpu=None)),
            None,
            r"to train as well, pip install 'tellapart\[train\]'",
        ),
        (replace(PLAIN, tensorflow=TensorFlow(failure="broken")), "GPUs in use", "does not start"),
        (replace(PLAIN, packages=packages(PLAIN, openvino=None)), "openvino", "OpenVINO is missing"),
        (
            replace(PLAIN, variables=PLAIN.variables | {"TELLAPART_DATA": "/no/such/folder"}),
            "TELLAPART_DATA",
            "TELLAPART_DATA names a folder that does not exist",
        ),
        (replace(PLAIN, free_bytes={"cache": 1_000_000_000}), None, r"Only 1\.0 GB are free at cache"),
    ],
)
def test_a_problem_is_marked_and_has_advice(case: Machine, problem: str | None, sentence: str) -> None:
    if problem:
        assert diagnosis(case, problem).mark == "problem"
    assert re.search(sentence, "\n".join(advice(case)))


def test_an_existing_folder_is_ok(tmp_path: Path) -> None:
    case = replace(PLAIN, variables=PLAIN.variables | {"TELLAPART_WEIGHTS": str(tmp_path)})
    assert diagnosis(case, "TELLAPART_WEIGHTS") == Diagnosis("TELLAPART_WEIGHTS", "ok", str(tmp_path))
    assert advice(case) == advice(PLAIN)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("KERAS_BACKEND", "jax", "jax (set aside: "),
        ("TF_USE_LEGACY_KERAS", "1", "1 (set aside: "),
        ("TF_ENABLE_ONEDNN_OPTS", "0", "0 (used: "),
        ("OMP_NUM_THREADS", "2", "2 (used: "),
        ("CUDA_VISIBLE_DEVICES", "", "empty (used: "),
    ],
)
def test_a_setting_of_another_program_is_used_or_set_aside(name: str, value: str, text: str) -> None:
    case = replace(PLAIN, variables=PLAIN.variables | {name: value})
    assert diagnosis(case, name).mark == "note"
    assert diagnosis(case, name).text.startswith(text)
    assert advice(case) == advice(PLAIN)


def test_settings_that_change_nothing_are_ok() -> None:
    case = replace(PLAIN, variables=PLAIN.variables | {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0"})
    assert {diagnosis(case, name).mark for name in ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS")} == {"ok"}


def test_foreign_settings_of_keras_json_are_set_aside() -> None:
    case = replace(PLAIN, keras_json={"floatx": "float16"})
    text = "floatx float16 (set aside: tellapart trains with Keras's own defaults)"
    assert diagnosis(case, "keras.json") == Diagnosis("keras.json", "note", text)


def test_what_cannot_be_probed_is_unknown() -> None:
    case = replace(PLAIN, instructions=None, memory_bytes=None)
    assert diagnosis(case, "instructions") == Diagnosis("instructions", "note", "unknown")
    assert diagnosis(case, "memory") == Diagnosis("memory", "note", "unknown")
