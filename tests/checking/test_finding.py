"""Findings are read in the order of how bad they are."""

from tellapart.checking.finding import KINDS, Finding, Severity, sort_findings


def finding(kind: str, severity: Severity) -> Finding:
    return Finding(kind, severity, 1, "So.", "Do.")


def test_problems_first_then_as_a_person_reads() -> None:
    found = [
        finding("blank", "note"),
        finding("copies", "note"),
        finding("imbalance", "warning"),
        finding("leak", "problem"),
    ]
    assert [one.kind for one in sort_findings(found)] == ["leak", "imbalance", "copies", "blank"]


def test_each_kind_once() -> None:
    assert len(set(KINDS)) == len(KINDS) == 24
