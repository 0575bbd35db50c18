"""`tellapart --install-completion`: commands, options and choices, completed by bash, zsh or fish."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import cyclopts
from cyclopts.completion import detect_shell
from cyclopts.completion.detect import ShellDetectionError

from tellapart.errors import TellapartError

FLAG = "--install-completion"
Shell = Literal["bash", "zsh", "fish"]
RC_FILES = {"bash": ".bashrc", "zsh": ".zshrc"}
"""The start-up files that load the script; fish finds it by itself."""


def install(app: cyclopts.App, words: Sequence[str]) -> None:
    """Write the completion script where the shell looks for it, and print every file that changed.

    `words` is empty, `--shell SHELL` or `--shell=SHELL`. Raises TellapartError.
    """
    shell = _shell(words)
    rc_file = Path.home() / RC_FILES[shell] if shell in RC_FILES else None
    before = _content(rc_file)
    try:
        script = app.install_completion(shell=shell)
    except OSError as error:
        raise TellapartError(f"cannot write the completion script: {error}") from error
    print(f"wrote: {script}")
    if rc_file and _content(rc_file) != before:
        print(f"changed: {rc_file}, which loads it")
    print(f"open a new {shell} to use it")


def _shell(words: Sequence[str]) -> Shell:
    parts = [part for word in words for part in word.split("=", 1)]
    name = parts[1] if len(parts) == 2 and parts[0] == "--shell" else None
    if name is None and parts:
        raise TellapartError(f"{FLAG} was given {' '.join(words)}; expected nothing, or --shell bash, zsh or fish")
    if name is None:
        try:
            name = detect_shell()
        except ShellDetectionError as error:
            raise TellapartError(f"your shell is not known: choose one with {FLAG} --shell bash") from error
    for shell in get_args(Shell):
        if name == shell:
            return shell  # type: ignore[no-any-return]
    raise TellapartError(f"there is no completion for {name}: choose bash, zsh or fish with --shell")


def _content(path: Path | None) -> bytes:
    return path.read_bytes() if path and path.exists() else b""
