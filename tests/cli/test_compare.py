"""`tellapart compare` as a person sees it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart import Dataset, train
from tellapart.training.final_evaluation import UNCALIBRATED
from tellapart.training.run import Run

from .conftest import Said


@pytest.fixture(scope="module")
def other(trained: Run, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on the same images that learns less."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        recipe = replace(trained.recipe, units=4, epochs=1, learning_rate=1e-6)
        return train(Dataset.open(tiny), recipe, out=tmp_path_factory.mktemp("runs") / "other")


def test_two_runs_are_printed_test_first_each_split_in_its_own_table(said: Said, trained: Run, other: Run) -> None:
    answer = said("compare", trained.folder, other.folder)
    assert answer.status == 0
    blocks = answer.out.strip().split("\n\n")
    test, validation = (trained.metrics[split]["n"] for split in ("test", "validation"))
    assert blocks[0].startswith(f"test: images that no run was trained or chosen with (n = {test})\nrun")
    assert blocks[1].startswith(f"validation: choices were made with these images (n = {validation})\nrun")
    for block, split in ((blocks[0], "test"), (blocks[1], "validation")):
        names = [line.split()[0] for line in block.splitlines()[2:]]
        assert names == ["tiny", "other"]
        for line, run in zip(block.splitlines()[2:], (trained, other), strict=True):
            facts = run.metrics[split]
            assert f"{facts['accuracy']['value']:.1%} (" in line
            assert f"{facts['log_loss']['value']:.3f} (" in line
    settings = [line.split() for line in blocks[2].splitlines()[2:]]
    assert ["units", "128", "4"] in settings
    assert ["epochs", "4", "1"] in settings
    assert settings[-1][0] == "bundle"
    assert "other vs tiny" in blocks[4]
    assert f"{test} test images" in blocks[5] or "points higher than that of" in blocks[5]


def test_a_copy_of_a_run_is_no_better(said: Said, trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "again")
    answer = said("compare", trained.folder, tmp_path / "again")
    undecided = f"no significant difference in accuracy on {trained.metrics['test']['n']} test images"
    assert f"{undecided}; both have the same number correct" in answer.out
    assert " 0 : 0 " in answer.out


def test_as_json_it_is_one_object_with_the_metrics_of_the_runs(said: Said, trained: Run, other: Run) -> None:
    facts = json.loads(said("compare", trained.folder, other.folder, "--json").out)
    for split in ("test", "validation"):
        for name, run in (("tiny", trained), ("other", other)):
            stored = run.metrics[split]
            assert facts[split]["runs"][name] == {metric: stored[metric] for metric in stored if metric != UNCALIBRATED}
    assert facts["test"]["left_out"] == {"tiny": 0, "other": 0}
    assert facts["comparisons"][0].keys() >= {"run", "against", "n", "accuracy_difference", "mcnemar", "holm_p_value"}


def test_a_page_is_saved_and_its_place_said(said: Said, trained: Run, other: Run, tmp_path: Path) -> None:
    answer = said("compare", trained.folder, other.folder, "--save", tmp_path / "compare.html")
    assert f"saved: {tmp_path / 'compare.html'}" in answer.err
    html = (tmp_path / "compare.html").read_text()
    assert "<title>tiny and other</title>" in html
    assert 'id="history"' in html


def test_a_run_without_test_images_cannot_be_compared(said: Said, trained: Run, tiny: Path, tmp_path: Path) -> None:
    untested = train(Dataset.open(tiny), replace(trained.recipe, epochs=1, test=0.0), out=tmp_path / "run")
    assert "run was not evaluated on test images" in said("compare", trained.folder, untested.folder).error


def test_bad_words_are_a_sentence(said: Said, trained: Run, tmp_path: Path) -> None:
    assert "too few runs to compare: 1" in said("compare", trained.folder).error
    assert "named 2 times" in said("compare", trained.folder, trained.folder).error
    assert "absent is not a folder" in said("compare", trained.folder, tmp_path / "absent").error
    assert "is a bundle" in said("compare", trained.folder, trained.bundle.folder).error
