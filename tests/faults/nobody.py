"""What it is like without root's right to read and write anything."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read and write anything."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(NOBODY)
    except OSError as error:
        pytest.skip(f"root may do anything here, and cannot become another: {error}")
    try:
        yield
    finally:
        os.seteuid(0)
