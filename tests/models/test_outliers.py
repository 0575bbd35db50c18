"""Images unlike the training images score higher, in NumPy and in the graph."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.dataset import Labels
from tellapart.engine import HINTS, Engine, Graph, core, read_graph, write_graph
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.estimator_graphs import pixel_graph
from tellapart.models.graphs.surgery import find_features as features_of
from tellapart.models.graphs.surgery import graph_up_to, mirror_graph
from tellapart.models.networks import join_classifier, scratch_network
from tellapart.models.outliers import (
    AXES,
    MAX_COLUMNS,
    MAX_GRAPH_BYTES,
    MIN_VARIANCE,
    SHRINKAGE,
    Mahalanobis,
    Method,
    NearestNeighbour,
    Outliers,
    Vectors,
    add_score,
    evenly,
    fit_outliers,
    outlier_threshold,
)
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe

METHODS: tuple[Method, ...] = get_args(Method)
both_methods = pytest.mark.parametrize("method", METHODS)


def clusters(width: int, each: int = 40, *, seed: int = 0) -> tuple[Vectors, Labels]:
    """Three classes, each around a direction of its own; the same directions whatever the seed."""
    centres = np.random.default_rng(7).random((3, width)) + 3 * np.eye(3, width)
    labels = np.repeat(np.arange(3, dtype=np.int32), each)
    spread = np.random.default_rng(seed).normal(0, 0.1, (len(labels), width))
    return (centres[labels] + spread).astype(np.float32), labels


def outlier_images(width: int, count: int = 50) -> Vectors:
    return np.random.default_rng(5).normal(0, 1, (count, width)).astype(np.float32)


def small(model: str = "lenet5", classes: int = 3) -> Graph:
    return to_graph(join_classifier(None, scratch_network(resolve_network(Recipe(model=model, size=16)), 1, classes)))


def images(count: int, side: int = 16) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (count, side, side, 1), dtype=np.uint8)


def run(graph: Graph, batch: NDArray[np.uint8], precision: str = "float32") -> list[NDArray[Any]]:
    compiled = core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": HINTS[precision]})
    return [*compiled(batch).values()]


def fitted_to(graph: Graph, method: Method) -> tuple[Outliers, Vectors]:
    """Fitted to some random images' features in the graph, and the features of five of them."""
    (rows,) = run(graph_up_to(graph, features_of(graph)), images(30))
    return fit_outliers(rows, np.arange(30, dtype=np.int32) % 3, method), rows[:5]


@both_methods
@pytest.mark.parametrize("width", [64, 2048])
def test_outliers_score_higher_than_new_images_of_the_same_kind(method: Method, width: int) -> None:
    known = fit_outliers(*clusters(width), method)
    usual, outlier = known.score(clusters(width, seed=1)[0]), known.score(outlier_images(width))
    assert usual.dtype == np.float32
    assert usual.shape == (120,)
    assert outlier.min() > usual.max()


@both_methods
def test_the_length_of_features_does_not_matter(method: Method) -> None:
    known = fit_outliers(*clusters(64), method)
    some = clusters(64, seed=1)[0]
    np.testing.assert_allclose(known.score(100 * some), known.score(some), rtol=1e-3)


def test_mahalanobis_is_the_distance_to_the_nearest_mean_by_the_shrunk_covariance() -> None:
    features, labels = clusters(20)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    means = np.array([unit[labels == number].mean(axis=0) for number in range(3)])
    around = unit - means[labels]
    covariance = around.T @ around / (120 - 3)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 20 * np.eye(20)
    asked = outlier_images(20, 9)
    apart = asked[:, np.newaxis] / np.linalg.norm(asked, axis=1)[:, np.newaxis, np.newaxis] - means
    expected = np.einsum("ncd,de,nce->nc", apart, np.linalg.inv(shrunk), apart).min(axis=1)
    np.testing.assert_allclose(fit_outliers(features, labels).score(asked), expected, rtol=1e-3)


