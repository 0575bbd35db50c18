"""Small networks and bundles."""

import json
from pathlib import Path

import keras
import numpy as np

from tellapart.bundles.bundle import Bundle, write_manifest
from tellapart.bundles.manifest import GRAPH, KERAS, SEEN, Manifest
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import write_graph
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.surgery import add_temperature
from tellapart.models.networks import Tensor

layers = keras.layers
CLASSES = ("blue", "green", "red")
SIDE = 20
TEMPERATURE = 2.5


def colour_logits(*, outputs: int = 3) -> tuple[Tensor, Tensor]:
    """Return the input and the logits of a small network with random weights."""
    keras.utils.set_random_seed(0)
    images = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="pictures")
    maps = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    maps = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(maps)
    maps = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(maps)
    maps = layers.BatchNormalization()(layers.MaxPooling2D()(maps), training=False)
    return images, layers.Dense(outputs, kernel_initializer=keras.initializers.RandomNormal(stddev=2.0))(
        layers.Flatten()(maps)
    )


def softmax_network() -> keras.Model:
    """Return a network like those of training, which ends in a softmax layer."""
    images, logits = colour_logits()
    return keras.Model(images, layers.Softmax(name="probabilities")(logits), name="classifier")


def make_bundle(network: keras.Model, folder: Path, *, temperature: float = TEMPERATURE) -> Bundle:
    """Bundle a network; its graph has a temperature that its Keras copy lacks."""
    folder.mkdir(parents=True)
    write_graph(add_temperature(to_graph(network), temperature), folder / GRAPH)
    network.save(folder / KERAS)
    (folder / SEEN).write_text(json.dumps({"train": [], "validation": []}))
    calibration = {"temperature": float(np.float32(temperature)), "ece_before": 0.2, "ece_after": 0.1}
    recipe = {"model": "cnn", "precision": "float32"}
    facts = Manifest("colours", CLASSES, Preprocessing(SIDE, SIDE, 3), recipe, {}, "0" * 64, "MIT", calibration)
    write_manifest(folder, facts)
    return Bundle.open(folder)
