"""The accuracy by number of trees ends at scikit-learn's own scores, out of bag and on test images."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from tellapart.lessons.growing_a_forest import black, growth, with_missing
from tellapart.lessons.images import images
from tellapart.lessons.lesson import Settings


def test_growth_ends_at_the_scores_of_the_whole_forest() -> None:
    data = images("digits", Settings())
    train, test = data.train.take(slice(300)), data.test.take(slice(200))
    forest = RandomForestClassifier(40, oob_score=True, random_state=0).fit(train.pixels, train.labels)
    out_of_sample = np.stack([np.bincount(drawn, minlength=300) == 0 for drawn in forest.estimators_samples_])
    assert growth(forest, train, out_of_sample)[-1] == pytest.approx(forest.oob_score_)
    by_trees = growth(forest, test, np.ones((40, 200), bool))
    assert len(by_trees) == 40
    assert by_trees[-1] == pytest.approx(forest.score(test.pixels, test.labels))


def test_pixels_are_set_to_black_or_to_missing() -> None:
    x = np.ones((50, 20), np.float32)
    assert black(x, np.array([2, 5])).sum(axis=0).tolist() == [0 if index in (2, 5) else 50 for index in range(20)]
    missing = with_missing(x, 0.3, np.random.default_rng(0))
    assert 0.2 < np.isnan(missing).mean() < 0.4
    assert missing.dtype == np.float32
    assert np.isfinite(x).all()
