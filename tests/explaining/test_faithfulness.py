"""Scores of maps of a classifier whose reasons are known."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tellapart.explaining.faithfulness import (
    RANDOM_MAPS,
    STEPS,
    Faithfulness,
    enlarged,
    faithfulness,
    random_heat,
    ranked,
)

SIDE = 24
IMAGE = np.zeros((SIDE, SIDE, 1), np.uint8)
IMAGE[2:10, 2:10] = 255
MAP = (IMAGE[:, :, 0] / 255).astype(np.float32)


@dataclass
class Bright:
    """As likely as its corner is bright, less what the rest is; keeps count of what it was asked."""

    batch: int = 8
    asked: int = 0
    most: int = 0

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        """Answer each batch."""
        for batch in batches:
            assert batch.dtype == np.uint8
            self.asked, self.most = self.asked + len(batch), max(self.most, len(batch))
            corner = batch[:, 2:10, 2:10].mean(axis=(1, 2, 3)) / 255
            yield np.stack([1 - corner, corner], axis=1).astype(np.float32)


def test_the_map_of_the_reason_beats_every_random_map() -> None:
    runner = Bright()
    found = faithfulness(runner, IMAGE, MAP, 1)
    assert found.beaten == found.random_maps == RANDOM_MAPS
    assert found.meaningful
    assert "can be trusted" in found.meaning
    assert found.deletion < found.random_deletion
    assert found.insertion > found.random_insertion
    assert (runner.asked, runner.most) == (2 * (RANDOM_MAPS + 1) * (STEPS - 1) + 2, runner.batch)


def test_the_opposite_map_is_called_meaningless() -> None:
    found = faithfulness(Bright(), IMAGE, 1 - MAP, 1)
    assert found.beaten == 0
    assert not found.meaningful
    assert "meaningless" in found.meaning


def test_a_map_of_nothing_and_a_classifier_without_eyes_are_not_trusted() -> None:
    assert not faithfulness(Bright(), IMAGE, 0 * MAP, 1).meaningful

    class Blind(Bright):
        def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
            return (np.full((len(batch), 2), 0.25, np.float32) for batch in batches)

    found = faithfulness(Blind(), IMAGE, MAP, 0)
    assert (found.deletion, found.insertion, found.random_deletion, found.random_insertion) == (0.25,) * 4
    assert found.beaten == 0


def test_the_scores_are_areas_by_hand() -> None:
    """The corner, a ninth of the pixels, is wholly blurred, or wholly there, after the first of two steps."""
    found = faithfulness(Bright(), IMAGE, MAP, 1, steps=2)
    blurred = Image.fromarray(IMAGE[:, :, 0]).filter(ImageFilter.GaussianBlur(0.1 * SIDE))
    left = np.asarray(blurred)[2:10, 2:10].mean() / 255
    assert 0 < left < 1
    assert found.deletion == pytest.approx((1 / 2 + left + left / 2) / 2, abs=1e-6)
    assert found.insertion == pytest.approx((left / 2 + 1 + 1 / 2) / 2, abs=1e-6)


def test_a_middling_map_is_doubted_with_its_chance() -> None:
    assert "2 cases of 10" in Faithfulness(0.2, 0.6, 0.3, 0.5, beaten=8, random_maps=9).meaning
    assert "meaningless" in Faithfulness(0.2, 0.6, 0.3, 0.5, beaten=4, random_maps=9).meaning


def test_the_same_seed_draws_the_same_random_maps() -> None:
    assert faithfulness(Bright(), IMAGE, MAP, 1) == faithfulness(Bright(), IMAGE, MAP, 1)
    assert faithfulness(Bright(), IMAGE, MAP, 1) != faithfulness(Bright(), IMAGE, MAP, 1, seed=1)


def test_pixels_are_ranked_from_the_hottest_and_equals_anyhow() -> None:
    ranks = ranked(np.array([[0.1, 0.9], [0.5, 0.5]], np.float32), np.random.default_rng(0))
    assert (ranks[0, 1], ranks[0, 0]) == (0, 3)
    assert sorted(ranks.ravel()) == [0, 1, 2, 3]
    flat = ranked(np.zeros((8, 8), np.float32), np.random.default_rng(0))
    assert (np.sort(flat.ravel()) == np.arange(64)).all()
    assert (flat.ravel() != np.arange(64)).any()  # not from the top left


def test_cells_are_spread_where_they_lie() -> None:
    cells = np.zeros((3, 5), np.float32)
    cells[0, 4] = 7
    spread = enlarged(cells, 30, 100)
    assert spread.shape == (30, 100)
    assert np.unravel_index(spread.argmax(), spread.shape)[1] >= 80
    assert (spread.min(), spread.max()) == (0, 7)
    assert spread[20:].max() == 0


def test_random_maps_are_as_smooth_as_their_cells() -> None:
    rough, smooth = (random_heat(cells, (40, 40), np.random.default_rng(1)) for cells in ((20, 20), (4, 4)))
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()
