"""Classical models say what scikit-learn's say, also of classes that they never saw."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from tellapart.data.dataset import Labels
from tellapart.errors import RecipeError
from tellapart.models.classical.fit import (
    REGULARISATION,
    OverBudgetError,
    estimator_probabilities,
    fit_estimator,
    logistic_regression,
    random_forest,
)
from tellapart.models.resolved_recipe import EstimatorRecipe, resolve_estimator
from tellapart.recipe import Recipe

Vectors = NDArray[np.float32]
WIDTH = 30


def drawn(count: int, *, classes: int = 3, seed: int = 0) -> tuple[Vectors, Labels]:
    """Vectors around a centre for each class, not so far apart that all is certain."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count).astype(np.int32)
    centres = np.random.default_rng(99).normal(size=(classes, WIDTH))
    return (5 + centres[labels] + 2 * rng.normal(size=(count, WIDTH))).astype(np.float32), labels


def answered(recipe: EstimatorRecipe, vectors: Vectors, labels: Labels, asked: Vectors, classes: int) -> Vectors:
    return estimator_probabilities(fit_estimator(recipe, vectors, labels, classes), asked)


@pytest.mark.parametrize(("count", "neighbours"), [(1, 1), (7, 7), (100, 1), (101, 5), (143, 11), (200, 150)])
def test_knn_equals_scikit_learns_for_any_number_of_images_and_neighbours(count: int, neighbours: int) -> None:
    vectors, labels = drawn(count)
    asked, _ = drawn(70, seed=1)
    model = KNeighborsClassifier(neighbours, weights="distance").fit(vectors, labels)
    expected = np.zeros((70, 4))
    expected[:, model.classes_] = model.predict_proba(asked)
    estimator = fit_estimator(resolve_estimator(Recipe(model="knn", neighbours=neighbours)), vectors, labels, 4)
    np.testing.assert_allclose(estimator_probabilities(estimator, asked), expected, atol=1e-5)
    alone = np.concatenate(list(estimator.runner(1).run(asked[i : i + 1] for i in range(len(asked)))))
    np.testing.assert_allclose(alone, expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1, 100])
def test_knn_is_certain_of_a_training_image(scale: int) -> None:
    vectors, labels = drawn(60)
    found = answered(resolve_estimator(Recipe(model="knn", neighbours=9)), scale * vectors, labels, scale * vectors, 3)
    np.testing.assert_allclose(found, np.eye(3)[labels], atol=1e-6)


def test_of_equally_near_pixels_the_first_are_taken() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(50, 200, 784)
    vectors = np.array([base + 1, base - 1] * 20, np.float32)
    labels = np.arange(40, dtype=np.int32)
    found = answered(
        resolve_estimator(Recipe(model="knn", neighbours=3)), vectors, labels, base[np.newaxis].astype(np.float32), 40
    )
    assert np.flatnonzero(found[0]).tolist() == [0, 1, 2]


def test_more_neighbours_than_images_are_refused_with_both_numbers() -> None:
    with pytest.raises(RecipeError, match="neighbours is 13, but there are 12 training images"):
        fit_estimator(resolve_estimator(Recipe(model="knn", neighbours=13)), *drawn(12), 3)


@pytest.mark.parametrize("trees", [1, 40])
def test_a_forest_grown_in_steps_equals_one_grown_by_scikit_learn_in_one(trees: int) -> None:
    vectors, labels = drawn(150)
    asked, _ = drawn(70, seed=1)
    found = answered(resolve_estimator(Recipe(model="forest", trees=trees, seed=7)), vectors, labels, asked, 4)
    expected = RandomForestClassifier(trees, random_state=7).fit(vectors, labels).predict_proba(asked)
    np.testing.assert_allclose(found, np.pad(expected, ((0, 0), (0, 1))), atol=1e-6)
    other = answered(resolve_estimator(Recipe(model="forest", trees=trees, seed=8)), vectors, labels, asked, 4)
    assert np.abs(found - other).max() > 0.01


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_equals_scikit_learns_on_standardised_features(classes: int) -> None:
    vectors, labels = drawn(150, classes=classes)
    asked, _ = drawn(70, seed=1)
    scaler = StandardScaler().fit(vectors)
    model = LogisticRegression(C=REGULARISATION / WIDTH, max_iter=300).fit(scaler.transform(vectors), labels)
    found = answered(resolve_estimator(Recipe(model="logistic")), vectors, labels, asked, classes)
    np.testing.assert_allclose(found, model.predict_proba(scaler.transform(asked)), atol=2e-3)


def test_a_feature_that_hardly_varies_does_not_dominate_the_others() -> None:
    vectors, labels = drawn(150)
    vectors[:, 0], vectors[:, 1] = 0, 3
    vectors[5, 0] = 0.01
    odd = vectors[:40].copy()
    odd[:, :2] = 50
    plain = answered(resolve_estimator(Recipe(model="logistic")), vectors, labels, vectors[:40], 3)
    found = answered(resolve_estimator(Recipe(model="logistic")), vectors, labels, odd, 3)
    assert (found.argmax(axis=1) == plain.argmax(axis=1)).mean() > 0.9


@pytest.mark.parametrize("model", ["knn", "forest", "logistic"])
@pytest.mark.parametrize("present", [(1,), (0, 3), (1, 2, 4)])
def test_classes_without_images_get_probability_0_and_the_rest_sums_to_1(model: str, present: tuple[int, ...]) -> None:
    vectors, numbers = drawn(60, classes=len(present))
    labels = np.array(present, np.int32)[numbers]
    found = answered(resolve_estimator(Recipe(model=model, trees=20)), vectors, labels, vectors, 5)
    assert found.dtype == np.float32
    assert found[:, [c for c in range(5) if c not in present]].max() == 0
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == labels).mean() > 0.8


@pytest.mark.parametrize("model", ["knn", "forest", "logistic"])
def test_no_vectors_give_no_probabilities(model: str) -> None:
    vectors, labels = drawn(40)
    assert answered(resolve_estimator(Recipe(model=model, trees=3)), vectors, labels, vectors[:0], 3).shape == (0, 3)


@pytest.mark.parametrize("model", ["knn", "forest", "logistic"])
def test_the_same_seed_gives_the_same_numbers(model: str) -> None:
    vectors, labels = drawn(100)
    asked, _ = drawn(70, seed=1)
    one, two = (answered(resolve_estimator(Recipe(model=model, trees=20)), vectors, labels, asked, 3) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("fit", [partial(random_forest, trees=4, seed=0), logistic_regression])
@pytest.mark.parametrize("classes", [3, 300])
def test_a_fit_that_would_take_longer_than_its_limit_stops_with_a_forecast(
    fit: Callable[..., object], classes: int
) -> None:
    vectors = np.random.default_rng(0).normal(size=(2 * classes, 4)).astype(np.float32)
    labels = np.arange(2 * classes, dtype=np.int32) % classes
    with pytest.raises(OverBudgetError, match=r"^about \d+ s$") as caught:
        fit(vectors, labels, classes, limit_s=0.0)
    assert caught.value.seconds > 0


def test_a_limit_that_is_kept_changes_nothing() -> None:
    vectors = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32)
    labels = np.arange(600, dtype=np.int32) % 300
    free = random_forest(vectors, labels, 300, trees=4, seed=0)
    limited = random_forest(vectors, labels, 300, trees=4, seed=0, limit_s=1e6)
    np.testing.assert_array_equal(
        estimator_probabilities(free, vectors[:9]), estimator_probabilities(limited, vectors[:9])
    )
