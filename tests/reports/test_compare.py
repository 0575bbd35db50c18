"""Runs beside each other: which images count, which runs are refused, and tests whose numbers are done by hand."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.errors import BundleError, RunError
from tellapart.judging.judge import judge
from tellapart.reports.compare import as_json, compare_runs, holm
from tellapart.reports.compared_runs import common, read_compared_runs
from tellapart.training.run import Run

from .rivals import CLASSES, made_up, said

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, trained: Run) -> Make:
    """Make a run of that name from its test answers, and validation answers unless None."""

    def one(
        name: str,
        test: StoredPredictions | None,
        validation: StoredPredictions | None = None,
        classes: tuple[str, ...] = CLASSES,
    ) -> Path:
        answers = {"test": test, "validation": validation}
        found = {split: answer for split, answer in answers.items() if answer is not None}
        return made_up(tmp_path / name, trained, found, classes=classes)

    return one


def test_mcnemar_of_two_runs_is_as_done_by_hand(make: Make) -> None:
    # Of 20 images both have 5 right, only b 9, only a 1: 2 * (1 + 10) / 2^10, two sides of a coin thrown 10 times.
    folders = make("a", said([*range(5), 19])), make("b", said([*range(5), *range(5, 14)]))
    (pair,) = compare_runs(folders).pairs
    assert (pair.run, pair.against) == ("b", "a")
    assert (pair.found.mcnemar.only_a, pair.found.mcnemar.only_b) == (9, 1)
    assert pair.p_value == pair.found.mcnemar.p_value == pytest.approx(22 / 1024)
    assert pair.found.accuracy_difference.value == pytest.approx(8 / 20)
    # Eight images more get 0.9 and no longer 0.05: the mean loss falls by 8 / 20 of the logarithm of their ratio.
    assert pair.found.log_loss_difference.value == pytest.approx(-8 / 20 * np.log(0.9 / 0.05), rel=1e-6)


def test_several_pairs_are_corrected_for_their_number(make: Make) -> None:
    rights = {"a": range(4), "b": range(10), "c": range(14)}
    found = compare_runs([make(name, said(right)) for name, right in rights.items()])
    assert found.reference is None
    assert [(pair.run, pair.against) for pair in found.pairs] == [("b", "a"), ("c", "a"), ("c", "b")]
    plain = [2 / 2**6, 2 / 2**10, 2 / 2**4]
    assert [pair.found.mcnemar.p_value for pair in found.pairs] == pytest.approx(plain)
    assert [pair.p_value for pair in found.pairs] == pytest.approx([2 * plain[0], 3 * plain[1], plain[2]])


def test_holm_equals_numbers_done_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1, 1)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferronis(p_values: list[float]) -> None:
    found = holm(p_values)
    for p_value, corrected in zip(p_values, found, strict=True):
        assert p_value <= corrected <= min(1, len(p_values) * p_value)
    order = np.argsort(p_values)
    assert (np.diff(np.array(found)[order]) >= 0).all()


def test_more_than_four_are_tested_against_the_best_on_validation(make: Make) -> None:
    # On validation d is best, on test e is: what is tested on test is not chosen by test.
    chosen = {"a": 3, "b": 4, "c": 5, "d": 9, "e": 8}
    folders = [
        make(name, said(range(10 + place)), said(range(100, 100 + right), n=12, start=100))
        for place, (name, right) in enumerate(chosen.items())
    ]
    found = compare_runs(folders)
    assert found.reference == "d"
    assert [(pair.run, pair.against) for pair in found.pairs] == [(name, "d") for name in "abce"]


def test_without_validation_the_first_of_many_is_the_reference_and_that_is_said(make: Make) -> None:
    found = compare_runs([make(name, said(range(9))) for name in "edcba"])
    assert found.validation is None
    assert found.reference == "e"
    assert "No validation image is common to all" in found.notes[0]
    assert "So e, which was named first" in found.notes[1]


def test_only_images_common_to_all_count_and_the_others_are_told(make: Make) -> None:
    one, other = said(range(20)), said(range(15, 25), n=20, start=10)
    found = compare_runs([make("a", one), make("b", other)])
    assert found.test.n == 10
    assert found.test.left_out == {"a": 10, "b": 10}
    assert found.test.evaluations["a"].accuracy.value == 1
    assert found.test.evaluations["b"].accuracy.value == 0.5
    assert any("10 images" in note and "10 of 20 of a" in note for note in found.notes)


def test_the_order_of_the_images_and_of_the_classes_does_not_matter(make: Make) -> None:
    one, other = said(range(12)), said(range(9))
    turned = other.take([*reversed(range(20))])
    columns = [2, 0, 1]  # red, blue, green
    relabelled = replace(turned, labels=np.array([1, 2, 0], np.int32)[turned.labels], probs=turned.probs[:, columns])
    straight = compare_runs([make("a", one), make("b", other)])
    crooked = compare_runs([make("x/a", one), make("x/b", relabelled, classes=("red", "blue", "green"))])
    assert [pair.found for pair in crooked.pairs] == [pair.found for pair in straight.pairs]
    assert crooked.test.evaluations["b"].as_json(detailed=True) == straight.test.evaluations["b"].as_json(detailed=True)


def test_copies_are_matched_one_to_one_and_other_labels_are_left_out(make: Make) -> None:
    first = said(range(20)).take([0, 0, 0, 1, 2])  # three copies of the image 0
    second = said(range(20)).take([0, 0, 1, 2])
    strange = replace(second, labels=np.array([0, 0, 1, 0], np.int32))  # the image 2 is called otherwise
    contenders = read_compared_runs([make("a", first), make("b", second)])
    found = common(contenders, "test")
    assert found
    assert (found.n, found.left_out) == (4, {"a": 1, "b": 0})
    assert compare_runs([make("c", first), make("d", strange)]).test.n == 3


def test_the_numbers_of_real_runs_are_those_of_their_metrics(trained: Run, tmp_path: Path) -> None:
    again = shutil.copytree(trained.folder, tmp_path / "again")
    found = compare_runs([trained.folder, again])
    assert found.validation
    for side in (found.test, found.validation):
        for evaluation in side.evaluations.values():
            assert evaluation.as_json() == trained.metrics[side.split]
    (pair,) = found.pairs
    assert (pair.found.mcnemar.only_a, pair.found.mcnemar.only_b, pair.p_value) == (0, 0, 1)
    assert pair.found.log_loss_difference.value == 0
    assert found.notes == ()


def test_folders_of_one_name_are_told_apart_by_what_they_lie_in(make: Make) -> None:
    found = read_compared_runs([make("x/run", said(range(3))), make("y/run", said(range(3)))])
    assert [one.name for one in found] == ["x/run", "y/run"]


def test_a_search_is_compared_by_its_final_run(make: Make, trained: Run, tmp_path: Path) -> None:
    made_up(tmp_path / "search" / "final", trained, {"test": said(range(9))})
    found = read_compared_runs([tmp_path / "search", make("a", said(range(3)))])
    assert [one.name for one in found] == ["search", "a"]
    assert found[0].folder == tmp_path / "search" / "final"


def test_all_of_it_is_json(make: Make) -> None:
    found = compare_runs([make("a", said(range(9)), said(range(5))), make("b", said(range(14)), said(range(5)))])
    facts = json.loads(json.dumps(as_json(found)))
    assert facts.keys() == {"runs", "test", "validation", "reference", "comparisons", "notes"}
    right = judge(said(range(9)).labels, said(range(9)).probs, CLASSES).as_json()
    assert facts["test"]["runs"]["a"] == right
    (pair,) = facts["comparisons"]
    assert (pair["run"], pair["against"], pair["mcnemar"]["only_a"]) == ("b", "a", 5)
    assert pair["holm_p_value"] == pytest.approx(2 / 2**5)


def test_what_is_no_finished_run_is_refused(make: Make, trained: Run, tmp_path: Path) -> None:
    run = make("a", said(range(9)))
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "link").symlink_to(run)
    for folders, words in [
        ([run], "too few runs to compare: 1, expected two or more"),
        ([], "expected two or more"),
        ([run, tmp_path / "absent"], "absent is no folder"),
        ([run, run / "metrics.json"], r"metrics\.json is no folder"),
        ([run, tmp_path / "unfinished"], r"unfinished is no finished run: it has no metrics\.json"),
        ([run, trained.bundle.folder], "is a bundle, .* name its run"),
        ([run, run], "named 2 times, expected different runs"),
        ([run, tmp_path / "link"], "named 2 times"),
    ]:
        with pytest.raises(RunError, match=words):
            compare_runs(folders)


def test_runs_that_cannot_be_set_beside_each_other_are_refused(make: Make) -> None:
    run = make("a", said(range(9)))
    bare = make("bare", None)
    for other, words in [
        (make("other", said(range(9)), classes=("blue", "green", "teal")), "only one of them knows red, teal"),
        (make("apart", said(range(50, 60), start=50)), r"no test image is common .*\(a has 20, apart has 20\)"),
        (make("chosen", None, said(range(9))), "chosen was not judged on test images"),
        (bare, "bare has no answers to compare: train it again"),
    ]:
        with pytest.raises(RunError, match=words):
            compare_runs([run, other])


def test_damaged_answers_and_bundles_are_refused(make: Make) -> None:
    run, damaged, unlike, broken = (make(name, said(range(9))) for name in ("a", "damaged", "unlike", "broken"))
    (damaged / "answers" / "test.npz").write_bytes(b"no archive")
    strange = replace(said(range(9)), labels=np.full(20, 3, np.int32))
    shutil.copy(make("strange", strange) / "answers" / "test.npz", unlike / "answers" / "test.npz")
    (broken / "bundle" / "bundle.json").write_text("{}")
    for other, kind, words in [
        (damaged, RunError, "cannot be read"),
        (unlike, RunError, "they are not its bundle's"),
        (broken, BundleError, "format None"),
    ]:
        with pytest.raises(kind, match=words):
            compare_runs([run, other])
