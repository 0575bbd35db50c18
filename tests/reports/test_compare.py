"""Comparison of runs: shared images, refused runs, and paired tests checked against calculations by hand."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tellapart
from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.errors import BundleError, RunError
from tellapart.judging.evaluation import judge
from tellapart.reports.compare import as_json, compare_runs, holm_correction
from tellapart.reports.compared_runs import read_compared_runs, shared_predictions
from tellapart.reports.comparison_tables import comparison_html
from tellapart.training.final_evaluation import UNCALIBRATED
from tellapart.training.run import Run

from .made_up_runs import CLASSES, made_up_run, predictions

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, trained: Run) -> Make:
    """Make a run of that name from its predictions; those of a split may be None."""

    def make_run(
        name: str,
        test: StoredPredictions | None,
        validation: StoredPredictions | None = None,
        classes: tuple[str, ...] = CLASSES,
    ) -> Path:
        by_split = {"test": test, "validation": validation}
        stored = {split: value for split, value in by_split.items() if value is not None}
        return made_up_run(tmp_path / name, trained, stored, classes=classes)

    return make_run


def test_mcnemar_of_two_runs_equals_a_calculation_by_hand(make: Make) -> None:
    # Of 20 images both predict 5 correctly, only b 9, only a 1: 2 * (1 + 10) / 2^10, both tails of 10 coin tosses.
    folders = make("a", predictions([*range(5), 19])), make("b", predictions([*range(5), *range(5, 14)]))
    (pair,) = compare_runs(folders).pairs
    assert (pair.run, pair.against) == ("b", "a")
    assert (pair.comparison.mcnemar.only_a, pair.comparison.mcnemar.only_b) == (9, 1)
    assert pair.p_value == pair.comparison.mcnemar.p_value == pytest.approx(22 / 1024)
    assert pair.comparison.accuracy_difference.value == pytest.approx(8 / 20)
    # Eight more images have 0.9 instead of 0.05: the mean loss falls by 8 / 20 of the logarithm of the ratio.
    assert pair.comparison.log_loss_difference.value == pytest.approx(-8 / 20 * np.log(0.9 / 0.05), rel=1e-6)


def test_several_pairs_are_corrected_for_their_number(make: Make) -> None:
    correct = {"a": range(4), "b": range(10), "c": range(14)}
    compared = compare_runs([make(name, predictions(numbers)) for name, numbers in correct.items()])
    assert compared.reference is None
    assert [(pair.run, pair.against) for pair in compared.pairs] == [("b", "a"), ("c", "a"), ("c", "b")]
    plain = [2 / 2**6, 2 / 2**10, 2 / 2**4]
    assert [pair.comparison.mcnemar.p_value for pair in compared.pairs] == pytest.approx(plain)
    assert [pair.p_value for pair in compared.pairs] == pytest.approx([2 * plain[0], 3 * plain[1], plain[2]])


def test_holm_equals_a_calculation_by_hand() -> None:
    assert holm_correction([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm_correction([0.6, 0.7]) == (1, 1)
    assert holm_correction([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_is_between_no_correction_and_bonferronis(p_values: list[float]) -> None:
    corrected_values = holm_correction(p_values)
    for p_value, corrected in zip(p_values, corrected_values, strict=True):
        assert p_value <= corrected <= min(1, len(p_values) * p_value)
    order = np.argsort(p_values)
    assert (np.diff(np.array(corrected_values)[order]) >= 0).all()


def test_more_than_four_are_tested_against_the_best_on_validation(make: Make) -> None:
    # d is best on validation and e on test: the reference of the tests is not chosen by test images.
    chosen = {"a": 3, "b": 4, "c": 5, "d": 9, "e": 8}
    folders = [
        make(name, predictions(range(10 + place)), predictions(range(100, 100 + right), n=12, start=100))
        for place, (name, right) in enumerate(chosen.items())
    ]
    compared = compare_runs(folders)
    assert compared.reference == "d"
    assert [(pair.run, pair.against) for pair in compared.pairs] == [(name, "d") for name in "abce"]


def test_without_validation_the_first_of_many_is_the_reference_and_a_note_says_so(make: Make) -> None:
    compared = compare_runs([make(name, predictions(range(9))) for name in "edcba"])
    assert compared.validation is None
    assert compared.reference == "e"
    assert "share no validation image" in compared.notes[0]
    assert "tested against e, the first run" in compared.notes[1]


def test_only_shared_images_are_used_and_the_others_are_counted(make: Make) -> None:
    first, second = predictions(range(20)), predictions(range(15, 25), n=20, start=10)
    compared = compare_runs([make("a", first), make("b", second)])
    assert compared.test.n == 10
    assert compared.test.left_out == {"a": 10, "b": 10}
    assert compared.test.evaluations["a"].accuracy.value == 1
    assert compared.test.evaluations["b"].accuracy.value == 0.5
    assert any("10 images" in note and "10 of 20 of a" in note for note in compared.notes)


def test_the_order_of_the_images_and_of_the_classes_does_not_matter(make: Make) -> None:
    first, second = predictions(range(12)), predictions(range(9))
    turned = second.take([*reversed(range(20))])
    columns = [2, 0, 1]  # red, blue, green
    relabelled = replace(turned, labels=np.array([1, 2, 0], np.int32)[turned.labels], probs=turned.probs[:, columns])
    straight = compare_runs([make("a", first), make("b", second)])
    crooked = compare_runs([make("x/a", first), make("x/b", relabelled, classes=("red", "blue", "green"))])
    assert [pair.comparison for pair in crooked.pairs] == [pair.comparison for pair in straight.pairs]
    assert crooked.test.evaluations["b"].as_json(detailed=True) == straight.test.evaluations["b"].as_json(detailed=True)


def test_duplicates_are_matched_one_to_one_and_other_labels_are_left_out(make: Make) -> None:
    first = predictions(range(20)).take([0, 0, 0, 1, 2])  # image 0 three times
    second = predictions(range(20)).take([0, 0, 1, 2])
    relabelled = replace(second, labels=np.array([0, 0, 1, 0], np.int32))  # image 2 has another label
    runs = read_compared_runs([make("a", first), make("b", second)])
    shared = shared_predictions(runs, "test")
    assert shared
    assert (shared.n, shared.left_out) == (4, {"a": 1, "b": 0})
    assert compare_runs([make("c", first), make("d", relabelled)]).test.n == 3


def test_the_numbers_of_real_runs_are_those_of_their_metrics(trained: Run, tmp_path: Path) -> None:
    again = shutil.copytree(trained.folder, tmp_path / "again")
    compared = compare_runs([trained.folder, again])
    assert compared.validation
    for split in (compared.test, compared.validation):
        for evaluation in split.evaluations.values():
            stored = trained.metrics[split.split]
            assert evaluation.as_json() == {name: stored[name] for name in stored if name != UNCALIBRATED}
    (pair,) = compared.pairs
    assert (pair.comparison.mcnemar.only_a, pair.comparison.mcnemar.only_b, pair.p_value) == (0, 0, 1)
    assert pair.comparison.log_loss_difference.value == 0
    assert compared.notes == ()


def test_folders_with_the_same_name_are_distinguished_by_their_parents(make: Make) -> None:
    runs = read_compared_runs([make("x/run", predictions(range(3))), make("y/run", predictions(range(3)))])
    assert [run.name for run in runs] == ["x/run", "y/run"]


def test_a_search_is_compared_by_its_final_run(make: Make, trained: Run, tmp_path: Path) -> None:
    made_up_run(tmp_path / "search" / "final", trained, {"test": predictions(range(9))})
    runs = read_compared_runs([tmp_path / "search", make("a", predictions(range(3)))])
    assert [run.name for run in runs] == ["search", "a"]
    assert runs[0].folder == tmp_path / "search" / "final"


def test_a_comparison_is_json(make: Make) -> None:
    compared = compare_runs(
        [
            make("a", predictions(range(9)), predictions(range(5))),
            make("b", predictions(range(14)), predictions(range(5))),
        ]
    )
    content = json.loads(json.dumps(as_json(compared)))
    assert content.keys() == {"runs", "test", "validation", "reference", "comparisons", "notes"}
    expected = judge(predictions(range(9)).labels, predictions(range(9)).probs, CLASSES).as_json()
    assert content["test"]["runs"]["a"] == expected
    (pair,) = content["comparisons"]
    assert (pair["run"], pair["against"], pair["mcnemar"]["only_a"]) == ("b", "a", 5)
    assert pair["holm_p_value"] == pytest.approx(2 / 2**5)


def test_folders_that_are_not_finished_runs_are_refused(make: Make, trained: Run, tmp_path: Path) -> None:
    run = make("a", predictions(range(9)))
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "link").symlink_to(run)
    for folders, message in [
        ([run], "too few runs to compare: 1, expected two or more"),
        ([], "expected two or more"),
        ([run, tmp_path / "absent"], "absent is not a folder"),
        ([run, run / "metrics.json"], r"metrics\.json is not a folder"),
        ([run, tmp_path / "unfinished"], r"unfinished is not a finished run: it has no metrics\.json"),
        ([run, trained.bundle.folder], "is a bundle, .* name its run"),
        ([run, run], "named 2 times, expected different runs"),
        ([run, tmp_path / "link"], "named 2 times"),
    ]:
        with pytest.raises(RunError, match=message):
            compare_runs(folders)


def test_runs_that_cannot_be_compared_are_refused(make: Make) -> None:
    run = make("a", predictions(range(9)))
    bare = make("bare", None)
    for other, message in [
        (make("other", predictions(range(9)), classes=("blue", "green", "teal")), "only one of them has red, teal"),
        (make("apart", predictions(range(50, 60), start=50)), r"share no test image .*\(a has 20, apart has 20\)"),
        (make("chosen", None, predictions(range(9))), "chosen was not evaluated on test images"),
        (bare, "bare has no predictions to compare: train it again"),
    ]:
        with pytest.raises(RunError, match=message):
            compare_runs([run, other])


def test_damaged_predictions_and_bundles_are_refused(make: Make) -> None:
    run, damaged, unlike, broken = (make(name, predictions(range(9))) for name in ("a", "damaged", "unlike", "broken"))
    (damaged / "answers" / "test.npz").write_bytes(b"no archive")
    unknown = replace(predictions(range(9)), labels=np.full(20, 3, np.int32))
    shutil.copy(make("unknown", unknown) / "answers" / "test.npz", unlike / "answers" / "test.npz")
    (broken / "bundle" / "bundle.json").write_text("{}")
    for other, kind, message in [
        (damaged, RunError, "cannot be read"),
        (unlike, RunError, "its arrays do not belong together"),
        (broken, BundleError, "format None"),
    ]:
        with pytest.raises(kind, match=message):
            compare_runs([run, other])


def test_groups_that_one_run_knows_are_those_of_all(make: Make, tmp_path: Path) -> None:
    senders = tuple(f"sender {i // 5}" for i in range(20))
    a, b = make("a", predictions(range(8))), make("b", replace(predictions(range(15)), groups=senders))
    alone = compare_runs([a, make("c", predictions(range(15)))])
    compared = compare_runs([a, b])
    (pair,), (without,) = compared.pairs, alone.pairs
    assert pair.comparison.groups == 4
    # Only b predicts 2 and 5 images of two senders correctly: chance gives both to b in 2 of 4 cases, or both to a.
    assert pair.p_value == pytest.approx(0.5)
    assert without.p_value == pytest.approx(2 / 2**7)
    found = json.loads(json.dumps(as_json(compared)))
    assert list(found["test"])[:2] == ["n", "groups"]
    assert found["test"]["groups"] == found["comparisons"][0]["groups"] == 4
    (untold,) = json.loads(json.dumps(as_json(alone)))["comparisons"]
    assert "groups" not in untold
    assert any("no interval can be trusted" in note for note in compared.notes)
    page = comparison_html(compared, created="today")
    assert "test images of 4 groups" in page


def test_runs_may_be_named_or_open() -> None:
    with pytest.raises(RunError, match="expected two or more"):
        tellapart.compare("runs/a")
    with pytest.raises(RunError, match="nowhere"):
        tellapart.compare(Run(Path("nowhere")), "runs/b")
