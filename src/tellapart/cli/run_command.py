"""Run one command; the only place where an error becomes a sentence and an exit status."""

import sys
from collections.abc import Mapping, Sequence

import cyclopts

from tellapart.cli import completion, max_pixels
from tellapart.cli.commands import COMMANDS
from tellapart.cli.help_format import Formatter
from tellapart.cli.max_pixels import max_pixels_set
from tellapart.cli.options import OPTIONS
from tellapart.cli.recipe_options import expanded
from tellapart.cli.serve_variables import naming_variables
from tellapart.cli.streams import prepare_streams, report_lost_output
from tellapart.cli.usage_errors import usage_error
from tellapart.errors import TellapartError
from tellapart.text import printable_lines
from tellapart.version import __version__

REFUSED, INTERRUPTED = 2, 130
STOPPED = "Finished work is kept; resume a run with --resume and the same --out"
FUNCTIONS = {"import": "import_model"}
"""Commands whose function cannot have their name."""

RENAMED_COMMANDS: Mapping[str, str] = {"folds": "cross-validate", "find-rate": "lr-find", "adopt": "import"}
RENAMED_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "show": {"--picture": "--image"},
    "train": {"--effort": "--budget"},
}
"""For each command its options' old names, with the new ones."""

app = cyclopts.App(
    name="tellapart",
    version=__version__,
    help_format="plaintext",
    help_formatter=Formatter(),
    group_parameters=OPTIONS,
    result_action="return_value",
    default_parameter=cyclopts.Parameter(negative_iterable=()),  # no --empty-then: an option left out is empty
    suppress_keyboard_interrupt=False,  # `run` reports what is kept
)
for _name in COMMANDS:
    _function = FUNCTIONS.get(_name, _name.replace("-", "_"))
    _notes = {"help_epilogue": max_pixels.HELP} if _name in max_pixels.COMMANDS else {}
    app.command(f"tellapart.cli.{_function}:{_function}", name=_name, **_notes)


def run(words: Sequence[str]) -> int:
    """Run one command. Returns the exit status: 0 done, 1 partly done, 2 refused, 130 interrupted."""
    prepare_streams()
    return report_lost_output(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    try:
        if words[:1] == [completion.FLAG]:
            completion.install(app, words[1:])
            return 0
        with max_pixels_set(renamed(words)) as rest:
            status = app(expanded(rest), exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        sys.stderr.write(f"error: {printable_lines(usage_error(error))}\n")
        return REFUSED
    except TellapartError as error:
        sys.stderr.write(f"error: {printable_lines(naming_variables(str(error), words))}\n")
        return REFUSED
    except KeyboardInterrupt as stop:  # with a sentence where `resumable` has given it one
        sys.stderr.write(f"\nstopped. {str(stop) or STOPPED}\n")
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def renamed(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with old names replaced by new ones."""
    if not words:
        return []
    command = RENAMED_COMMANDS.get(words[0], words[0])
    return [command, *(_option(command, word) for word in words[1:])]


def _option(command: str, word: str) -> str:
    name, equals, value = word.partition("=")
    return RENAMED_OPTIONS.get(command, {}).get(name, name) + equals + value
