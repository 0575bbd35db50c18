"""The Keras model of a bundle."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.keras_network import load_network
from tellapart.data.dataset import Dataset
from tellapart.errors import BundleError
from tellapart.recipe import Recipe
from tellapart.training.run import train


def test_the_network_predicts_what_the_bundle_predicts(bundle: Bundle) -> None:
    shape = bundle.preprocessing
    images = np.random.default_rng(0).integers(0, 256, (2, shape.height, shape.width, shape.channels), np.uint8)
    (expected,) = compile_bundle(bundle, batch=2).run([images])
    np.testing.assert_allclose(np.asarray(load_network(bundle)(images)), expected, atol=1e-2)


def test_a_bundle_without_a_network_is_refused(tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe(model="knn", features="pixels", size=8, neighbours=1), out=tmp_path / "run")
    with pytest.raises(BundleError, match="has no network: a knn has no gradients and no layers"):
        load_network(run.bundle)
