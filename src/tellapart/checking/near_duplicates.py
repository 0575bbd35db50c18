"""Near-duplicates: an image resized, re-encoded, mirrored, a little brighter or cropped, beside what it came from.

Pairs whose perceptual hashes differ in few bits are candidates; their thumbnails, laid over each other, decide.
Shapes are compared in grey, and colours on the whole. The figures below were chosen on photos of clothing with
copies planted among them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.hamming import Indices, close
from tellapart.checking.image_facts import SIDE, SMALLEST, Facts
from tellapart.checking.registration import CHUNK, finely, rough, roughly
from tellapart.progress import progress

Features = Mapping[str, NDArray[np.floating[Any]]]
BITS = 14  # of 64, in which the hashes of an image and of its copy cropped by 3 % at each side may differ
ROUGH = 0.025  # unexplained at most, in 8 x 8 blocks
FINE = 0.007  # unexplained at most, in 32 x 32 pixels
TINT = 12.0  # grey levels at most, in which the mean colours may differ beside their brightness
COSINE = 0.8  # of features at least; of Xception, for copies cropped, mirrored and scaled at once, 0.84 to 1
FLAT = 3.0  # grey levels of standard deviation; below, a thumbnail is blank and all such are alike
MOST = 10  # pairs of one image, beside those that tie a family together


How = Literal["alike", "mirrored"]


@dataclass(frozen=True)
class Pair:
    """Two images, by the hashes of their content, that are one in all but the file."""

    one: str
    other: str
    how: How


def pairs(facts: Mapping[str, Facts | str], features: Features | None = None) -> list[Pair]:
    """Near-duplicates among images, given by content hash; those too small or blank, or without facts, are left out.

    The pairs tie every family of near-duplicates together, but of an image that has many only some are given.
    `features`, vectors of any length, must agree as well where they are there for both. Takes 4 KB an image.
    """
    search = _Search({digest: seen for digest, seen in facts.items() if isinstance(seen, Facts)}, features or {})
    return sorted(search.run(), key=lambda pair: (pair.one, pair.other))


def _telling(facts: Facts) -> bool:
    return min(facts.width, facts.height) >= SMALLEST and float(facts.small.std()) >= FLAT


def _tints(seen: Sequence[Facts]) -> NDArray[np.float32]:
    """How the mean colours lean from grey, (n, 3); NaN of a grey image, since it may be a copy of a coloured one."""
    colours = np.array([one.colour for one in seen], np.float32).reshape(-1, 3)
    leaning = colours - colours.mean(axis=1, keepdims=True)
    return np.where(np.ptp(colours, axis=1, keepdims=True) == 0, np.float32(np.nan), leaning)


class _Search:
    """One search for pairs. Lives while they are found, since what is known of a family saves looking further."""

    def __init__(self, facts: Mapping[str, Facts], features: Features) -> None:
        self._digests = sorted(digest for digest, seen in facts.items() if _telling(seen))
        seen = [facts[digest] for digest in self._digests]
        self._small = np.array([one.small for one in seen], np.uint8).reshape(-1, SIDE, SIDE)
        self._rough = rough(self._small)
        self._hashes = np.array([one.hash for one in seen], np.uint64)
        self._mirrored = np.array([one.mirrored for one in seen], np.uint64)
        self._tint = _tints(seen)
        self._features = features
        self._family = np.arange(len(seen))
        self._pairs = np.zeros(len(seen), np.int64)
        self._found: dict[tuple[int, int], How] = {}

    def run(self) -> list[Pair]:
        """Look at every two images, upright and then one of them mirrored."""
        with progress("Comparing", 2 * len(self._digests), "images") as advance:
            for rows, one, other in close(self._hashes, self._hashes, BITS):
                self._look(one, other, "alike")
                advance(len(rows))
            for rows, one, other in close(self._hashes, self._mirrored, BITS):
                self._look(one, other, "mirrored")
                advance(len(rows))
        return [Pair(self._digests[i], self._digests[j], how) for (i, j), how in self._found.items()]

    def _look(self, one: Indices, other: Indices, how: How) -> None:
        """Confirm candidates, and keep them."""
        new = self._tells(one, other)
        one, other = one[new], other[new]
        likely = roughly(self._rough, one, other, mirrored=how == "mirrored") <= ROUGH
        likely &= ~(np.abs(self._tint[one] - self._tint[other]).max(axis=1, initial=0) > TINT)  # so NaN agrees with all
        one, other = one[likely], other[likely]
        for start in range(0, len(one), CHUNK):
            self._confirm(one[start : start + CHUNK], other[start : start + CHUNK], how)

    def _confirm(self, one: Indices, other: Indices, how: How) -> None:
        new = self._tells(one, other)
        one, other = one[new], other[new]
        turned = self._small[other][:, :, :: -1 if how == "mirrored" else 1]
        same = finely(self._small[one], turned) <= FINE
        for i, j in zip(one[same].tolist(), other[same].tolist(), strict=True):
            if self._agree(i, j):
                self._keep(i, j, how)

    def _tells(self, one: Indices, other: Indices) -> NDArray[np.bool_]:
        """Whether each pair would tell something new: not where a film's 10,000 frames are one family already."""
        enough = np.maximum(self._pairs[one], self._pairs[other]) >= MOST
        return np.asarray(~(enough & (self._family[one] == self._family[other])))

    def _agree(self, one: int, other: int) -> bool:
        a, b = (self._features.get(self._digests[place]) for place in (one, other))
        if a is None or b is None:
            return True
        return float(np.vdot(a, b)) >= COSINE * float(np.linalg.norm(a)) * float(np.linalg.norm(b))

    def _keep(self, one: int, other: int, how: How) -> None:
        if (one, other) not in self._found:
            self._found[one, other] = how
            self._pairs[[one, other]] += 1
            self._family[self._family == self._family[other]] = self._family[one]
