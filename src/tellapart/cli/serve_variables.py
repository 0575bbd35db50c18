"""Environment variables for the settings of `serve`: TELLAPART_SERVE_PORT for --port, and so on.

An option on the command line comes before its variable; an empty variable is as if it were not set.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import get_origin

from cyclopts import Parameter

from tellapart.errors import did_you_mean
from tellapart.progress import notify

COMMAND = "serve"
PREFIX = "TELLAPART_SERVE_"
OPTION = re.compile(r"--[a-z][a-z-]*")


def variable(setting: str) -> str:
    """Return the variable of a setting: of `max-body`, `max_body` or `--max-body`."""
    return PREFIX + setting.lstrip("-").replace("-", "_").upper()


def by_variable(setting: str) -> Parameter:
    """Let a parameter of the command take its value from the setting's variable too."""
    return Parameter(env_var=variable(setting), env_var_split=_split)


def _split(type_: object, value: str, *, delimiter: str | None = None) -> list[str]:
    """Return the values in a variable, separated by spaces or commas where there may be several."""
    if not value.strip():
        return []
    return value.replace(",", " ").split(delimiter) if get_origin(type_) is tuple else [value.strip()]


def warn_of_unknown(settings: Collection[str], environment: Mapping[str, str] = os.environ) -> None:
    """Notify about variables that look like a setting and are none, such as a misspelled one.

    They are not refused: Kubernetes sets some for a service that is named tellapart-serve.
    """
    for name in sorted(environment):
        setting = name.removeprefix(PREFIX).lower()
        if name.startswith(PREFIX) and setting not in settings:
            notify(f"{name} is not a setting of {COMMAND} and has no effect: {_suggestion(setting, settings)}")


def _suggestion(setting: str, settings: Collection[str]) -> str:
    names = "|".join(settings)
    return re.sub(rf"\b({names})\b", lambda match: variable(match[0]), did_you_mean(setting, settings))


def naming_variables(sentence: str, words: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """Name the variable in place of the option, in an error about a value that came from the environment."""
    if words[:1] != [COMMAND]:
        return sentence
    given = {word.partition("=")[0] for word in words}

    def source(match: re.Match[str]) -> str:
        option = match[0]
        return option if option in given or not environment.get(variable(option), "").strip() else variable(option)

    return OPTION.sub(source, sentence)
