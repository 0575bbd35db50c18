"""Findings: what a person should know about a data set before training, and the images concerned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["problem", "warning", "note"]
"""A problem makes results wrong or stops training; a warning probably costs accuracy or honesty; a note is handled."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)

KINDS = (
    "unreadable",
    "leak", "near-leak", "group-leak", "two-labels", "copies", "near-copies",
    "empty-class", "missing-class", "tiny-class", "imbalance",
    "label-error", "outlier",
    "unread-format", "blank", "clear-background", "unused-bits", "odd-size", "odd-shape",
    "animated", "exif-rotated", "wrong-extension", "unlabelled", "other-files",
)  # fmt: skip
"""All kinds of findings, in the order in which those of one severity are listed."""


@dataclass(frozen=True)
class Row:
    """One image that a finding concerns. Fields that do not apply are empty.

    `path` is `images.name(i)`, `digest` the hash of the content, `split` the name of its split and `label` the name of
    its class. `suggested` is the class that it may belong to instead, `other` the path of the image that it resembles.
    `detail` describes in a few words what is particular to this image.
    """

    path: str
    digest: str
    split: str
    label: str
    suggested: str = ""
    other: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """A finding of one of KINDS: `sentence` gives the numbers and `advice` what to do, each as whole sentences.

    `count` is the number of images (files, classes) concerned; `rows` are the images, the clearest or worst first.
    There may be fewer rows than `count`, since a class without images has no row.
    """

    kind: str
    severity: Severity
    count: int
    sentence: str
    advice: str
    rows: tuple[Row, ...] = ()


def sort_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Sort problems before warnings before notes, and within one severity by the order of KINDS."""
    return tuple(sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), KINDS.index(finding.kind))))