def test_directions_beyond_the_principal_axes_share_one_variance() -> None:
    rng = np.random.default_rng(0)
    features = (5 + rng.normal(0, 1, (600, 320)) * np.where(np.arange(320) < 20, 3, 0.3)).astype(np.float32)
    known = fit_outliers(features, np.zeros(600, np.int32))
    variances = (features / np.linalg.norm(features, axis=1, keepdims=True)).var(axis=0)
    assert isinstance(known.distance, Mahalanobis)
    assert len(known.distance.variances) == AXES
    large = np.sort(known.distance.variances)[-20:].mean()
    assert large == pytest.approx((1 - SHRINKAGE) * variances[:20].mean() + SHRINKAGE * variances.mean(), rel=0.1)
    assert known.distance.rest < large / 10
    assert outlier_threshold(known.score(features)) < known.score(outlier_images(320)).min()


def test_nearest_neighbour_is_half_the_squared_distance_to_the_nearest_image() -> None:
    features, labels = clusters(30, 5)
    asked = outlier_images(30, 4)
    one, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (asked, features))
    expected = (np.linalg.norm(one[:, np.newaxis] - other, axis=2) ** 2).min(axis=1) / 2
    np.testing.assert_allclose(fit_outliers(features, labels, "nearest").score(asked), expected, atol=1e-6)


