"""The command line: one file per command, each of which parses its options, calls one function, and prints.

`commands.py` lists the commands. `tellapart` and `tellapart --help` are printed from these two files alone, without
heavy imports.
"""

import sys

from tellapart.cli.commands import GROUPS
from tellapart.cli.streams import prepare_streams, report_lost_output
from tellapart.version import __version__

FIRST_STEPS = """\
tellapart trains, judges, explains, exports and serves image classifiers.

With your own photos, one folder per class (photos/cat/1.jpg, photos/dog/2.jpg):

  tellapart check photos                          find duplicates, wrong labels
  tellapart train photos --time 10m --out runs/1  train for up to 10 minutes
  tellapart predict runs/1/bundle new.jpg         classify a new photo
  tellapart serve runs/1/bundle                   the same in the browser

Without data, on the handwritten digits of scikit-learn, in under a minute:

  tellapart train digits --model mlp --out runs/demo
  tellapart evaluate runs/demo/bundle digits

Next:

  tellapart --help          all commands
  tellapart train --help    all options of a command
  tellapart lessons         what the figures mean, by experiments you can run
  tellapart doctor          what this machine has, and what to install
"""

OPTIONS = """\
Options
  --help                Show this text; after a command, that command's options.
  --version             Print the version.
  --install-completion  Install completion of commands, options and choices for
                        your shell; --shell bash, zsh or fish chooses another.
"""


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    text = _text(words)
    if text is not None:
        prepare_streams()  # as `run` does
        sys.exit(report_lost_output(lambda: 0 * sys.stdout.write(text)))
    from tellapart.cli.run_command import run

    sys.exit(run(words))


def _text(words: list[str]) -> str | None:
    """Return what is printed without running a command."""
    if not words:
        return FIRST_STEPS
    if words in (["--help"], ["-h"]):
        return overview()
    return f"tellapart {__version__}\n" if words == ["--version"] else None


def overview() -> str:
    """Return the text of `tellapart --help`: every command with its sentence, by group."""
    lines = ["tellapart trains, judges, explains, exports and serves image classifiers.", ""]
    lines += ["Usage: tellapart COMMAND [OPTIONS]", ""]
    for group, commands in GROUPS.items():
        lines += [group, *(f"  {name:<14}  {sentence}" for name, sentence in commands.items()), ""]
    return "\n".join([*lines, OPTIONS])
