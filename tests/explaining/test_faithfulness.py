"""Scores of maps for a classifier that depends on a known region."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.explaining.faithfulness import (
    RANDOM_MAPS,
    STEPS,
    Faithfulness,
    faithfulness,
    random_heat,
    rank_pixels,
    upsample,
)

SIDE = 24
IMAGE = np.zeros((SIDE, SIDE, 1), np.uint8)
IMAGE[2:10, 2:10] = 255
MAP = (IMAGE[:, :, 0] / 255).astype(np.float32)


@dataclass
class Bright:
    """A classifier whose probability is the brightness of a corner; counts its images."""

    batch: int = 8
    images: int = 0
    largest_batch: int = 0

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        """Predict each batch."""
        for batch in batches:
            assert batch.dtype == np.uint8
            self.images, self.largest_batch = self.images + len(batch), max(self.largest_batch, len(batch))
            corner = batch[:, 2:10, 2:10].mean(axis=(1, 2, 3)) / 255
            yield np.stack([1 - corner, corner], axis=1).astype(np.float32)


def test_the_map_of_the_decisive_region_beats_every_random_map() -> None:
    runner = Bright()
    scores = faithfulness(runner, IMAGE, MAP, 1)
    assert scores.beaten == scores.random_maps == RANDOM_MAPS
    assert scores.meaningful
    assert "can be trusted" in scores.meaning
    assert scores.deletion < scores.random_deletion
    assert scores.insertion > scores.random_insertion
    assert (runner.images, runner.largest_batch) == (2 * (RANDOM_MAPS + 1) * (STEPS - 1) + 2, runner.batch)


def test_the_opposite_map_is_meaningless() -> None:
    scores = faithfulness(Bright(), IMAGE, 1 - MAP, 1)
    assert scores.beaten == 0
    assert not scores.meaningful
    assert "meaningless" in scores.meaning


def test_an_empty_map_and_a_constant_classifier_are_not_trusted() -> None:
    assert not faithfulness(Bright(), IMAGE, 0 * MAP, 1).meaningful

    class Constant(Bright):
        def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
            return (np.full((len(batch), 2), 0.25, np.float32) for batch in batches)

    scores = faithfulness(Constant(), IMAGE, MAP, 0)
    assert (scores.deletion, scores.insertion, scores.random_deletion, scores.random_insertion) == (0.25,) * 4
    assert scores.beaten == 0


def test_the_scores_equal_areas_computed_by_hand() -> None:
    """The corner, a ninth of the pixels, is fully deleted, or fully inserted, after the first of two steps."""
    scores = faithfulness(Bright(), IMAGE, MAP, 1, steps=2)
    blurred = Image.fromarray(IMAGE[:, :, 0]).filter(ImageFilter.GaussianBlur(0.1 * SIDE))
    left = np.asarray(blurred)[2:10, 2:10].mean() / 255
    assert 0 < left < 1
    assert scores.deletion == pytest.approx((1 / 2 + left + left / 2) / 2, abs=1e-6)
    assert scores.insertion == pytest.approx((left / 2 + 1 + 1 / 2) / 2, abs=1e-6)


def test_a_doubtful_map_is_reported_with_its_chance() -> None:
    assert "2 cases of 10" in Faithfulness(0.2, 0.6, 0.3, 0.5, beaten=8, random_maps=9).meaning
    assert "meaningless" in Faithfulness(0.2, 0.6, 0.3, 0.5, beaten=4, random_maps=9).meaning


def test_the_same_seed_draws_the_same_random_maps() -> None:
    assert faithfulness(Bright(), IMAGE, MAP, 1) == faithfulness(Bright(), IMAGE, MAP, 1)
    assert faithfulness(Bright(), IMAGE, MAP, 1) != faithfulness(Bright(), IMAGE, MAP, 1, seed=1)


def test_pixels_are_ranked_from_the_hottest_with_ties_at_random() -> None:
    ranks = rank_pixels(np.array([[0.1, 0.9], [0.5, 0.5]], np.float32), np.random.default_rng(0))
    assert (ranks[0, 1], ranks[0, 0]) == (0, 3)
    assert sorted(ranks.ravel()) == [0, 1, 2, 3]
    flat = rank_pixels(np.zeros((8, 8), np.float32), np.random.default_rng(0))
    assert (np.sort(flat.ravel()) == np.arange(64)).all()
    assert (flat.ravel() != np.arange(64)).any()  # not from the top left


def test_cells_are_upsampled_in_place() -> None:
    cells = np.zeros((3, 5), np.float32)
    cells[0, 4] = 7
    upsampled = upsample(cells, 30, 100)
    assert upsampled.shape == (30, 100)
    assert np.unravel_index(upsampled.argmax(), upsampled.shape)[1] >= 80
    assert (upsampled.min(), upsampled.max()) == (0, 7)
    assert upsampled[20:].max() == 0


def test_random_maps_are_as_smooth_as_their_cells() -> None:
    rough, smooth = (random_heat(cells, (40, 40), np.random.default_rng(1)) for cells in ((20, 20), (4, 4)))
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()


def test_a_map_that_one_of_its_scores_refutes_is_not_trusted() -> None:
    both = Faithfulness(0.2, 0.6, 0.3, 0.5, beaten=9, random_maps=9)
    assert both.meaningful
    assert "can be trusted" in both.meaning
    for refuted, score in (
        (replace(both, deletion=0.3), "by hiding what"),
        (replace(both, insertion=0.5), "by showing"),
    ):
        assert not refuted.meaningful
        assert refuted.meaning.startswith("This map is doubtful: it beats 9 of 9 random maps by both scores together")
        assert score in refuted.meaning
