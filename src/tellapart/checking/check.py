"""Check a data set: the cheap part from names, counts and hashes; the full part decodes every image."""

from pathlib import Path

from tellapart.checking.examine_images import examine_images
from tellapart.checking.finding import Finding, Row, sort_findings
from tellapart.checking.findings.classes import class_findings
from tellapart.checking.findings.exact_duplicates import exact_duplicate_findings
from tellapart.checking.findings.group_leaks import group_leak_findings
from tellapart.checking.findings.near_duplicate_findings import near_duplicate_findings
from tellapart.checking.findings.odd_images import odd_format_findings, odd_image_findings
from tellapart.checking.findings.pixel_values import clear_background_findings, unused_bits_findings
from tellapart.checking.findings.unreadable_files import (
    drop_unreadable,
    failure_reasons,
    other_file_findings,
    unreadable_findings,
)
from tellapart.checking.locations import find_locations
from tellapart.checking.near_duplicates import find_pairs
from tellapart.data.dataset import Dataset
from tellapart.data.levels import measure_levels
from tellapart.models.catalogue import lookup


def check_cheap(dataset: Dataset) -> tuple[Finding, ...]:
    """Find what names, counts and hashes show; no image is decoded. Problems first, then warnings, then notes."""
    return sort_findings(_cheap(dataset))


def check(dataset: Dataset | str | Path, backbone: str | None = None) -> tuple[Finding, ...]:
    """Run every check: each distinct image is decoded once, or its facts are read from the cache.

    With a frozen backbone from the catalogue, its features confirm near-duplicates and reveal likely label errors and
    outliers. Problems first, then warnings, then notes. Raises RecipeError for an unknown backbone.
    """
    dataset = Dataset.of(dataset)
    size = lookup(backbone).size if backbone else None
    levels = measure_levels(split.images for split in dataset.splits.values())
    facts_by_digest = examine_images(dataset, levels)
    dataset, unread = drop_unreadable(dataset, find_locations(dataset), failure_reasons(facts_by_digest))
    locations = find_locations(dataset)
    decoded = {digest: facts for digest, facts in facts_by_digest.items() if not isinstance(facts, str)}
    examined = [(location, decoded[digest]) for digest, copies in locations.items() for location in copies]
    features, findings = None, list[Finding]()
    if backbone:
        from tellapart.checking.findings.label_errors import feature_findings, features_by_digest  # scikit-learn

        findings += feature_findings(dataset, backbone)
        features = features_by_digest(dataset, backbone)
    findings += near_duplicate_findings(dataset, locations, find_pairs(decoded, features))
    findings += odd_format_findings(dataset, examined) + odd_image_findings(dataset, examined, size)
    findings += unused_bits_findings(dataset, locations, levels) + clear_background_findings(dataset, examined)
    return sort_findings([*_cheap(dataset, unread), *findings])


def _cheap(dataset: Dataset, unread: tuple[Row, ...] = ()) -> list[Finding]:
    locations = find_locations(dataset)
    return [
        *exact_duplicate_findings(dataset, locations),
        *group_leak_findings(dataset),
        *class_findings(dataset, locations),
        *unreadable_findings(dataset, unread),
        *other_file_findings(dataset),
    ]
