"""Names of commands and options from earlier versions: still accepted, no longer listed."""

from collections.abc import Mapping, Sequence

COMMANDS: Mapping[str, str] = {"folds": "cross-validate", "find-rate": "lr-find", "adopt": "import"}

OPTIONS: Mapping[str, Mapping[str, str]] = {
    "show": {"--picture": "--image"},
    "train": {"--effort": "--budget"},
}
"""For each command its options' old names, with the new ones."""


def renamed(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with old names replaced by new ones."""
    if not words:
        return []
    command = COMMANDS.get(words[0], words[0])
    return [command, *(_option(command, word) for word in words[1:])]


def _option(command: str, word: str) -> str:
    name, equals, value = word.partition("=")
    return OPTIONS.get(command, {}).get(name, name) + equals + value
