"""`tellapart calibrate`: what is asked for, what is said, what is refused."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tellapart import Bundle
from tellapart.training.run import Run

from .conftest import Said


@pytest.fixture
def bundle(trained: Run, tmp_path: Path) -> Path:
    """A copy beside which something may be written."""
    return Path(shutil.copytree(trained.bundle.folder, tmp_path / "run" / "bundle"))


def test_the_new_bundle_is_beside_the_old_and_its_rule_is_said(said: Said, bundle: Path, tiny: Path) -> None:
    answer = said("calibrate", bundle, tiny, "--reject-for", "coverage=0.8")
    assert answer.status == 0, answer.err
    new = Bundle.open(bundle.with_name("bundle-calibrated"))
    new.verify()
    rule, outlier, coverage, accuracy, *_, last = answer.out.splitlines()
    assert new.reject is not None
    assert rule == (
        f'predictions below {new.reject.probability:.1%} become "I don\'t know": for coverage=0.8 by this rule alone'
    )
    assert outlier.startswith("so do outliers beyond 99 % of the validation images (OOD score above ")
    assert new.manifest.reject is not None
    for line, name in ((coverage, "coverage"), (accuracy, "accuracy")):
        stated = new.manifest.reject[name]
        assert f"{stated['value']:.1%} ({stated['low']:.1%} to {stated['high']:.1%})" in line
    assert last == f"bundle: {new.folder}"


def test_the_new_bundle_may_have_another_place(said: Said, bundle: Path, tiny: Path, tmp_path: Path) -> None:
    answer = said("calibrate", bundle, tiny, "--reject-for", "accuracy=0.5", "--out", tmp_path / "deep" / "new")
    assert answer.status == 0, answer.err
    Bundle.open(tmp_path / "deep" / "new").verify()
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_what_it_does_not_know_is_said_by_predict_too(
    said: Said, bundle: Path, tiny: Path, coloured: Callable[..., Path], tmp_path: Path
) -> None:
    said("calibrate", bundle, tiny, "--reject-for", "coverage=0.5")
    other = coloured(tmp_path / "new", each=6, seed=8)
    new = bundle.with_name("bundle-calibrated")
    lines = [json.loads(line) for line in said("predict", new, other, "--json").out.splitlines()]
    unknown = [line["unknown"] for line in lines]
    assert {True, False} == set(unknown)
    shown = said("predict", new, other).out
    assert shown.count("I don't know") == sum(unknown)
    rows = csv.DictReader(io.StringIO(said("predict", new, other, "--csv").out))
    assert [row["unknown"] == "yes" for row in rows] == unknown


@pytest.mark.parametrize(
    ("goal", "sentence"),
    [
        ("0.97", "expected a name and a share, such as accuracy=0.97"),
        ("acuracy=0.97", "did you mean accuracy?"),
        ("accuracy=97", "97 % is 0.97"),
        ("coverage=much", "expected a share such as 0.97"),
        ("coverage=0", "expected a share above 0 and up to 1"),
    ],
)
def test_a_goal_that_is_none_is_refused(said: Said, bundle: Path, tiny: Path, goal: str, sentence: str) -> None:
    assert sentence in said("calibrate", bundle, tiny, "--reject-for", goal).error
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_the_goal_must_be_named(said: Said, bundle: Path, tiny: Path) -> None:
    answer = said("calibrate", bundle, tiny)
    assert answer.status == 2
    assert "reject-for" in answer.err


def test_a_second_time_is_refused_and_the_first_is_kept(said: Said, bundle: Path, tiny: Path) -> None:
    said("calibrate", bundle, tiny, "--reject-for", "coverage=0.8")
    before = (bundle.with_name("bundle-calibrated") / "bundle.json").read_bytes()
    again = said("calibrate", bundle, tiny, "--reject-for", "coverage=0.5")
    assert "bundle-calibrated is there already and not empty: name another folder" in again.error
    assert (bundle.with_name("bundle-calibrated") / "bundle.json").read_bytes() == before


def test_other_images_and_what_is_no_bundle_are_refused(
    said: Said, bundle: Path, tiny: Path, coloured: Callable[..., Path], tmp_path: Path
) -> None:
    new = coloured(tmp_path / "new", seed=8)
    assert "no images for validation" in said("calibrate", bundle, new, "--reject-for", "coverage=0.8").error
    assert "is not a bundle" in said("calibrate", tiny, tiny, "--reject-for", "coverage=0.8").error
    absent = said("calibrate", bundle, tmp_path / "absent", "--reject-for", "coverage=0.8")
    assert "absent" in absent.error
