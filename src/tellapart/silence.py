"""Output of libraries, kept off the terminal: some write past Python's streams, from C++, and have no other switch."""

import ctypes
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TextIO

STDOUT, STDERR = 1, 2
LOGGERS = ("absl", "tensorflow", "tf2onnx", "nncf")


@contextmanager
def hold_stderr() -> Iterator[None]:
    """Hold back standard error, also what is written to it below Python; print it only when the block raises."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        try:
            with _redirect_descriptors(held, STDERR):
                yield
        except BaseException:
            held.seek(0)
            os.write(STDERR, held.read())
            raise


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Discard what the libraries that write other formats log and print; their errors are raised as ever."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            Path(os.devnull).open("wb") as devnull,
            _redirect_descriptors(devnull, STDOUT, STDERR),
        ):
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def native_stderr_to(log: Path) -> Iterator[None]:
    """Append to `log` what is written to standard error below Python, also by child processes.

    What Python writes to `sys.stderr` still reaches the terminal.
    """
    stderr = sys.stderr
    stderr.flush()
    with (
        log.open("ab") as stream,
        _redirect_descriptors(stream, STDERR) as (terminal,),
        os.fdopen(terminal, "w", 1, stderr.encoding, "backslashreplace", closefd=False) as python_stderr,
    ):
        if _writes_to_descriptor(stderr, STDERR):
            sys.stderr = python_stderr
        try:
            yield
        finally:
            sys.stderr = stderr


@contextmanager
def _redirect_descriptors(stream: IO[bytes], *descriptors: int) -> Iterator[Sequence[int]]:
    """Let descriptors lead to `stream` inside the block; yield descriptors of where they led before."""
    originals = [os.dup(descriptor) for descriptor in descriptors]
    try:
        for descriptor in descriptors:
            os.dup2(stream.fileno(), descriptor)
        yield originals
    finally:
        for descriptor, original in zip(descriptors, originals, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


def _writes_to_descriptor(stream: TextIO, descriptor: int) -> bool:
    """Return False where another stream has been put in its place, as notebooks do."""
    try:
        return stream.fileno() == descriptor
    except (AttributeError, OSError, ValueError):
        return False


@cache
def silence_pillow() -> None:
    """Stop Pillow's logger and libtiff from printing what is wrong with a file: both also raise it as an error.

    For good, since other threads decode too. A handler that the program gave the logger still gets its records. libtiff
    continues to print where Pillow has no copy of its own.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    spec = find_spec("PIL")
    package = Path(spec.origin).parent if spec and spec.origin else Path()
    for library in (*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")):
        with suppress(OSError, AttributeError):
            libtiff = ctypes.CDLL(str(library))  # the one that is loaded already
            for name in ("TIFFSetErrorHandler", "TIFFSetErrorHandlerExt"):
                handler = libtiff[name]
                handler.restype, handler.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
                handler(None)
