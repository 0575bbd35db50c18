"""Images far from all classes are found, also where they are many and similar; the usual ones are left in peace."""

import numpy as np

from tellapart.checking.dataset_features import DatasetFeatures
from tellapart.checking.findings.outliers import LIMIT, outlier_distances, outlier_finding
from tellapart.checking.locations import Location
from tellapart.data.dataset import Dataset, Labels
from tellapart.data.sources.arrays import array_split
from tellapart.files import cache_folder
from tellapart.models.features.feature_cache import FeatureCache, Values

WIDTH, EACH = 40, 100


def usual(*, seed: int = 0) -> tuple[Values, Labels]:
    """Features of two classes, float32 (200, 40), and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(2, dtype=np.int32), EACH)
    means = np.abs(rng.standard_normal((2, WIDTH))) + 1
    return (means[labels] + 0.3 * rng.standard_normal((len(labels), WIDTH))).astype(np.float32), labels


def with_outliers(count: int) -> tuple[Values, Labels]:
    """The same with images at the end that resemble each other and no class."""
    values, labels = usual()
    rng = np.random.default_rng(1)
    outlier = np.zeros((count, WIDTH))
    outlier[:, :4] = 5
    outlier += 0.3 * rng.standard_normal(outlier.shape)
    drawn = rng.integers(0, 2, count).astype(np.int32)
    return np.concatenate([values, outlier]).astype(np.float32), np.concatenate([labels, drawn])


def test_few_of_the_usual_images_are_outliers() -> None:
    assert (outlier_distances(*usual()) > LIMIT).sum() <= 4


def test_one_outlier_and_a_dozen_similar_ones_are_found() -> None:
    for count in (1, 12):
        excess = outlier_distances(*with_outliers(count))
        assert (excess[2 * EACH :] > LIMIT).all()
        assert excess[2 * EACH :].min() > excess[: 2 * EACH].max()


def test_the_brightness_of_features_does_not_matter() -> None:
    values, labels = with_outliers(3)
    lengths = np.random.default_rng(2).uniform(0.5, 20, (len(values), 1)).astype(np.float32)
    np.testing.assert_allclose(
        outlier_distances(values * lengths, labels), outlier_distances(values, labels), atol=1e-3
    )


def test_an_outlier_alone_in_its_class_is_no_measure_of_itself() -> None:
    values, labels = with_outliers(1)
    labels[-1] = 2
    assert outlier_distances(values, labels)[-1] > LIMIT


def test_nothing_is_said_of_few_images_or_of_identical_images() -> None:
    values, labels = with_outliers(1)
    assert not outlier_distances(values[-10:], labels[-10:]).any()
    assert not outlier_distances(np.ones((30, 3), np.float32), np.zeros(30, np.int32)).any()
    assert not outlier_distances(np.zeros((30, 3), np.float32), np.arange(30, dtype=np.int32)).any()


def found_in(values: Values, labels: Labels) -> tuple[Dataset, DatasetFeatures]:
    pixels = np.random.default_rng(1).integers(0, 256, (len(labels), 4, 4, 3), dtype=np.uint8)
    split = array_split(pixels, labels)
    store = FeatureCache(cache_folder() / "features" / "made-up")
    store.add(list(split.images.digests), values)
    rows = store.take(list(split.images.digests), (WIDTH,))
    places = tuple(Location("train", number, label) for number, label in enumerate(labels.tolist()))
    return Dataset("made up", ("ant", "bee"), {"train": split}), DatasetFeatures(places, split, rows)


def test_the_finding_lists_the_farthest_first() -> None:
    values, labels = with_outliers(3)
    dataset, seen = found_in(values, labels)
    (finding,) = outlier_finding(dataset, seen)
    assert (finding.kind, finding.count) == ("outlier", len(finding.rows))
    assert {row.digest for row in finding.rows[:3]} == {*dataset.splits["train"].images.digests[-3:]}
    assert finding.rows[0].detail.endswith("deviations beyond the usual distance")
    assert outlier_finding(*found_in(values[:10], labels[:10])) == []
