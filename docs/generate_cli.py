"""Write docs/cli.md, the reference of the command line, from what `--help` prints: `make docs-cli`."""

import io
from pathlib import Path

from rich.console import Console

from tellapart.cli import overview
from tellapart.cli.commands import COMMANDS, GROUPS
from tellapart.cli.run_command import app

PAGE = Path(__file__).with_name("cli.md")
INTRODUCTION = """\
# Command line

What `tellapart --help` and `tellapart COMMAND --help` print. This page is generated: run
`make docs-cli` after changing a command.
"""


def reference() -> str:
    """Return the page: an index, the overview, then every command's help, 80 columns wide and without colours."""
    index = [
        f"- {group}: " + ", ".join(f"[{name}](#tellapart-{name})" for name in commands)
        for group, commands in GROUPS.items()
    ]
    parts = [INTRODUCTION, "\n".join(index) + "\n", _block(overview())]
    parts += [f"## tellapart {name}\n\n{_block(_help(name))}" for name in COMMANDS]
    return "\n".join(parts)


def _help(command: str) -> str:
    text = io.StringIO()
    app.help_print([command], console=Console(file=text, width=80, color_system=None, force_terminal=False))
    return text.getvalue()


def _block(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"```text\n{lines}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
