"""Hand the words of a command to its function, and turn what goes wrong into one sentence and an exit status."""

import io
import os
import sys
from collections.abc import Sequence

import cyclopts

from tellapart.cli import COMMANDS
from tellapart.cli.recipe_options import expanded
from tellapart.errors import TellapartError
from tellapart.version import __version__

REFUSED, INTERRUPTED = 2, 130

app = cyclopts.App(
    name="tellapart",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=cyclopts.Parameter(negative_iterable=()),  # an option left out is empty: no --empty-then
    suppress_keyboard_interrupt=False,  # `run` says what is kept
)
for _name, _sentence in COMMANDS.items():
    _module = _name.replace("-", "_")
    app.command(f"tellapart.cli.{_module}:{_module}", name=_name, help=_sentence)


def run(words: Sequence[str]) -> int:
    """Run one command. Returns the exit status: 0 done, 1 partly, 2 refused, 130 interrupted."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a file's name is printed as it is, be it text or not
    try:
        status = app(expanded(words), exit_on_error=False, print_error=True)
    except cyclopts.CycloptsError:
        return REFUSED  # cyclopts has said what is wrong with the words
    except TellapartError as error:
        sys.stderr.write(f"error: {error}\n")
        return REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped. What was finished is kept; a run goes on with --resume and the same --out\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `tellapart predict ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status if isinstance(status, int) else 0
