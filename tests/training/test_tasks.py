"""What there is to train, for images of each kind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.sources.arrays import array_split
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.engine import Engine
from tellapart.models.networks import join_classifier
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.training.fitting.loop import Loop
from tellapart.training.prepare import preprocessing_for
from tellapart.training.tasks import Task, make_task


def arrays(channels: int, side: int = 8) -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, side, side, channels), dtype=np.uint8)
    return Dataset("noise", ("a", "b"), {"all": array_split(images, np.arange(30) % 2)})


@pytest.mark.parametrize(
    ("model", "weights", "channels", "expected"),
    [("mlp", "none", 1, 1), ("mlp", "none", 3, 3), ("mobilenet", "none", 1, 1), ("mobilenet", "imagenet", 1, 3)],
)
def test_grey_images_stay_grey_only_where_the_network_starts_from_scratch(
    model: str, weights: str, channels: int, expected: int
) -> None:
    recipe = resolve_network(Recipe(model=model, weights=weights, size=32), own_size=None)
    assert preprocessing_for(arrays(channels), recipe).channels == expected


@pytest.mark.parametrize("model", ["mlp", "mobilenet"])
def test_a_network_from_scratch_can_be_made_for_grey_images(model: str, tmp_path: Path) -> None:
    dataset = draw_splits(arrays(1, 32), validation=0.2, test=0.2, seed=0)
    recipe = resolve_network(Recipe(model=model, weights="none", size=32), own_size=None)
    task = make_task(dataset, recipe, preprocessing_for(dataset, recipe), cache=tmp_path)
    assert task.keras_classifier().output_shape == (None, 2)


def test_images_in_files_are_trained_in_colour(tiny: Path) -> None:
    recipe = resolve_network(Recipe(model="mlp", size=20), own_size=None)
    assert preprocessing_for(Dataset.open(tiny), recipe).channels == 3


def test_unreadable_images_leave_the_split_together_with_their_labels(
    tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    folder = coloured(tmp_path / "photos")
    for colour in ("blue", "red"):
        (folder / colour / "05.png").write_bytes(colour.encode())
    dataset = draw_splits(Dataset.open(folder), validation=0, test=0, seed=0)
    recipe = resolve_network(Recipe(model="mlp", size=20), own_size=None)
    task = make_task(dataset, recipe, preprocessing_for(dataset, recipe), cache=tmp_path / "cache")
    assert sorted(Path(one.path).parent.name for one in task.dataset.skipped) == ["blue", "red"]
    assert len(task.train) == len(task.train.inputs) == 34
    assert task.dataset.counts("train").tolist() == [11, 12, 11]
    means = np.asarray(task.train.inputs).reshape(34, -1, 3).mean(axis=1)
    assert [int(mean.argmax()) for mean in means] == [{0: 2, 1: 1, 2: 0}[int(label)] for label in task.train.labels]


def made(tiny: Path, cache: Path, **changes: object) -> Task:
    dataset = draw_splits(Dataset.open(tiny), validation=0.2, test=0.2, seed=0)
    asked = Recipe.of({"model": "mobilenet", "size": 32, "precision": "float32", **changes})
    recipe = resolve_network(asked, own_size=None)
    return make_task(dataset, recipe, preprocessing_for(dataset, recipe), cache=cache)


def pixels(task: Task) -> NDArray[np.uint8]:
    images = task.dataset.splits["train"].images
    return np.stack([task.preprocessing(images.read(i)) for i in range(len(images))])


@pytest.mark.usefixtures("random_weights")
def test_a_frozen_base_is_trained_from_its_features(tiny: Path, tmp_path: Path) -> None:
    task = made(tiny, tmp_path)
    count = len(task.dataset.splits["train"])
    assert task.train.inputs[np.arange(count)].shape == (count, 1024)
    assert task.validation is not None
    assert task.network.count_params() == 1024 * 3 + 3
    product = task.keras_classifier()
    assert (product.input_shape, product.output_shape) == ((None, 32, 32, 3), (None, 3))


@pytest.mark.usefixtures("random_weights")
@pytest.mark.parametrize(
    ("unfreeze", "shape"), [(3, (1, 1, 1024)), pytest.param(9, (1, 1, 512), marks=pytest.mark.long), (16, (2, 2, 512))]
)
def test_the_last_layers_are_trained_from_what_comes_before_them(
    unfreeze: int, shape: tuple[int, ...], tiny: Path, tmp_path: Path
) -> None:
    task = made(tiny, tmp_path, unfreeze=unfreeze)
    assert task.frozen is not None
    inputs = task.train.inputs[np.arange(len(task.train))]
    assert inputs.shape[1:] == task.frozen.shape == shape
    frozen = task.frozen.network.predict_on_batch(pixels(task))
    np.testing.assert_allclose(inputs, frozen, rtol=2e-3, atol=1e-4)  # kept as float16
    logits = task.network.predict_on_batch(frozen)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    np.testing.assert_allclose(task.keras_classifier().predict_on_batch(pixels(task)), expected, atol=1e-5)
    (answers,) = Engine(task.graph, batch=len(expected), precision="float32").run([pixels(task)])
    np.testing.assert_allclose(answers, expected, atol=1e-4)


@pytest.mark.usefixtures("random_weights")
def test_with_all_layers_unfrozen_a_network_is_trained_from_images(tiny: Path, tmp_path: Path) -> None:
    task = made(tiny, tmp_path, unfreeze=10_000)
    assert task.frozen is None
    assert task.train.inputs[np.arange(2)].dtype == np.uint8
    frozen = made(tiny, tmp_path)
    kernels = {variable.path.split("/")[-2] for variable in task.network.trainable_variables}
    assert {"conv1", "conv_pw_13", "logits"} <= kernels
    task.network.get_layer("logits").set_weights(frozen.network.get_layer("logits").get_weights())
    np.testing.assert_allclose(
        task.keras_classifier().predict_on_batch(pixels(task)),
        frozen.keras_classifier().predict_on_batch(pixels(task)),
        atol=1e-5,
    )


@pytest.mark.usefixtures("random_weights")
def test_a_stage_goes_on_from_what_the_one_before_it_left(tiny: Path, tmp_path: Path) -> None:
    first = made(tiny, tmp_path, unfreeze=3)
    learner = Loop(first.network, replace(first.recipe, learning_rate=0.1, optimizer="sgd"))
    learner.epoch(first.train, 0, lambda _: None)
    before = first.keras_classifier().predict_on_batch(pixels(first))
    for unfreeze in (9, 3, 0):
        recipe = replace(first.recipe, unfreeze=unfreeze)
        task = make_task(first.dataset, recipe, first.preprocessing, cache=tmp_path, previous=first.weights())
        np.testing.assert_allclose(task.keras_classifier().predict_on_batch(pixels(task)), before, atol=1e-5)
    untouched = made(tiny, tmp_path).keras_classifier().predict_on_batch(pixels(first))
    assert np.abs(untouched - before).max() > 1e-3


@pytest.mark.usefixtures("random_weights")
def test_a_mirrored_classifier_says_the_same_of_a_image_and_of_its_mirror_image(tiny: Path, tmp_path: Path) -> None:
    task = made(tiny, tmp_path, mirror=True)
    images = pixels(task)
    answers = task.keras_classifier().predict_on_batch(images)
    np.testing.assert_allclose(answers, task.keras_classifier().predict_on_batch(images[:, :, ::-1]), atol=1e-5)
    plain = join_classifier(task.frozen.network if task.frozen else None, task.network)
    expected = (plain.predict_on_batch(images) + plain.predict_on_batch(images[:, :, ::-1])) / 2
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    (from_graph,) = Engine(task.graph, batch=len(images), precision="float32").run([images])
    np.testing.assert_allclose(from_graph, expected, atol=1e-4)


@pytest.mark.usefixtures("random_weights")
def test_views_of_training_images_go_through_the_base_once_and_keep_their_labels(tiny: Path, tmp_path: Path) -> None:
    plain = made(tiny, tmp_path)
    task = made(tiny, tmp_path, mirror=True, augment="rotate=20,mixup=0.2", views=3)
    count = len(plain.train)
    assert len(task.train) == len(task.train.inputs) == 5 * count
    assert task.train.labels.tolist() == plain.train.labels.tolist() * 5
    np.testing.assert_array_equal(task.train.inputs[np.arange(count)], plain.train.inputs[np.arange(count)])
    assert task.frozen is not None
    mirrored = task.frozen.network.predict_on_batch(pixels(task)[:, :, ::-1])
    np.testing.assert_allclose(task.train.inputs[np.arange(count, 2 * count)], mirrored, atol=1e-4)
    assert len(np.unique(task.train.inputs[np.arange(5 * count)], axis=0)) == 5 * count
    assert task.validation is not None
    assert len(task.validation) == len(plain.validation or ())
