"""Families of near-duplicates: what a split must not part."""

from collections.abc import Iterable
from dataclasses import replace

from tellapart.checking.examine_images import examined
from tellapart.checking.findings.unreadable_files import readable, reasons
from tellapart.checking.locations import places
from tellapart.checking.near_duplicates import Pair, pairs
from tellapart.data.dataset import Dataset, Skipped


def with_duplicate_families(dataset: Dataset) -> Dataset:
    """Look for near-duplicates in all splits together, and note the families they make in `dataset.families`.

    What cannot be decoded is left out and noted too: drawn first, it could be all that a split has of a class.
    """
    facts = examined(dataset)
    dataset, rows = readable(dataset, places(dataset), reasons(facts))
    skipped = tuple(Skipped(row.path, row.detail) for row in rows)
    return replace(dataset, skipped=dataset.skipped + skipped, families=families(pairs(facts)))


def families(found: Iterable[Pair]) -> dict[str, str]:
    """For each content hash in a pair the least one of all that pairs tie it to, which names the family."""
    parent: dict[str, str] = {}

    def eldest(digest: str) -> str:
        while (above := parent.setdefault(digest, digest)) != digest:
            parent[digest] = digest = parent[above]  # half the way up, so that the next climb is short
        return digest

    for pair in found:
        one, other = sorted((eldest(pair.one), eldest(pair.other)))
        parent[other] = one
    return {digest: eldest(digest) for digest in sorted(parent)}
