"""Checks before the first epoch: problems of the images that are cheap to find are reported, or refused."""

from collections.abc import Collection

from tellapart.checking.check import check, check_cheap
from tellapart.checking.finding import KINDS, Finding
from tellapart.data.dataset import Dataset
from tellapart.errors import DatasetError, did_you_mean
from tellapart.progress import notify
from tellapart.text import joined, printable

BY_FEATURES = ("label-error", "outlier")
"""Kinds that need features."""


def require_kinds(kinds: Collection[str]) -> None:
    """Refuse unknown kinds, and kinds that are not checked before training. Raises DatasetError."""
    for kind in kinds:
        if kind in BY_FEATURES:
            raise DatasetError(
                f"{kind} cannot be forbidden: it is found by features, which training has not computed yet. Run "
                f"`tellapart check` with --features, and leave images out with --skip"
            )
        if kind not in KINDS:
            raise DatasetError(f"{kind!r} is no finding that could be forbidden: {did_you_mean(kind, KINDS)}")


def preflight(dataset: Dataset, *, forbid: Collection[str] = (), strict: bool = False) -> None:
    """Report findings, a line each. Raises DatasetError where one is of a kind in `forbid`.

    `strict` forbids all problems and warnings that are cheap to find; notes are about what training handles.
    """
    require_kinds(forbid)
    findings = check_cheap(dataset)
    seen = {finding.kind for finding in findings}
    if set(forbid) - seen:  # what is not found cheaply may be found by decoding
        findings += tuple(
            finding for finding in check(dataset, None) if finding.kind in forbid and finding.kind not in seen
        )
    for finding in findings:
        notify(f"{finding.severity}: {printable(finding.sentence)}")
    refused = [finding for finding in findings if finding.kind in forbid or (strict and finding.severity != "note")]
    if refused:
        raise DatasetError(_refusal(refused, dataset.source))


def _refusal(refused: list[Finding], source: str | None) -> str:
    kinds = joined(list(dict.fromkeys(finding.kind for finding in refused)))
    return (
        f"nothing was trained, since these findings are forbidden: {kinds}. Run `tellapart check {source or 'SOURCE'}` "
        f"to see the images, then fix them, or leave some out with --skip"
    )
