"""`tellapart doctor`: what was found on this machine, and what to do about it."""

from dataclasses import asdict
from json import dumps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tellapart.doctor.diagnosis import Finding

COLOURS = {"ok": "green", "note": "yellow", "problem": "bold red"}


def doctor(*, json: bool = False) -> None:
    """Say what this machine has for tellapart, what it lacks, and what to do.

    Parameters
    ----------
    json
        Print one JSON object: the machine's facts, the findings with their marks, the advice.
    """
    from tellapart.doctor.diagnosis import advice, findings
    from tellapart.doctor.probe import probe

    machine = probe()
    found, sentences = findings(machine), advice(machine)
    if json:
        facts = [asdict(finding) for finding in found]
        print(dumps({"machine": asdict(machine), "findings": facts, "advice": sentences}, indent=2))
    else:
        _show(found, sentences)


def _show(found: "tuple[Finding, ...]", sentences: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "", "", box=None, show_header=False)
    for finding in found:
        # As Text, so that the brackets of tellapart[train] are not taken for markup.
        table.add_row(Text(finding.mark, COLOURS[finding.mark]), Text(finding.name), Text(finding.text))
    console = Console()
    console.print(table)
    console.print()
    for sentence in sentences:
        console.print(Text(sentence), soft_wrap=True)
