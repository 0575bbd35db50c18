"""Looking at a run's own test images is counted; looking at others is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tellapart import Bundle, Dataset, evaluate
from tellapart.bundles import test_set_uses
from tellapart.bundles.test_set_uses import FILE
from tellapart.errors import RunError
from tellapart.training.run import Run


def test_a_run_counts_its_own_evaluation(run: Run) -> None:
    assert test_set_uses.test_set_uses(run.folder) == 1


def test_each_evaluation_on_its_test_images_is_counted_and_reported(
    run: Run, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(run.bundle, Dataset.open(tiny))
    assert "the test images of mine have now been evaluated 2 times" in capsys.readouterr().err
    evaluate(run.bundle.folder, Dataset.open(tiny))
    assert "evaluated 3 times" in capsys.readouterr().err
    assert test_set_uses.test_set_uses(run.folder) == 3


def test_other_splits_and_other_images_are_not_counted(
    run: Run, tiny: Path, coloured: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "validation"):
        evaluate(run.bundle, Dataset.open(tiny), split=split)
    evaluate(run.bundle, Dataset.open(coloured(tmp_path / "new", seed=8)))
    assert test_set_uses.test_set_uses(run.folder) == 1
    assert not (run.folder / FILE).exists()
    assert "have now been evaluated" not in capsys.readouterr().err


def test_a_mix_with_other_images_is_counted(
    run: Run, tiny: Path, coloured: Callable[..., Path], tmp_path: Path
) -> None:
    mixed = coloured(tmp_path / "mixed", seed=8)
    for path in tiny.rglob("*.png"):
        shutil.copy(path, mixed / path.parent.name / f"old-{path.name}")
    evaluate(run.bundle, Dataset.open(mixed))
    assert test_set_uses.test_set_uses(run.folder) == 2


def test_a_bundle_outside_its_run_is_not_counted(run: Run, tiny: Path, tmp_path: Path) -> None:
    away = Bundle.open(shutil.copytree(run.bundle.folder, tmp_path / "away" / "bundle"))
    evaluate(away, Dataset.open(tiny))
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["bundle"]


def test_a_bundle_reached_through_a_link_is_counted_in_its_run(run: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run.bundle.folder, target_is_directory=True)
    evaluate(tmp_path / "link", Dataset.open(tiny))
    assert test_set_uses.test_set_uses(run.folder) == 2


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"evaluations": "often"}', '{"evaluations": null}', "\x00"])
def test_a_damaged_count_is_refused_with_what_to_do(run: Run, tiny: Path, content: str) -> None:
    (run.folder / FILE).write_text(content)
    for look in (lambda: test_set_uses.test_set_uses(run.folder), lambda: evaluate(run.bundle, Dataset.open(tiny))):
        with pytest.raises(RunError, match="remove it to restart the count at one"):
            look()


def test_the_file_has_the_number_of_later_evaluations(run: Run, tiny: Path) -> None:
    evaluate(run.bundle, Dataset.open(tiny))
    assert json.loads((run.folder / FILE).read_text()) == {"evaluations": 1}
