"""Families of near-duplicates, which a split must keep together."""

from collections.abc import Iterable
from dataclasses import replace

from tellapart.checking.examine_images import examine_images
from tellapart.checking.findings.unreadable_files import drop_unreadable, failure_reasons
from tellapart.checking.locations import find_locations
from tellapart.checking.near_duplicates import Pair, find_pairs
from tellapart.data.dataset import Dataset, Skipped


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
