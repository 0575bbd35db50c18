"""Loading Keras: settings of other programs are set aside or refused, and its modules are not scanned as garbage."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tellapart.backend import load_keras
from tellapart.errors import SettingsError

CODE = """
import gc
from tellapart.backend import keras_home, load_keras
load_keras()
print(gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects()))
import keras, os, tensorflow as tf
from keras.src.backend import config
print(keras.config.backend(), keras.config.floatx(), keras.config.image_data_format(), keras.config.epsilon())
print(keras.layers.Dense(1).dtype_policy.name, tf.keras.__name__)
print(config.keras_home() == str(keras_home()), os.environ.get("KERAS_HOME"))
load_keras()
"""
FOREIGN = {"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3, "backend": "torch"}


def test_settings_of_other_programs_are_set_aside_and_garbage_collection_does_not_scan_keras(tmp_path: Path) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(FOREIGN))
    environment = {name: value for name, value in os.environ.items() if "KERAS" not in name}
    environment |= {"HOME": str(tmp_path), "TF_USE_LEGACY_KERAS": "1", "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    collection, settings, modules, home = done.stdout.splitlines()
    enabled, frozen, tracked = collection.split()
    assert enabled == "True"
    assert int(frozen) > 100_000 > 10 * int(tracked)
    assert settings == "tensorflow float32 channels_last 1e-07"
    assert modules == "float32 keras._tf_keras.keras"
    assert home == "True None"


def imported_keras(**settings: object) -> ModuleType:
    own = {"backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last", "epsilon": 1e-7}
    functions = {name: lambda value=value: value for name, value in {**own, **settings}.items()}
    policy = SimpleNamespace(name=settings.get("dtype_policy", "float32"))
    keras = ModuleType("keras")
    vars(keras)["config"] = SimpleNamespace(**{**functions, "dtype_policy": lambda: policy})
    return keras


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "torch"}, "with backend torch; tellapart needs the backend tensorflow"),
        ({"floatx": "float16", "epsilon": 1e-3}, "with floatx float16 and epsilon 0.001; "),
        ({"dtype_policy": "mixed_float16"}, "with dtype_policy mixed_float16; "),
    ],
)
def test_settings_of_a_keras_that_the_process_has_imported_are_refused(
    settings: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", imported_keras(**settings))
    with pytest.raises(SettingsError, match=message):
        load_keras()


def test_a_tensorflow_imported_for_keras_2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", ModuleType("tensorflow"))
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "True")
    with pytest.raises(SettingsError, match="TF_USE_LEGACY_KERAS True"):
        load_keras()


def test_a_keras_with_its_default_settings_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    keras = imported_keras()
    monkeypatch.setitem(sys.modules, "keras", keras)
    load_keras()
    assert sys.modules["keras"] is keras
