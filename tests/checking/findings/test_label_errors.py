"""Wrong labels are found among features that tell the classes apart, and put under the class that they are of."""

import numpy as np
import pytest

from tellapart.checking import dataset_features
from tellapart.checking.dataset_features import DatasetFeatures
from tellapart.checking.findings.label_errors import (
    feature_findings,
    label_error_findings,
    likely_label_errors,
    out_of_fold_probs,
)
from tellapart.checking.locations import Location
from tellapart.data.dataset import Dataset, Labels
from tellapart.data.sources.arrays import array_split
from tellapart.errors import RecipeError
from tellapart.files import cache_folder
from tellapart.models.features.feature_cache import FeatureCache, Values

EACH, WIDTH = 40, 30
CLASSES = ("ant", "bee", "cat")


def labels_of(each: int = EACH) -> Labels:
    return np.repeat(np.arange(3, dtype=np.int32), each)


def features(labels: Labels, *, seed: int = 0) -> Values:
    """Features around a mean for each class, float32 (n, 30)."""
    rng = np.random.default_rng(seed)
    means = 3 * rng.standard_normal((3, WIDTH))
    values: Values = (means[labels] + rng.standard_normal((len(labels), WIDTH))).astype(np.float32)
    return values


def seen(labels: Labels, values: Values) -> tuple[Dataset, DatasetFeatures]:
    """A data set of noise, and features that stand for what is seen in it."""
    pixels = np.random.default_rng(1).integers(0, 256, (len(labels), 4, 4, 3), dtype=np.uint8)
    split = array_split(pixels, labels)
    store = FeatureCache(cache_folder() / "features" / "made-up")
    store.add(list(split.images.digests), values)
    places = tuple(Location("all", number, label) for number, label in enumerate(labels.tolist()))
    rows = store.take(list(split.images.digests), (WIDTH,))
    return Dataset("made up", CLASSES, {"all": split}), DatasetFeatures(places, split, rows)


def test_planted_labels_come_first_and_are_put_right() -> None:
    truth = labels_of()
    given = truth.copy()
    given[[3, 50, 100]] = (2, 0, 1)
    dataset, found = seen(given, features(truth))
    (finding,) = label_error_findings(dataset, found)
    assert (finding.kind, finding.severity, finding.count) == ("label-error", "warning", len(finding.rows))
    first = {row.digest: row for row in finding.rows[:3]}
    for place, label in ((3, "ant"), (50, "bee"), (100, "cat")):
        row = first[dataset.splits["all"].images.digests[place]]
        assert (row.split, row.label, row.suggested) == ("all", CLASSES[given[place]], label)
        assert row.detail.startswith("given under 1 %, suggested ")


def test_labels_that_are_right_are_no_finding() -> None:
    labels = labels_of()
    assert label_error_findings(*seen(labels, features(labels))) == []


def test_a_class_too_small_for_the_folds_neither_stops_the_others_nor_is_suggested() -> None:
    truth = labels_of()[: 2 * EACH + 3]
    given = truth.copy()
    given[5] = 1
    (finding,) = label_error_findings(*seen(given, features(truth)))
    assert finding.rows[0].suggested == "ant"
    assert {row.label for row in finding.rows} <= {"ant", "bee"}


def test_one_class_alone_says_nothing() -> None:
    labels = np.zeros(EACH, np.int32)
    assert label_error_findings(*seen(labels, features(labels))) == []


def test_a_image_is_judged_by_heads_that_never_saw_it() -> None:
    labels = labels_of()
    noise = np.random.default_rng(2).standard_normal((len(labels), WIDTH)).astype(np.float32)
    places = np.random.default_rng(3).permutation(len(labels))
    probs = out_of_fold_probs(noise, labels, tuple(np.array_split(places, 5)))
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    assert (probs.argmax(axis=1) == labels).mean() < 0.5  # fitted on all, a head would get most of them right


def test_the_doubtful_are_listed_from_the_least_probable_on() -> None:
    probs = np.tile([[0.9, 0.1]], (20, 1))
    probs[10:] = (0.1, 0.9)
    labels = np.repeat([0, 1], 10)
    probs[4], probs[12] = (0.02, 0.98), (0.99, 0.01)
    assert likely_label_errors(probs, labels).tolist() == [12, 4]


def test_what_never_trained_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_features, "load_keras", lambda: pytest.fail("Keras was loaded"))
    labels = labels_of()
    dataset, _ = seen(labels, features(labels))
    with pytest.raises(RecipeError, match=r"lenet5 has no pre-trained weights.*--features xception"):
        feature_findings(dataset, "lenet5")
