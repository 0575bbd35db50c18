"""Layout of `--help`: text filled to the terminal's width, and no defaults or negations that say nothing."""

from typing import TYPE_CHECKING

from attrs import evolve
from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

EMPTY = ("False", "()", '""')
"""Defaults that mean "not given"."""


class Formatter(DefaultFormatter):
    """Cyclopts's panels with rewrapped paragraphs: docstrings are wrapped at the width of the source."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: HelpPanel) -> None:
        """Print one panel of options."""
        super().__call__(console, options, panel.copy(entries=[_simplified(entry) for entry in panel.entries]))

    def render_description(self, console: "Console", _: "ConsoleOptions", description: object) -> None:
        """Print what the command does: paragraphs filled, examples line by line."""
        for paragraph in _plain(description).strip("\n").split("\n\n"):
            lines = [line.strip() for line in paragraph.splitlines()]
            example = any(line.startswith("tellapart ") for line in lines)
            text = "\n".join(f"  {line}" for line in lines) if example else " ".join(lines)
            console.print(text, highlight=False, markup=False, soft_wrap=example, end="\n\n")


def _plain(text: object) -> str:
    """Return the words of what cyclopts renders."""
    return str(getattr(getattr(text, "primary_renderable", ""), "plain", ""))


def _simplified(entry: HelpEntry) -> HelpEntry:
    unset = entry.default in EMPTY
    return evolve(
        entry,
        description=" ".join(_plain(entry.description).split()),
        default=None if unset else entry.default,
        negative_names=() if unset else entry.negative_names,
    )
