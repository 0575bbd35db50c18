"""A network that classifies colours, and images with a coloured square at a known position."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle, write_manifest
from tellapart.bundles.manifest import GRAPH, KERAS, SEEN, Manifest
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Graph, write_graph
from tellapart.models.classical.estimators import Estimator
from tellapart.models.graphs.convert import to_graph

HEIGHT, WIDTH, SIDE = 32, 48, 9  # different, so that swapped rows and columns show
COLOURS = {"blue": (40, 40, 220), "green": (40, 220, 40), "red": (220, 40, 40)}


@dataclass(frozen=True)
class Squares:
    """Images uint8 (n, HEIGHT, WIDTH, 3) of noise, each with a square; labels are colours, centres are in pixels."""

    images: ImageArray
    labels: np.ndarray
    centres: np.ndarray

    def hit_rate(self, heats: list[np.ndarray]) -> float:
        """The share of maps, of any number of cells, whose maximum is in the quadrant of the square."""
        peaks = np.array([np.unravel_index(heat.argmax(), heat.shape) for heat in heats]) + 0.5
        low = peaks < np.array([heat.shape for heat in heats]) / 2
        return float((low == (self.centres < np.array([HEIGHT, WIDTH]) / 2)).all(axis=1).mean())


def squares(count: int, *, seed: int) -> Squares:
    rng = np.random.default_rng(seed)
    images = rng.integers(80, 160, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    labels = rng.integers(0, len(COLOURS), count).astype(np.int32)
    corners = rng.integers(0, 2, (count, 2)) * np.array([HEIGHT - SIDE - 2, WIDTH - SIDE - 4]) + rng.integers(
        0, 3, (count, 2)
    )
    for image, label, (top, left) in zip(images, labels, corners, strict=True):
        image[top : top + SIDE, left : left + SIDE] = list(COLOURS.values())[label]
    return Squares(images, labels, corners + SIDE / 2)


@pytest.fixture(scope="session")
def network() -> keras.Model:
    """A trained model: a nested convolutional backbone, pooling, and a linear head without biases."""
    keras.utils.set_random_seed(1)
    maps = inputs = keras.Input((HEIGHT, WIDTH, 3))
    for number, filters in enumerate((12, 24), start=1):
        maps = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(maps)
        maps = keras.layers.MaxPooling2D(name=f"pool{number}")(maps)
    maps = keras.layers.Conv2D(24, 3, padding="same", activation="relu", name="conv3")(maps)
    backbone = keras.Model(inputs, maps, name="backbone")
    images = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8", name="pictures")
    features = keras.layers.GlobalAveragePooling2D(name="features")(backbone(keras.layers.Rescaling(1 / 255)(images)))
    logits = keras.layers.Dense(len(COLOURS), use_bias=False, name="logits")(features)
    network = keras.Model(images, keras.layers.Softmax(name="probabilities")(logits))
    network.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
    train = squares(320, seed=2)
    network.fit(train.images, train.labels, epochs=12, batch_size=16, verbose=0)
    return network


@pytest.fixture(scope="session")
def shown() -> Squares:
    """Twenty images that the network was not trained on."""
    return squares(20, seed=3)


BundleOf = Callable[..., Bundle]


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> BundleOf:
    """Write a bundle of a network, or of a graph with an estimator on it."""

    def write(
        network: keras.Model | None = None,
        *,
        graph: Graph | None = None,
        estimator: Estimator | None = None,
        model: str = "cnn",
        classes: tuple[str, ...] = tuple(COLOURS),
    ) -> Bundle:
        folder: Path = tmp_path_factory.mktemp("bundle")
        graph = to_graph(network) if graph is None else graph
        write_graph(graph, folder / GRAPH)
        if network is not None:
            network.save(folder / KERAS)
        if estimator is not None:
            estimator.write(folder)
        (folder / SEEN).write_text(json.dumps({"train": [], "validation": []}))
        height, width, channels = (int(side.get_length()) for side in list(graph.input(0).partial_shape)[1:])
        geometry = Preprocessing(height, width, channels, "stretch")
        write_manifest(
            folder, Manifest("squares", classes, geometry, {"model": model, "precision": "float32"}, {}, "", None)
        )
        return Bundle.open(folder)

    return write


@pytest.fixture(scope="session")
def bundle(network: keras.Model, bundle_of: BundleOf) -> Bundle:
    return bundle_of(network)