@both_methods
@pytest.mark.parametrize("model", ["mlp", "lenet5"])
def test_the_graph_scores_as_numpy_and_keeps_its_first_output(tmp_path: Path, method: Method, model: str) -> None:
    graph = small(model)
    known, some = fitted_to(graph, method)
    write_graph(add_score(graph, known), tmp_path / "model.xml")
    scored = read_graph(tmp_path / "model.xml")
    probabilities, strangeness = run(scored, images(5))
    assert [*scored.output(1).get_names()] == ["strangeness"]
    assert strangeness.dtype == np.float32
    assert strangeness.shape == (5, 1)
    np.testing.assert_allclose(strangeness[:, 0], known.score(some), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(probabilities, run(graph, images(5))[0], atol=1e-6)


@both_methods
def test_in_a_mirrored_graph_the_images_themselves_are_scored(method: Method) -> None:
    graph = small()
    known, some = fitted_to(graph, method)
    scored = add_score(mirror_graph(graph), known)
    probabilities, strangeness = run(scored, images(5))
    np.testing.assert_allclose(strangeness[:, 0], known.score(some), rtol=1e-3, atol=1e-5)
    (found,) = Engine(scored, batch=8, precision="float32").run([images(5)])  # the batch can be settled
    np.testing.assert_allclose(found[:, :3], probabilities, atol=1e-6)
    np.testing.assert_allclose(probabilities, run(mirror_graph(graph), images(5))[0], atol=1e-6)


@both_methods
def test_adding_a_score_again_replaces_the_first(method: Method) -> None:
    """Its first score's own products are no layer of the network."""
    graph = small("mlp")
    known, some = fitted_to(graph, method)
    twice = add_score(add_score(graph, known), known)
    assert len(twice.outputs) == 2
    np.testing.assert_allclose(run(twice, images(5))[1][:, 0], known.score(some), rtol=1e-3, atol=1e-5)


@both_methods
def test_bfloat16_changes_scores_little(method: Method) -> None:
    graph = small()
    known, _ = fitted_to(graph, method)
    scored = add_score(graph, known)
    exact, rounded = (run(scored, images(60)[30:], kind)[1] for kind in ("float32", "bfloat16"))
    assert np.abs(exact - rounded).mean() < exact.std() / 10


@both_methods
def test_pixels_are_features_too_and_very_many_are_sampled(method: Method) -> None:
    side = 66
    assert side * side > MAX_COLUMNS
    rows = images(12, side).reshape(12, -1).astype(np.float32)
    known = fit_outliers(rows, np.arange(12, dtype=np.int32) % 2, method)
    assert len(known.columns) == MAX_COLUMNS
    vectors, strangeness = run(add_score(pixel_graph(side, side, 1), known), images(12, side))
    np.testing.assert_array_equal(vectors, rows)
    np.testing.assert_allclose(strangeness[:, 0], known.score(rows), rtol=1e-3, atol=1e-5)
    changed = rows.copy()
    changed[:, np.setdiff1d(np.arange(side * side), known.columns)] = 0
    np.testing.assert_array_equal(known.score(changed), known.score(rows))


@both_methods
@pytest.mark.parametrize("value", [0, 3])
def test_features_that_are_all_the_same_divide_nothing_by_zero(method: Method, value: float) -> None:
    rows = np.full((10, 64), value, np.float32)
    scores = fit_outliers(rows, np.zeros(10, np.int32), method).score(np.concatenate([rows, outlier_images(64, 3)]))
    assert np.isfinite(scores).all()
    assert scores[10:].min() > scores[:10].max() or value == 0


@both_methods
def test_ten_images_of_ten_classes_are_enough(method: Method) -> None:
    features = outlier_images(64, 10)
    known = fit_outliers(features, np.arange(10, dtype=np.int32), method)
    itself, other = known.score(features), known.score(-features)
    assert itself.max() < other.min() / 100
    if isinstance(known.distance, Mahalanobis):
        assert known.distance.rest == pytest.approx(SHRINKAGE * MIN_VARIANCE / 64)


def test_the_constants_in_the_graph_are_small_for_any_number_of_images() -> None:
    rows = outlier_images(2048, 3500)
    known = fit_outliers(rows, np.arange(3500, dtype=np.int32) % 7, "nearest").distance
    assert isinstance(known, NearestNeighbour)
    assert MAX_GRAPH_BYTES * 0.99 < known.known.nbytes <= MAX_GRAPH_BYTES


def test_images_are_drawn_evenly_and_repeatably() -> None:
    labels = np.array([0] * 100 + [1] * 5 + [2], np.int32)[np.random.default_rng(1).permutation(106)]
    chosen = evenly(labels, 21, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [15, 5, 1])
    np.testing.assert_array_equal(chosen, evenly(labels, 21, np.random.default_rng(0)))
    assert {*chosen} != {*evenly(labels, 21, np.random.default_rng(1))}
    np.testing.assert_array_equal(evenly(labels, 1000, np.random.default_rng(0)), np.arange(106))


@pytest.mark.parametrize(("share", "kept"), [(0.5, 50), (0.99, 99), (0.985, 99), (1, 100), (0.001, 1)])
def test_a_threshold_keeps_the_requested_share(share: float, kept: int) -> None:
    scores = np.random.default_rng(0).permutation(100).astype(np.float32)
    assert (scores <= outlier_threshold(scores, share)).sum() == kept


@pytest.mark.parametrize("share", [0, -1, 1.1, float("nan")])
def test_an_invalid_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="more than 0 and at most 1"):
        outlier_threshold(np.ones(3, np.float32), share)


@pytest.mark.parametrize("scores", [[], [1, float("nan")], [float("inf")]])
def test_a_threshold_needs_finite_scores(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one, and all finite"):
        outlier_threshold(np.array(scores, np.float32))


@both_methods
def test_invalid_features_are_refused(method: Method) -> None:
    rows, labels = clusters(8, 4)
    with pytest.raises(ValueError, match="n at least 1"):
        fit_outliers(rows[:0], labels[:0], method)
    with pytest.raises(ValueError, match="for 11 labels"):
        fit_outliers(rows, labels[1:], method)
    rows[3, 2] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        fit_outliers(rows, labels, method)


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'mahalanobi', expected one of mahalanobis, nearest"):
        fit_outliers(*clusters(8), "mahalanobi")  # type: ignore[arg-type]


@both_methods
def test_features_of_another_width_are_refused(method: Method) -> None:
    known = fit_outliers(*clusters(8), method)
    with pytest.raises(ValueError, match=r"expected \(n, 8\)"):
        known.score(outlier_images(9))
    with pytest.raises(ValueError, match=r"expected \(\?, 8\)"):
        add_score(small(), known)
