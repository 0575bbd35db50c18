"""Check a data set: quickly, from names, counts and hashes; or fully, with every image decoded."""

from tellapart.checking.finding import Finding, Row, ordered
from tellapart.checking.findings.classes import classes
from tellapart.checking.findings.exact_duplicates import exact_duplicates
from tellapart.checking.findings.group_leaks import group_leaks
from tellapart.checking.findings.odd_formats import odd_files
from tellapart.checking.findings.odd_images import odd_images
from tellapart.checking.findings.unreadable_files import others, readable, reasons, unreadable
from tellapart.checking.locations import places
from tellapart.data.dataset import Dataset


def check_cheap(dataset: Dataset) -> tuple[Finding, ...]:
    """Find what names, counts and hashes tell: nothing is decoded. Problems first, then warnings, then notes."""
    return ordered(_cheap(dataset))


def check(dataset: Dataset, base: str | None = None) -> tuple[Finding, ...]:
    """Find all that is known to go wrong: each distinct image is decoded once, or taken from the cache.

    With a frozen base from the catalogue its features confirm near-copies, and likely wrong labels and strangers are
    found too. Problems first, then warnings, then notes. Raises RecipeError for an unknown base.
    """
    from tellapart.checking.examine_images import examined
    from tellapart.checking.findings.near_duplicate_findings import near_duplicate_findings
    from tellapart.checking.near_duplicates import pairs
    from tellapart.models.catalogue import lookup

    size = lookup(base).size if base else None
    facts = examined(dataset)
    dataset, unread = readable(dataset, places(dataset), reasons(facts))
    where = places(dataset)
    good = {digest: fact for digest, fact in facts.items() if not isinstance(fact, str)}
    seen = [(place, good[digest]) for digest, found in where.items() for place in found]
    features, findings = None, list[Finding]()
    if base:
        from tellapart.checking.findings.label_errors import features_by_digest, findings_from_features

        findings += findings_from_features(dataset, base)
        features = features_by_digest(dataset, base)
    findings += near_duplicate_findings(dataset, where, pairs(good, features))
    findings += odd_files(dataset, seen) + odd_images(dataset, seen, size)
    return ordered([*_cheap(dataset, unread), *findings])


def _cheap(dataset: Dataset, unread: tuple[Row, ...] = ()) -> list[Finding]:
    where = places(dataset)
    return [
        *exact_duplicates(dataset, where),
        *group_leaks(dataset),
        *classes(dataset, where),
        *unreadable(dataset, unread),
        *others(dataset),
    ]
