"""Finding: something about a data set that a person should know before training, and the images concerned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["problem", "warning", "note"]
"""problem: the result would be a lie, or training stops; warning: it probably costs accuracy or honesty; note: handled,
for your information."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)

KINDS = (
    "unreadable",
    "leak", "near-leak", "group-leak", "two-labels", "copies", "near-copies",
    "empty-class", "missing-class", "tiny-class", "imbalance",
    "label-error", "outlier",
    "blank", "odd-size", "odd-shape",
    "animated", "exif-rotated", "wrong-extension", "other-files",
)  # fmt: skip
"""All kinds of findings, in the order in which a person reads those of one severity."""


@dataclass(frozen=True)
class Row:
    """One image that a finding concerns. What does not apply is empty.

    `path` is what `images.name(i)` gives, `digest` the hash of its content, `split` where it stands and `label` the
    name of its class. `suggested` is the class that it may rather be, `other` the path of what it resembles. `detail`
    says in a few words what is particular to this image.
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
    """What was found, of one kind (of KINDS): `sentence` says it in numbers, `advice` what to do, in one sentence each.

    Both are whole sentences, which begin with a capital or a number and end with a full stop.

    `count` is how many images (files, classes) are concerned; `rows` are the images, the clearest or worst first.
    They may be fewer than `count`, since a class without images has no row.
    """

    kind: str
    severity: Severity
    count: int
    sentence: str
    advice: str
    rows: tuple[Row, ...] = ()


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Problems, then warnings, then notes; within one severity in the order of KINDS."""
    return tuple(sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), KINDS.index(finding.kind))))
