"""`tellapart sweep`, as a person uses it."""

import json
from pathlib import Path

import pytest

from tellapart import Bundle
from tellapart.recipe import Recipe
from tellapart.training.fitting.loop import Loop

from .conftest import Said

WORDS = ("--model", "mlp", "--batch-size", "8", "--precision", "float32", "--epochs", "2", "--patience", "9")
VARY = ("--vary", "units=4,8", "--vary", "dropout=0,0.5 @ epochs=3")


def test_a_sweep_ends_with_its_trials_the_curves_and_a_bundle(said: Said, tiny: Path, tmp_path: Path) -> None:
    answer = said("sweep", tiny, *WORDS, *VARY, "--out", tmp_path / "swept")
    assert answer.status == 0, answer.err
    header, *rows = answer.out.splitlines()
    assert header.split()[:4] == ["trial", "units", "dropout", "epochs"]
    assert [row.split()[0] for row in rows[:4]] == ["1", "2", "3", "4"]
    assert sum(row.rstrip().endswith("best") for row in rows[:4]) == 1
    assert f"bundle: {tmp_path / 'swept' / 'bundle'}" in answer.out
    judged = Bundle.open(tmp_path / "swept" / "bundle").metrics["test"]["n"]
    assert f"test (n = {judged})" in answer.out
    assert "trial 1: units 4, dropout 0.2, epochs 2; " in answer.err
    assert "s left" in answer.err
    assert (tmp_path / "swept" / "curves.html").exists()
    assert Recipe.read(tmp_path / "swept" / "winner.toml").monitor == "val_accuracy"
    for on in ((), ("--on", "ray", "--workers", 2)):  # no cluster is started for what is finished
        again = said("sweep", tiny, *WORDS, *VARY, "--out", tmp_path / "swept", *on)
        assert (again.status, again.out) == (0, answer.out)
        assert "Ray" not in again.err
    assert said("predict", tmp_path / "swept" / "bundle", tiny / "red" / "00.png").status == 0


def test_a_trial_that_diverged_is_named_in_the_terminal_the_json_and_the_page(
    said: Said, tiny: Path, tmp_path: Path
) -> None:
    words = ("--vary", "learning_rate=1e-3,1000", "--size", "6x9", "--units", "4", "--out", tmp_path / "swept")
    answer = said("sweep", tiny, *WORDS, *words, "--json")
    assert answer.status == 0, answer.err
    trials = json.loads(answer.out)["trials"]
    assert "diverged" in {reason["kind"] for reason in trials[1]["warnings"]}
    assert "diverged" not in {reason["kind"] for reason in trials[0]["warnings"]}
    assert "warning: trial 2 (learning_rate 1000): the training diverged" in answer.err
    assert "Trial 2:</strong> the training diverged" in (tmp_path / "swept" / "curves.html").read_text()
    assert Bundle.open(tmp_path / "swept" / "bundle").preprocessing.width == 9


def test_what_chooses_can_be_the_loss(said: Said, tiny: Path, tmp_path: Path) -> None:
    words = ("--vary", "units=4,8", "--monitor", "val_loss", "--grid")
    assert said("sweep", tiny, *WORDS, *words, "--out", tmp_path / "swept").status == 0
    assert Recipe.read(tmp_path / "swept" / "winner.toml").monitor == "val_loss"


def test_ctrl_c_says_how_to_go_on(said: Said, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "score", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        answer = said("sweep", tiny, *WORDS, *VARY, "--out", tmp_path / "swept")
    assert (answer.status, answer.out) == (130, "")
    assert answer.err.endswith("stopped. The finished trials are kept: the same command resumes\n")
    assert said("sweep", tiny, *WORDS, *VARY, "--out", tmp_path / "swept").status == 0


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        ([], "--vary learning_rate="),
        (["--vary", "unit=1,2"], "did you mean units"),
        (["--vary", "units=4,8", "--vary", "units=9"], "varies twice"),
        (["--vary", "units=0,8"], "expected 1 to 65536"),
        (["--vary", "epochs=2,x"], "epochs is 'x'"),
        (["--vary", "units=4,8 @ epochs=3", "--grid"], "--grid"),
        (["--vary", "units=4,8", "--on", "dask"], "expected ray"),
        (["--vary", "units=4,8", "--workers", "2"], "--workers is about a cluster"),
        (["--vary", "model=mlp,knn", "--on", "ray"], "knn has no epochs"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_in_one_sentence(
    said: Said, tiny: Path, tmp_path: Path, words: list[str], phrase: str
) -> None:
    answer = said("sweep", tiny, "--model", "mlp", *words, "--out", tmp_path / "swept")
    assert phrase in answer.error
    assert not (tmp_path / "swept").exists()


def test_the_folder_of_another_sweep_is_refused(said: Said, tiny: Path, tmp_path: Path) -> None:
    words = (tiny, *WORDS, "--out", tmp_path / "swept")
    assert said("sweep", *words, "--vary", "units=4").status == 0
    answer = said("sweep", *words, "--vary", "units=4,8")
    assert "contains another sweep: it varied units=4, now units=4,8" in answer.error
