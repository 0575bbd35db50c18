"""`tellapart cross-validate` as a person sees it."""

import json
from pathlib import Path

import pytest

from tellapart import Dataset, Recipe
from tellapart.studies.folds import cross_validate as module
from tellapart.training.prepare import draw_all_splits

from .conftest import Said

WORDS = ("--model", "knn", "--features", "pixels", "--size", 20, "--folds", 3)


def test_it_prints_a_row_for_each_fold_and_says_what_is_left_alone(said: Said, tiny: Path, tmp_path: Path) -> None:
    answer = said("cross-validate", tiny, *WORDS, "--out", tmp_path / "folds")
    assert answer.status == 0
    test = len(draw_all_splits(Dataset.open(tiny), Recipe())[0].splits["test"])
    lines = answer.out.splitlines()
    assert lines[0].split() == ["fold", "n", "accuracy", "log-loss", "macro", "F1", "epoch"]
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert lines[4].startswith("mean ")
    assert lines[5].startswith("standard deviation ")
    assert f" of {36 - test}" in next(line for line in lines if line.startswith("all images as one"))
    assert f"3 folds of {36 - test} images" in answer.err
    assert f"{test} test images are not used" in answer.err
    assert "fold 2 of 3: accuracy" in answer.err
    names = {path.name for path in (tmp_path / "folds").iterdir()}
    assert {"folds.csv", "folds.json", "out_of_fold.npz", "recipe.toml"} <= names


def test_a_fold_that_diverged_is_named_and_stays_so(said: Said, tiny: Path, tmp_path: Path) -> None:
    words = ("--model", "mlp", "--units", 4, "--size", "6x9", "--learning-rate", 1000, "--epochs", 2, "--folds", 2)
    answer = said("cross-validate", tiny, *words, "--out", tmp_path / "folds", "--json")
    assert answer.status == 0, answer.err
    warnings = json.loads(answer.out)["warnings"]
    assert {(reason["fold"], reason["kind"]) for reason in warnings} >= {(1, "diverged"), (2, "diverged")}
    assert "warning: fold 2: the training diverged: the validation loss" in answer.err
    again = said("cross-validate", tiny, *words, "--out", tmp_path / "folds", "--json")
    assert json.loads(again.out)["warnings"] == warnings


def test_without_a_folder_named_it_takes_one_below_folds(
    said: Said, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said("cross-validate", tiny, *WORDS).status == 0
    assert (tmp_path / "folds" / "tiny-knn" / "folds.json").is_file()
    assert (
        "contains another cross-validation: there were 3 folds, now 2"
        in said("cross-validate", tiny, *WORDS[:-1], 2).error
    )


@pytest.mark.parametrize(
    ("count", "phrase"),
    [(1, "expected 2 to 1,000"), (1000, "distinct images, but 1000 folds need"), (0, "folds is 0")],
)
def test_a_number_of_folds_that_cannot_be_is_a_sentence(
    count: int, phrase: str, said: Said, tiny: Path, tmp_path: Path
) -> None:
    assert phrase in said("cross-validate", tiny, "--model", "mlp", "--folds", count, "--out", tmp_path / "folds").error
    assert not (tmp_path / "folds").exists()


def test_a_stopped_command_says_that_it_goes_on(
    said: Said, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "make_learner", stopped)
        answer = said("cross-validate", tiny, *WORDS, "--out", tmp_path)
    assert answer.status == 130
    assert "the same command resumes" in answer.err
    assert said("cross-validate", tiny, *WORDS, "--out", tmp_path).status == 0


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (("--workers", 2), "--workers is about a cluster"),
        (("--on", "dask"), "expected ray, or ray://HOST:PORT"),
        (("--on", "ray", "--folds", 1), "folds is 1"),
    ],
)
def test_what_others_cannot_do_is_refused_before_a_cluster_is_started(
    words: tuple[str | int, ...], phrase: str, said: Said, tiny: Path, tmp_path: Path
) -> None:
    answer = said("cross-validate", tiny, "--model", "knn", "--out", tmp_path / "folds", *words)
    assert phrase in answer.error
    assert not (tmp_path / "folds").exists()
    assert "Ray" not in answer.err.replace(answer.error, "")
