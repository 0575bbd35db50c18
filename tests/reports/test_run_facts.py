"""Facts about a run: curves, size and speed, environment, skipped files, command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart import Dataset
from tellapart.errors import RunError
from tellapart.recipe import Recipe
from tellapart.reports import run_facts
from tellapart.reports.run_facts import (
    command_line,
    draw_learning_curves,
    environment_values,
    ladder_notes,
    read_ladder_steps,
    read_learning_curve,
    recipe_values,
    size_and_speed,
    skipped_files,
)
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run

from .histories import epochs, write_history

HEADER = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"


def folder_of(tmp_path: Path, **files: str) -> Run:
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_text(content)
    return Run(tmp_path)


def names(run: Run) -> list[str]:
    drawing = draw_learning_curves(run)
    assert drawing is not None
    return [trace["name"] for trace in json.loads(drawing.figure.to_json() or "{}")["data"]]


def test_the_curves_are_those_of_the_history(run: Run) -> None:
    drawing = draw_learning_curves(run)
    assert drawing is not None
    data = json.loads(drawing.figure.to_json() or "{}")["data"]
    assert len(data) >= 2
    assert {len(trace["x"]) for trace in data if trace["x"] != [None]} == {4}  # but for entries of the legend


def test_without_a_history_there_are_no_curves(tmp_path: Path) -> None:
    assert draw_learning_curves(Run(tmp_path)) is None


def test_stages_are_drawn_on_the_same_axes(run: Run) -> None:
    stages = ("stage-1", "stage-2")
    content = (run.folder / "history.csv").read_text()
    (run.folder / "history.csv").unlink()
    for stage in stages:
        (run.folder / stage).mkdir(parents=True)
        (run.folder / stage / "history.csv").write_text(content)
    shown = " ".join(names(run))
    assert all(stage in shown for stage in stages)


@pytest.mark.parametrize(
    "content",
    [f"{HEADER}\n1,0.5,0.9", f"{HEADER}\nx,1,1,1,1,1,1", f"{HEADER}\n1,,1,1,1,1,1", "epoch,loss\n1,2", "\udcff"],
)
def test_a_damaged_history_is_an_error(run: Run, content: str) -> None:
    (run.folder / "history.csv").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(RunError, match=r"cannot be read .* remove it, or train again"):
        draw_learning_curves(run)


def test_size_and_speed_are_measured(run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_facts, "MAX_TIMED", 2)
    dataset = draw_all_splits(Dataset.open(tiny), run.recipe)[0]
    size, parameters, speed = size_and_speed(run, dataset)
    stored = sum(path.stat().st_size for path in run.bundle.folder.iterdir())
    assert size.value == f"{stored / 1e6:.1f} MB"
    assert parameters.value == f"{20 * 20 * 3 * 128 + 128 + 128 * 3 + 3:,}"
    assert speed.value.endswith(" ms")
    assert 0 < float(speed.value.removesuffix(" ms")) < 10_000
    assert [line.name for line in size_and_speed(run, None)] == ["bundle", "parameters"]


def test_the_environment_is_listed(run: Run) -> None:
    versions = {value.name: value.value for value in environment_values(run)}
    assert {"tellapart", "python", "platform", "keras", "openvino"} <= versions.keys()
    assert all(versions.values())


def test_skipped_files_are_listed_with_the_reason(tmp_path: Path) -> None:
    run = folder_of(tmp_path)
    assert list(skipped_files(run)) == []
    (tmp_path / "skipped.csv").write_bytes(b'path,reason\n"a, b.png",cut short\ncaf\xe9.png,empty\n')
    skipped = [(value.name, value.value) for value in skipped_files(run)]
    assert skipped == [("a, b.png", "cut short"), ("caf\udce9.png", "empty")]


def test_of_many_skipped_files_the_first_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,broken\n" for number in range(1234))
    *listed, last = skipped_files(folder_of(tmp_path, skipped=f"path,reason\n{rows}"))
    assert len(listed) == run_facts.MAX_SKIPPED
    assert (last.name, last.value) == ("total", "1,234")
    assert "skipped.csv" in last.meaning


def test_ladder_steps_are_sentences(tmp_path: Path) -> None:
    assert list(ladder_notes(Run(tmp_path))) == []
    header = "name,change,forecast_s,took_s,accuracy,loss,kept"
    run = folder_of(tmp_path, ladder=f"{header}\nlinear head,,9,12.4,0.9012,0.3,True\ntuned head,,9,80,0.9,0.3,False\n")
    assert list(ladder_notes(run)) == [
        "Step linear head: 12 s, validation accuracy 90.1%, kept.",
        "Step tuned head: 80 s, validation accuracy 90.0%, no gain.",
    ]


def test_the_command_can_be_copied(run: Run) -> None:
    environment = json.loads((run.folder / "environment.json").read_text())
    environment["command"] = ["/usr/local/bin/tellapart", "train", "my photos", "--effort", "quick"]
    (run.folder / "environment.json").write_text(json.dumps(environment))
    assert command_line(run) == "tellapart train 'my photos' --effort quick"
    environment["command"] = []
    (run.folder / "environment.json").write_text(json.dumps(environment))
    assert command_line(Run(run.folder)) == ""


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
    assert {"model": "xception", "size": "150"}.items() <= recipe_values(Run(tmp_path)).items()
    replace(recipe, dropout=0.2).write(tmp_path / "winner.toml")
    values = recipe_values(Run(tmp_path))
    assert values["dropout"] == "0.2 (set: the default)"
    assert values["size"] == "150"


@pytest.mark.parametrize(
    ("recipe", "present", "absent"),
    [
        (Recipe(model="forest", trees=50, features="pixels"), {"trees", "features"}, {"neighbours", "optimizer"}),
        (Recipe(model="knn"), {"neighbours"}, {"trees", "epochs", "dropout"}),
        (
            Recipe(model="cnn", weights="none", views=4),
            {"loss", "units", "seed"},
            {"neighbours", "trees", "views", "ema", "mirror"},
        ),
        (Recipe(model="xception", label_smoothing=0.1), {"label_smoothing", "loss"}, {"neighbours", "augment"}),
    ],
)
def test_only_settings_that_apply_are_listed(
    recipe: Recipe, present: set[str], absent: set[str], tmp_path: Path
) -> None:
    recipe.write(tmp_path / "recipe.toml")
    values = recipe_values(Run(tmp_path))
    assert present <= values.keys()
    assert not absent & values.keys()
