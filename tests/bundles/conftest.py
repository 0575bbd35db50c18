"""A small bundle, and image files of which two cannot be read."""

from pathlib import Path

import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.training.run import Run


@pytest.fixture
def bundle(trained: Run) -> Bundle:
    """The bundle of a finished run on the tiny images."""
    return trained.bundle


@pytest.fixture
def files(tiny: Path, tmp_path: Path) -> list[str]:
    """The 36 images, with a damaged one among them, and a missing one at the end."""
    corrupt = tmp_path / "corrupt.png"
    corrupt.write_bytes(b"corrupt")
    paths = [str(path) for path in sorted(tiny.rglob("*.png"))]
    return [*paths[:5], str(corrupt), *paths[5:], "absent.png"]
