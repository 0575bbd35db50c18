"""What a report says beside its judgement."""

import json
from pathlib import Path

import pytest

from tellapart import Dataset
from tellapart.errors import RunError
from tellapart.reports import run_facts
from tellapart.reports.run_facts import (
    climbed,
    command_of,
    environment_of,
    history_of,
    size_and_speed,
    skipped_by,
)
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run

HEADER = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"


def folder_of(tmp_path: Path, **files: str) -> Run:
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_text(content)
    return Run(tmp_path)


def names(run: Run) -> list[str]:
    drawing = history_of(run)
    assert drawing is not None
    return [trace["name"] for trace in json.loads(drawing.figure.to_json() or "{}")["data"]]


def test_the_curves_are_those_of_the_history(run: Run) -> None:
    drawing = history_of(run)
    assert drawing is not None
    data = json.loads(drawing.figure.to_json() or "{}")["data"]
    assert len(data) >= 2
    assert all(len(trace["x"]) == 4 for trace in data)


def test_without_a_history_there_are_no_curves(tmp_path: Path) -> None:
    assert history_of(Run(tmp_path)) is None


def test_stages_are_drawn_one_over_the_other(run: Run) -> None:
    places = ("stage-1", "stage-2")
    content = (run.folder / "history.csv").read_text()
    (run.folder / "history.csv").unlink()
    for place in places:
        (run.folder / place).mkdir(parents=True)
        (run.folder / place / "history.csv").write_text(content)
    shown = " ".join(names(run))
    assert all(place in shown for place in places)


@pytest.mark.parametrize(
    "content",
    [f"{HEADER}\n1,0.5,0.9", f"{HEADER}\nx,1,1,1,1,1,1", f"{HEADER}\n1,,1,1,1,1,1", "epoch,loss\n1,2", "\udcff"],
)
def test_a_damaged_history_is_a_sentence(run: Run, content: str) -> None:
    (run.folder / "history.csv").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(RunError, match=r"cannot be read .* remove it, or train again"):
        history_of(run)


def test_size_and_speed_are_measured(run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_facts, "TIMED", 2)
    dataset = draw_all_splits(Dataset.open(tiny), run.recipe)[0]
    size, speed = size_and_speed(run, dataset)
    stored = sum(path.stat().st_size for path in run.bundle.folder.iterdir())
    assert size.value == f"{stored / 1e6:.1f} MB"
    assert speed.value.endswith(" ms")
    assert 0 < float(speed.value.removesuffix(" ms")) < 10_000
    assert [line.name for line in size_and_speed(run, None)] == ["bundle"]


def test_the_environment_is_told(run: Run) -> None:
    found = {line.name: line.value for line in environment_of(run)}
    assert {"tellapart", "python", "platform", "keras", "openvino"} <= found.keys()
    assert all(found.values())


def test_what_was_skipped_is_listed_with_its_reason(tmp_path: Path) -> None:
    run = folder_of(tmp_path)
    assert list(skipped_by(run)) == []
    (tmp_path / "skipped.csv").write_bytes(b'path,reason\n"a, b.png",cut short\ncaf\xe9.png,empty\n')
    found = [(line.name, line.value) for line in skipped_by(run)]
    assert found == [("a, b.png", "cut short"), ("caf\udce9.png", "empty")]


def test_of_very_many_skipped_the_first_are_listed_and_all_counted(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,broken\n" for number in range(1234))
    *some, last = skipped_by(folder_of(tmp_path, skipped=f"path,reason\n{rows}"))
    assert len(some) == run_facts.SHOWN
    assert (last.name, last.value) == ("in all", "1,234")
    assert "skipped.csv" in last.meaning


def test_the_steps_of_a_climb_are_sentences(tmp_path: Path) -> None:
    assert list(climbed(Run(tmp_path))) == []
    header = "name,change,forecast_s,took_s,accuracy,loss,kept"
    run = folder_of(tmp_path, ladder=f"{header}\nlinear head,,9,12.4,0.9012,0.3,True\ntuned head,,9,80,0.9,0.3,False\n")
    assert list(climbed(run)) == [
        "Step linear head: 12 s, accuracy on validation 90.1%, kept.",
        "Step tuned head: 80 s, accuracy on validation 90.0%, no gain.",
    ]


def test_the_command_can_be_copied(run: Run) -> None:
    environment = json.loads((run.folder / "environment.json").read_text())
    environment["command"] = ["/usr/local/bin/tellapart", "train", "my photos", "--effort", "quick"]
    (run.folder / "environment.json").write_text(json.dumps(environment))
    assert command_of(run) == "tellapart train 'my photos' --effort quick"
    environment["command"] = []
    (run.folder / "environment.json").write_text(json.dumps(environment))
    assert command_of(Run(run.folder)) == ""
