"""Directions have length 1, and few coordinates keep how far apart they are."""

import numpy as np

from tellapart.checking import unit_vectors
from tellapart.checking.unit_vectors import along_axes
from tellapart.models.outliers import unit_length


def test_features_of_zero_stay_zero() -> None:
    values = unit_length(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(values, np.array([[0.6, 0.8], [0, 0]]), rtol=1e-6)


def test_the_axes_keep_the_distances() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((500, 5)) @ rng.standard_normal((5, 300))).astype(np.float32)
    points, vectors = along_axes(rows), unit_length(rows)
    assert points.dtype == np.float32
    assert points.shape == (500, unit_vectors.AXES)
    apart = np.linalg.norm(vectors[:100] - vectors[100:200], axis=1)
    np.testing.assert_allclose(np.linalg.norm(points[:100] - points[100:200], axis=1), apart, rtol=1e-3)


def test_fewer_images_than_axes_have_as_many_coordinates() -> None:
    assert along_axes(np.eye(7, 40, dtype=np.float32)).shape == (7, 7)
