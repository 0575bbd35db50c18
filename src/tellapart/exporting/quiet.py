"""The libraries that write other formats, kept from remarking on what a person can do nothing about."""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

LOGGERS = ("absl", "tensorflow", "tf2onnx", "nncf")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what the libraries log and print. An error says what is wrong by itself."""
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), _descriptors():
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _descriptors() -> Iterator[None]:
    """Below Python's own streams: LiteRT greets on standard error from C++."""
    real = (os.dup(1), os.dup(2))
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            for number, descriptor in enumerate(real, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
