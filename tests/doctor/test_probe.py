"""Probes parsed from made-up output, and of this machine."""

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from tellapart.doctor import probe
from tellapart.doctor.probe import Driver, TensorFlow

AMX_CPU = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 avx512_fp16 amx_tile amx_int8

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 avx512_fp16 amx_tile amx_int8
"""
OLD_CPU = "model name\t: Intel(R) Core(TM)2 Duo CPU\nflags\t\t: fpu sse2 ssse3\n"
ARM_CPU = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm aes bf16 i8mm\n"

NO_DRIVER = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the\n"
CARD = "NVIDIA GeForce RTX 4070"


@pytest.mark.parametrize(
    ("text", "name", "sets"),
    [
        (
            AMX_CPU,
            "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
            ("AMX", "AVX512-BF16", "AVX-512", "AVX2"),
        ),
        (OLD_CPU, "Intel(R) Core(TM)2 Duo CPU", ()),
        (ARM_CPU, None, None),
        ("", None, None),
    ],
)
def test_cpuinfo_is_parsed(text: str, name: str | None, sets: tuple[str, ...] | None) -> None:
    assert probe.cpu_name(text) == name
    assert probe.instructions(text) == sets


def test_meminfo_is_parsed() -> None:
    assert probe.memory_bytes("MemTotal:       24684092 kB\nMemFree: 1 kB\n") == 24684092 * 1024
    assert probe.memory_bytes("") is None


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("5.15.90.1-microsoft-standard-WSL2", 2),
        ("4.19.84-microsoft-standard", 2),
        ("4.4.0-19041-Microsoft", 1),
        ("6.1.0-13-amd64", None),
        ("10", None),
    ],
)
def test_the_version_of_wsl_is_parsed_from_the_release(release: str, version: int | None) -> None:
    assert probe.wsl(release) == version


@pytest.mark.parametrize(
    ("output", "status", "driver"),
    [
        (f"{CARD}, 580.65.06\n", 0, Driver("580.65.06", (CARD,))),
        (
            "NVIDIA H200, 570.86.15\nNVIDIA L4, 570.86.15\n",
            0,
            Driver("570.86.15", ("NVIDIA H200", "NVIDIA L4")),
        ),
        (NO_DRIVER, 9, Driver(failure=NO_DRIVER.strip())),
        ("No devices were found\n", 0, Driver(failure="No devices were found")),
        ("", 127, Driver(failure="it ended with status 127 and no message")),
    ],
)
def test_the_output_of_nvidia_smi_is_parsed(output: str, status: int, driver: Driver) -> None:
    assert probe.read_smi(output, status) == driver


@pytest.mark.parametrize(
    ("output", "errors", "status", "tensorflow"),
    [
        (f'["{CARD}"]\n', "a log line", 0, TensorFlow(gpus=(CARD,))),
        ("chatter\n[]\n", "", 0, TensorFlow()),
        (
            "",
            "Traceback\nImportError: libfoo.so: missing\n",
            1,
            TensorFlow(failure="ImportError: libfoo.so: missing"),
        ),
        ("", "", -4, TensorFlow(failure="its process ended with status -4 and no message")),
    ],
)
def test_the_output_of_the_tensorflow_probe_is_parsed(
    output: str, errors: str, status: int, tensorflow: TensorFlow
) -> None:
    assert probe.read_tensorflow(output, errors, status) == tensorflow


def test_free_space_is_measured_for_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    assert probe.free_bytes(tmp_path / "not" / "yet") == pytest.approx(probe.free_bytes(tmp_path), rel=0.1)


def test_versions_are_looked_up_without_importing() -> None:
    assert re.match(r"\d+\.\d+", probe.installed("numpy") or "")
    assert probe.installed("no-such-package-as-this") is None


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
def test_this_machine_is_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f'#!/bin/sh\n[ "$1" = --query-gpu=name,driver_version ] && echo "{CARD}, 580.65.06"\n')
    smi.chmod(smi.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(probe, "TENSORFLOW_PROBE", f"print('[\"{CARD}\"]')")
    machine = probe.probe()
    assert machine.driver == Driver("580.65.06", (CARD,))
    assert machine.tensorflow == TensorFlow(gpus=(CARD,))
    assert machine.python == sys.version.partition(" ")[0]
    assert machine.cores >= 1
    assert machine.precision in ("float32", "bfloat16")
    assert set(machine.free_bytes) == {str(tmp_path / "cache"), str(Path.cwd())}
    assert machine.variables["TELLAPART_CACHE"] == str(tmp_path / "cache")


def test_a_crash_of_tensorflow_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TENSORFLOW_PROBE", "import os; os.abort()")
    tensorflow = probe.probe().tensorflow
    assert tensorflow is not None
    assert tensorflow.failure is not None


@pytest.mark.parametrize(
    ("keras_json", "expected"),
    [
        ("", {}),
        ('{"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow"}', {}),
        ('{"floatx": "float16", "image_data_format": "channels_first", "nonsense": 1}',
         {"floatx": "float16", "image_data_format": "channels_first"}),
        ("[]", {"unreadable": "it is no JSON object"}),
    ],
)  # fmt: skip
def test_foreign_settings_are_found_in_keras_json(keras_json: str, expected: dict[str, object]) -> None:
    assert probe.foreign_keras_settings(keras_json) == expected


def test_a_broken_keras_json_is_reported() -> None:
    assert "Expecting" in str(probe.foreign_keras_settings("{")["unreadable"])
