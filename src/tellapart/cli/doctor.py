"""`tellapart doctor`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from tellapart.cli.options import Json

if TYPE_CHECKING:
    from tellapart.doctor.diagnosis import Diagnosis

COLOURS = {"ok": "green", "note": "yellow", "problem": "bold red"}


def doctor(*, json: Json = False) -> None:
    """Show what this machine has, what tellapart uses of it, and what to install."""
    from tellapart.cli.output import print_json
    from tellapart.doctor.diagnosis import advice, diagnose
    from tellapart.doctor.probe import probe

    machine = probe()
    results, sentences = diagnose(machine), advice(machine)
    if json:
        rows = [asdict(finding) for finding in results]
        print_json({"machine": asdict(machine), "findings": rows, "advice": sentences}, indent=2)
    else:
        _print(results, sentences)


def _print(results: "tuple[Diagnosis, ...]", sentences: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "", "", box=None, show_header=False)
    for finding in results:
        # As Text: the brackets of tellapart[train] are no markup.
        table.add_row(Text(finding.mark, COLOURS[finding.mark]), Text(finding.name), Text(finding.text))
    console = Console()
    console.print(table)
    console.print()
    for sentence in sentences:
        console.print(Text(sentence), soft_wrap=True)
