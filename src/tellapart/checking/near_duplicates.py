"""Find near-duplicates: pairs of an image and its resized, re-encoded, mirrored, brightened or cropped version.

Pairs whose perceptual hashes differ in few bits are candidates; registering their thumbnails decides. Shapes are
compared in grey, colours by their mean. The thresholds were chosen on photos of clothing with planted duplicates.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.examine_images import examine_images
from tellapart.checking.findings.unreadable_files import drop_unreadable, failure_reasons
from tellapart.checking.image_facts import MIN_SIDE, THUMBNAIL_SIDE, ImageFacts
from tellapart.checking.locations import find_locations
from tellapart.checking.registration import CHUNK, coarse_residuals, coarse_thumbnails, fine_residuals
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.pipeline import prefetch_map
from tellapart.progress import progress

Features = Mapping[str, NDArray[np.floating[Any]]]
Indices = NDArray[np.intp]
MAX_BITS = 14  # of 64 that may differ between the hashes of an image and its version cropped by 3 % on each side
MAX_COARSE_RESIDUAL = 0.025  # in 8 x 8 blocks
MAX_FINE_RESIDUAL = 0.007  # in 32 x 32 pixels
MAX_TINT = 12.0  # grey levels by which the mean colours may differ apart from brightness
MIN_COSINE = 0.8  # of features; of Xception, versions cropped, mirrored and scaled at once reach 0.84 to 1
MIN_CONTRAST = 3.0  # grey levels of standard deviation; thumbnails below are blank and all look the same
MAX_PAIRS = 10  # of one image, besides the pairs that connect its family
BLOCK_PAIRS = 1 << 19  # pairs of hashes in a block: 4 MB, which fits into a core's cache


Relation = Literal["similar", "mirrored"]


@dataclass(frozen=True)
class Pair:
    """Two near-duplicates, by the hashes of their contents."""

    first: str
    second: str
    relation: Relation


def find_pairs(facts_by_digest: Mapping[str, ImageFacts | str], features: Features | None = None) -> list[Pair]:
    """Find near-duplicates among images, given by content hash; small, blank and unreadable ones are ignored.

    The pairs connect every family; an image with many near-duplicates is in only some of their pairs. `features`,
    vectors of any length, must agree as well where both images have them. Needs 4 KB per image.
    """
    facts = {digest: facts for digest, facts in facts_by_digest.items() if isinstance(facts, ImageFacts)}
    return sorted(_Search(facts, features or {}).run(), key=lambda pair: (pair.first, pair.second))


def close_hashes(
    left: NDArray[np.uint64], right: NDArray[np.uint64], bits: int
) -> Iterator[tuple[range, Indices, Indices]]:
    """Find the pairs i < j in which left[i] and right[j] differ in at most `bits` bits.

    Compares all pairs in threads, 5 billion for 100,000 images. Yields the rows of each block in order, and the i and
    j of its pairs, sorted.
    """
    yield from prefetch_map(partial(_compare_block, left, right, bits), _blocks(len(left)), depth=8)


def _blocks(count: int) -> Iterator[range]:
    start = 0
    while start < count - 1:
        stop = min(count - 1, start + max(1, BLOCK_PAIRS // (count - start)))
        yield range(start, stop)
        start = stop


def _compare_block(
    left: NDArray[np.uint64], right: NDArray[np.uint64], bits: int, rows: range
) -> tuple[range, Indices, Indices]:
    differing = np.bitwise_count(left[rows.start : rows.stop, np.newaxis] ^ right[rows.start + 1 :])
    close = np.flatnonzero(differing <= bits)
    i, j = np.divmod(close, differing.shape[1])
    upper = j >= i  # columns start at the block's second image: keep the pairs above the diagonal
    return rows, i[upper] + rows.start, j[upper] + rows.start + 1


def _is_comparable(facts: ImageFacts) -> bool:
    return min(facts.width, facts.height) >= MIN_SIDE and float(facts.small.std()) >= MIN_CONTRAST


def _tints(all_facts: Sequence[ImageFacts]) -> NDArray[np.float32]:
    """Return the mean colours less their grey, (n, 3); NaN for a grey image, which may match a coloured one."""
    colours = np.array([facts.colour for facts in all_facts], np.float32).reshape(-1, 3)
    tints = colours - colours.mean(axis=1, keepdims=True)
    return np.where(np.ptp(colours, axis=1, keepdims=True) == 0, np.float32(np.nan), tints)


class _Search:
    """One search for pairs. Tracks families while it runs, so that large ones are not compared exhaustively."""

    def __init__(self, facts: Mapping[str, ImageFacts], features: Features) -> None:
        self._digests = sorted(digest for digest, image_facts in facts.items() if _is_comparable(image_facts))
        comparable = [facts[digest] for digest in self._digests]
        side = THUMBNAIL_SIDE
        self._small = np.array([image_facts.small for image_facts in comparable], np.uint8).reshape(-1, side, side)
        self._coarse = coarse_thumbnails(self._small)
        self._hashes = np.array([image_facts.hash for image_facts in comparable], np.uint64)
        self._mirrored = np.array([image_facts.mirrored for image_facts in comparable], np.uint64)
        self._tint = _tints(comparable)
        self._features = features
        self._family = np.arange(len(comparable))
        self._pair_counts = np.zeros(len(comparable), np.int64)
        self._pairs: dict[tuple[int, int], Relation] = {}

    def run(self) -> list[Pair]:
        """Compare every two images, first upright, then with one of them mirrored."""
        with progress("Comparing", 2 * len(self._digests), "images") as advance:
            for rows, i, j in close_hashes(self._hashes, self._hashes, MAX_BITS):
                self._compare(i, j, "similar")
                advance(len(rows))
            for rows, i, j in close_hashes(self._hashes, self._mirrored, MAX_BITS):
                self._compare(i, j, "mirrored")
                advance(len(rows))
        return [Pair(self._digests[i], self._digests[j], relation) for (i, j), relation in self._pairs.items()]

    def _compare(self, i: Indices, j: Indices, relation: Relation) -> None:
        """Confirm candidates by the coarse residual and the tint, then chunk by chunk by the fine residual."""
        useful = self._is_useful(i, j)
        i, j = i[useful], j[useful]
        likely = coarse_residuals(self._coarse, i, j, mirrored=relation == "mirrored") <= MAX_COARSE_RESIDUAL
        likely &= ~(np.abs(self._tint[i] - self._tint[j]).max(axis=1, initial=0) > MAX_TINT)  # NaN matches all
        i, j = i[likely], j[likely]
        for start in range(0, len(i), CHUNK):
            self._confirm(i[start : start + CHUNK], j[start : start + CHUNK], relation)

    def _confirm(self, i: Indices, j: Indices, relation: Relation) -> None:
        useful = self._is_useful(i, j)
        i, j = i[useful], j[useful]
        second = self._small[j][:, :, :: -1 if relation == "mirrored" else 1]
        same = fine_residuals(self._small[i], second) <= MAX_FINE_RESIDUAL
        for first_index, second_index in zip(i[same].tolist(), j[same].tolist(), strict=True):
            if self._features_agree(first_index, second_index):
                self._add(first_index, second_index, relation)

    def _is_useful(self, i: Indices, j: Indices) -> NDArray[np.bool_]:
        """Return which pairs to compare: not those of a family with many pairs, such as the frames of a film."""
        enough = np.maximum(self._pair_counts[i], self._pair_counts[j]) >= MAX_PAIRS
        return np.asarray(~(enough & (self._family[i] == self._family[j])))

    def _features_agree(self, i: int, j: int) -> bool:
        a, b = (self._features.get(self._digests[index]) for index in (i, j))
        if a is None or b is None:
            return True
        return float(np.vdot(a, b)) >= MIN_COSINE * float(np.linalg.norm(a)) * float(np.linalg.norm(b))

    def _add(self, i: int, j: int, relation: Relation) -> None:
        if (i, j) not in self._pairs:
            self._pairs[i, j] = relation
            self._pair_counts[[i, j]] += 1
            self._family[self._family == self._family[j]] = self._family[i]


def with_duplicate_families(dataset: Dataset) -> Dataset:
    """Find near-duplicates over all splits and record their families in `dataset.families`.

    Images that cannot be decoded are dropped and recorded too: a split could otherwise draw nothing else of a class.
    """
    facts = examine_images(dataset)
    dataset, rows = drop_unreadable(dataset, find_locations(dataset), failure_reasons(facts))
    skipped = tuple(Skipped(row.path, row.detail) for row in rows)
    return replace(dataset, skipped=dataset.skipped + skipped, families=families_of(find_pairs(facts)))


def families_of(pairs: Iterable[Pair]) -> dict[str, str]:
    """Map each content hash to the smallest hash that pairs connect it to, which names its family (union-find)."""
    parent: dict[str, str] = {}

    def root(digest: str) -> str:
        while (above := parent.setdefault(digest, digest)) != digest:
            parent[digest] = digest = parent[above]  # path halving
        return digest

    for pair in pairs:
        first, second = sorted((root(pair.first), root(pair.second)))
        parent[second] = first
    return {digest: root(digest) for digest in sorted(parent)}
