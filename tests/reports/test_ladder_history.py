"""The history of a run: ladder steps, learning curve, recipe, and damaged files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.errors import RunError
from tellapart.recipe import Recipe
from tellapart.reports.ladder_history import read_ladder_steps, read_learning_curve, recipe_values
from tellapart.reports.run_facts import draw_learning_curves
from tellapart.training.run import Run

from .histories import epochs, write_history


def write_ladder(folder: Path, *steps: str) -> None:
    """Write a ladder.csv with these steps, each `name,kept`."""
    rows = ((name, "", 9, 12.5, 0.75, 0.3, kept) for name, kept in (step.split(",") for step in steps))
    lines = ["name,change,forecast_s,took_s,accuracy,loss,kept", *(",".join(map(str, row)) for row in rows)]
    (folder / "ladder.csv").write_text("\n".join(lines) + "\n")


def test_steps_are_read_with_their_folders(tmp_path: Path) -> None:
    assert read_ladder_steps(tmp_path) == ()
    write_ladder(tmp_path, "linear head,True", "tuned head,False")
    (tmp_path / "steps" / "2-tuned-head").mkdir(parents=True)
    first, second = read_ladder_steps(tmp_path)
    assert (first.name, first.seconds, first.accuracy, first.kept) == ("linear head", 12.5, 0.75, True)
    assert (second.folder, second.kept) == (tmp_path / "steps" / "2-tuned-head", False)


@pytest.mark.parametrize("content", [b"name\nlinear head\n", b"name,took_s,accuracy,kept\na,x,0.5,True\n", b"\xff\xfe"])
def test_a_damaged_ladder_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ladder.csv").write_bytes(content)
    with pytest.raises(RunError, match=r"ladder\.csv cannot be read"):
        read_ladder_steps(tmp_path)


def test_a_learning_curve_spans_the_stages_of_a_run(tmp_path: Path) -> None:
    for stage, rows in (("", epochs(0.1, 0.2)), ("stage-2", epochs(0.3)), ("stage-10", epochs(0.4, 0.5))):
        write_history(tmp_path / stage / "history.csv", rows)
    assert [(row.epoch, row.val_accuracy) for row in read_learning_curve(tmp_path)] == [
        (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4), (5, 0.5),
    ]  # fmt: skip


def test_the_learning_curve_on_the_ladder_is_that_of_the_last_step_kept(tmp_path: Path) -> None:
    write_ladder(tmp_path, "linear head,True", "tuned head,True", "last block,False")
    write_history(tmp_path / "steps" / "1-linear-head" / "history.csv", epochs(0.1))
    for number, rows in enumerate((epochs(0.6, 0.3), epochs(0.7, 0.2), epochs(0.5, 0.5)), start=1):
        write_history(tmp_path / "steps" / "2-tuned-head" / str(number) / "history.csv", rows)
    write_history(tmp_path / "steps" / "3-last-block" / "history.csv", epochs(0.9))
    assert [row.val_accuracy for row in read_learning_curve(tmp_path)] == [0.7, 0.2]


def test_a_run_without_epochs_has_no_curve_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    assert read_learning_curve(tmp_path) == ()
    (tmp_path / "history.csv").write_text("epoch\nmany\n")
    with pytest.raises(RunError, match=r"history\.csv cannot be read"):
        read_learning_curve(tmp_path)
    (tmp_path / "ladder.csv").write_text("name\nlinear head\n")
    with pytest.raises(RunError, match=r"ladder\.csv cannot be read"):
        read_learning_curve(tmp_path)


def test_a_report_draws_the_best_trial_of_each_ladder_step(tmp_path: Path) -> None:
    write_ladder(tmp_path, "linear head,True", "tuned head,True")
    write_history(tmp_path / "steps" / "1-linear-head" / "history.csv", epochs(0.1))
    for number, rows in enumerate((epochs(0.6, 0.3), epochs(0.7, 0.2)), start=1):
        write_history(tmp_path / "steps" / "2-tuned-head" / str(number) / "history.csv", rows)
    drawing = draw_learning_curves(Run(tmp_path))
    assert drawing is not None
    traces = json.loads(drawing.figure.to_json() or "{}")["data"]
    drawn = [list(trace["y"]) for trace in traces]
    assert [0.7, 0.2] in drawn
    assert [0.6, 0.3] not in drawn
    assert any("tuned head" in trace["name"] for trace in traces)


def test_the_recipe_is_the_winners_with_the_original_settings(tmp_path: Path) -> None:
    recipe = Recipe(model="xception", size=150)
    recipe.write(tmp_path / "recipe.toml")
    assert recipe_values(Run(tmp_path)) == {name: str(value) for name, value in recipe.as_dict().items()}
    replace(recipe, dropout=0.2).write(tmp_path / "winner.toml")
    values = recipe_values(Run(tmp_path))
    assert values["dropout"] == "0.2 (set: the default)"
    assert values["size"] == "150"
