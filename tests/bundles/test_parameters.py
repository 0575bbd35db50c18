"""The parameters of a bundle's network are counted without Keras."""

import shutil
from pathlib import Path

import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.parameters import count_parameters
from tellapart.errors import BundleError
from tellapart.training.run import Run


def test_the_count_is_the_one_on_paper(trained: Run) -> None:
    pixels, units, classes = 20 * 20 * 3, 128, 3
    assert count_parameters(trained.bundle) == pixels * units + units + units * classes + classes


def test_a_file_that_is_no_archive_is_refused(shades: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(shades, tmp_path / "copy")
    with pytest.raises(BundleError, match=r"weights in .*model.keras cannot be read .*copy the bundle again"):
        count_parameters(Bundle.open(folder))
