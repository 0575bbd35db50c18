"""A small bundle, and files for it of which two cannot be read."""

from pathlib import Path

import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.training.run import Run


@pytest.fixture
def bundle(trained: Run) -> Bundle:
    """Of the finished run on the tiny images."""
    return trained.bundle


@pytest.fixture
def files(tiny: Path, tmp_path: Path) -> list[str]:
    """The 36 images, and between them one that is damaged, and one at the end that is not there."""
    corrupt = tmp_path / "corrupt.png"
    corrupt.write_bytes(b"corrupt")
    found = [str(path) for path in sorted(tiny.rglob("*.png"))]
    return [*found[:5], str(corrupt), *found[5:], "absent.png"]
