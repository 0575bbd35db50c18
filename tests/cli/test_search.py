"""`tellapart search`, as a person uses it."""

import json
from pathlib import Path

import pytest

from .conftest import Said

WORDS = ("--model", "mlp", "--batch-size", "8", "--precision", "float32", "--max-epochs", "2", "--factor", "2")


def test_a_search_ends_with_its_best_trials_and_a_bundle(said: Said, tiny: Path, tmp_path: Path) -> None:
    space = ("--space", "units=4,8", "--space", "learning-rate=1e-3:1e-1:log")
    answer = said("search", tiny, *WORDS, *space, "--out", tmp_path / "found")
    assert answer.status == 0, answer.err
    header, *rows = answer.out.splitlines()
    assert header.split()[:4] == ["trial", "learning_rate", "units", "epochs"]
    losses = [float(row.split()[-2]) for row in rows[:4]]
    assert losses == sorted(losses)
    assert f"bundle: {tmp_path / 'found' / 'final' / 'bundle'}" in answer.out
    assert "accuracy" in answer.out
    for on in ((), ("--on", "ray", "--workers", 2)):  # no cluster is started for what is finished
        again = said("search", tiny, *WORDS, *space, "--out", tmp_path / "found", *on)
        assert again.out == answer.out
        assert "Ray" not in again.err
    assert said("predict", tmp_path / "found" / "final" / "bundle", tiny / "red" / "00.png").status == 0


def test_trials_that_diverged_are_named(said: Said, tiny: Path, tmp_path: Path) -> None:
    words = ("--space", "learning-rate=900,1000", "--units", 4, "--size", "6x9", "--out", tmp_path / "found")
    answer = said("search", tiny, *WORDS, *words, "--json")
    assert answer.status == 0, answer.err
    found = json.loads(answer.out)
    assert "diverged" in {reason["kind"] for trial in found["trials"] for reason in trial["warnings"]}
    assert "warning: trial " in answer.err
    assert f"warning: the winner, trained again: {found['warnings'][0]['sentence']}" in answer.err


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--space", "unit=1:2"], "did you mean units"),
        (["--space", "units=9:3"], "9 is above 3"),
        (["--space", "units=0:3"], "expected 1 to 65536"),
        ([], "--space learning_rate"),
        (["--space", "units=4,8", "--epochs", "3"], "--max-epochs"),
        (["--space", "units=4,8", "--factor", "1"], "factor is 1"),
        (["--space", "units=4,8", "--workers", "0"], "workers is 0"),
        (["--space", "units=4,8", "--on", "dask"], "expected ray"),
        (["--space", "units=4,8", "--on", "ray", "--factor", "1"], "factor is 1"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_one_sentence(
    said: Said, tiny: Path, tmp_path: Path, words: list[str], phrase: str
) -> None:
    assert phrase in said("search", tiny, "--model", "mlp", *words, "--out", tmp_path / "new").error
    assert not (tmp_path / "new").exists()


def test_a_mistyped_space_is_refused_before_any_image_is_looked_for(said: Said, tmp_path: Path) -> None:
    refused = said("search", tmp_path / "nowhere", "--space", "unit=1:2", "--out", tmp_path / "new")
    assert "did you mean units" in refused.error
