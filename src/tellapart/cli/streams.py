"""Standard streams: UTF-8 in files and pipes, escapes on a terminal, and a sentence where output cannot be written."""

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

OUTPUT_LOST = 2  # the exit status, as for what is refused
ESCAPES = "tellapart.escapes"


class Output(io.TextIOWrapper):
    """Standard output that remembers the error at which it failed, so that it is not confused with another file's."""

    failure: OSError | None = None

    def write(self, text: str, /) -> int:
        """Write text. Raises OSError."""
        with self._remembered():
            return super().write(text)

    def flush(self) -> None:
        """Write what is in the buffer. Raises OSError."""
        with self._remembered():
            super().flush()

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = error
            raise


def prepare_streams() -> None:
    """Make the streams accept any text, whatever this machine's code page is.

    A file or pipe gets UTF-8, with the bytes of file names as they are. A terminal keeps its own encoding, and what it
    lacks is escaped.
    """
    codecs.register_error(ESCAPES, _escape)
    _open_closed_streams()
    _remember_failures()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding="utf-8", errors=ESCAPES)
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # it has been read from, so its encoding is decided
            sys.stdin.reconfigure(encoding=None if sys.stdin.isatty() else "utf-8", errors="surrogateescape")


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode a file name's bytes as they are, and any other lone surrogate as an escape."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _open_closed_streams() -> None:
    """Open the null device where a stream is closed: a file of ours must not get its number, and be printed into."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number: that of the stream, where it is free
            setattr(sys, name, os.fdopen(opened, "w" if number else "r", closefd=False))


def _remember_failures() -> None:
    stream = sys.stdout
    if type(stream) is io.TextIOWrapper and stream is sys.__stdout__:
        options = (stream.encoding, stream.errors, None, stream.line_buffering, stream.write_through)
        sys.stdout = sys.__stdout__ = Output(stream.detach(), *options)  # type: ignore[misc]


def report_lost_output(work: Callable[[], int]) -> int:
    """Do the work of a command and flush its output; returns the work's exit status.

    A full disk behind standard output ends in a sentence; a reader that has gone, as in `tellapart predict ... | head`,
    in none.
    """
    try:
        status = work()
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return 0
    except SystemExit:  # rich ends a program whose reader has gone
        if isinstance(getattr(sys.stdout, "failure", None), BrokenPipeError):
            return 0
        raise
    except OSError as error:
        if error is not getattr(sys.stdout, "failure", None):
            raise
        _discard_output()
        reason = error.strerror or str(error)
        sys.stderr.write(f"error: standard output cannot be written: {reason}. Free some space, or send it elsewhere\n")
        return OUTPUT_LOST
    return status


def _discard_output() -> None:
    """Let what is still in the buffer go, or Python would fail on it at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
