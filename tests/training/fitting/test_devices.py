"""Several devices learn what one learns. Here they are two of the processor's, in a process that begins with them."""

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import keras
import pytest

from tellapart.models.networks import scratch_network
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.training.fitting.devices import SingleDevice, devices_for

# Batches of 32 and one of 1, which leaves a device without an image.
SCRIPT = """
import json, sys
from dataclasses import replace
from tellapart.backend import load_keras
load_keras()
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from tellapart.models.networks import scratch_network
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.training.fitting import devices
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.loop import Loop, seed_everything
from tellapart.data.dataset import Dataset

digits = Dataset.open("digits").splits["all"]
images = np.stack([digits.images.read(index) for index in range(321)])
examples = Examples(images, digits.labels[:321])
fields = {"model": "mlp", "size": 8, "units": 32, "inner": 0, "dropout": 0.0, "batch_size": 32}
recipe = resolve_network(Recipe(**fields, **json.loads(sys.argv[1])))
found = {}
for kind in ("GPU", "CPU"):
    devices.KIND = kind
    seed_everything(0)
    network = scratch_network(recipe, 1, 10)
    loop = Loop(network, recipe)
    epochs = [loop.epoch(examples, epoch, lambda _: None) for epoch in range(2)]
    state, judged = loop.state(), loop.score(examples)
    steps = list(loop.steps_at(examples, [0.01] * 3))
    loop.restore(state)
    loop.settle()
    found[type(loop._devices).__name__] = {
        "losses": [score.loss for score in epochs], "right": [score.accuracy for score in epochs],
        "judged": [judged.loss, judged.accuracy], "steps": steps,
        "weights": [float(array.astype(np.float64).sum()) for array in network.get_weights()],
        "state": [float(array.astype(np.float64).sum()) for array in state],
    }
print(json.dumps(found))
"""


@pytest.mark.parametrize("asked", [{"optimizer": "adam", "learning_rate": 0.01, "ema": 0.9}])
def test_two_devices_learn_what_one_learns(asked: dict[str, Any]) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, json.dumps(asked)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == {"SingleDevice", "MirroredDevices"}
    for name, expected in found["SingleDevice"].items():
        assert found["MirroredDevices"][name] == pytest.approx(expected, rel=1e-4, abs=1e-4), name


def test_one_device_learns_by_itself() -> None:
    recipe = resolve_network(Recipe(model="mlp", size=8, inner=4))
    network = scratch_network(recipe, 1, 3)
    found = devices_for(network)
    assert isinstance(found, SingleDevice)
    assert found.network(network, recipe) is network


def test_what_learns_from_vectors_keeps_to_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [SimpleNamespace(name="1"), SimpleNamespace(name="2")]
    monkeypatch.setattr("tensorflow.config.list_logical_devices", lambda _: both)
    assert isinstance(devices_for(keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])), SingleDevice)
