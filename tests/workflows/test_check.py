"""A person looks before training: checks, marks in a spreadsheet, trains without what was marked, and judges again."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Command = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = ("--model", "mlp", "--size", "20", "--epochs", "2", "--batch-size", "8", "--no-report")


@pytest.fixture
def photos(coloured: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images as people have them: a copy in train and test, one of two labels, a blank one, a broken one."""
    monkeypatch.chdir(tmp_path)
    photos = Path("photos")
    coloured(photos / "train", each=40)
    coloured(photos / "test", each=10, seed=1)
    shutil.copy(photos / "test" / "red" / "00.png", photos / "train" / "red" / "leaked.png")
    shutil.copy(photos / "train" / "red" / "01.png", photos / "train" / "blue" / "is it red.png")
    Image.new("RGB", (20, 20), "white").save(photos / "train" / "green" / "blank.png")
    (photos / "train" / "green" / "=broken.png").write_bytes(b"no image")
    (photos / "notes.txt").write_text("bought in Wales")
    return photos


def marked(table: Path, wrong: dict[str, str]) -> int:
    """Put an x before the rows of those findings and files, and save as a spreadsheet does; how many there were."""
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    count = 0
    for row in rows:
        if Path(row["path"]).name == wrong.get(row["finding"]):
            row["skip"] = "x"
            count += 1
    with table.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, rows[0].keys(), delimiter=";", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
    return count


def test_a_person_checks_marks_and_trains_without_what_was_marked(photos: Path, command: Command) -> None:
    checked = command("check", photos, "--save", "check.html")
    assert checked.returncode == 1  # there is a problem
    assert checked.stdout.index("problem") < checked.stdout.index("warning") < checked.stdout.index("note ")
    assert "tellapart train photos --skip findings.csv" in checked.stderr
    assert Path("check.html").stat().st_size < 5_000_000

    refused = command("train", photos, *SMALL, "--out", "run", "--forbid", "leak,near-leak")
    assert refused.returncode == 2
    assert "nothing was trained" in refused.stderr
    assert not Path("run").exists()

    wrong = {"leak": "leaked.png", "two-labels": "is it red.png", "blank": "blank.png"}
    assert marked(Path("findings.csv"), wrong) == 3
    again = command("check", photos, "--skip", "findings.csv", "--json")
    assert again.returncode == 0
    left = {finding["kind"] for finding in json.loads(again.stdout)["findings"]}
    assert "unreadable" in left
    assert not left & wrong.keys()

    trained = command("train", photos, *SMALL, "--out", "run", "--forbid", "leak,near-leak", "--skip", "findings.csv")
    assert trained.returncode == 0, trained.stderr
    assert "left out 3 of" in trained.stderr
    assert "=broken.png" in Path("run/skipped.csv").read_text()
    table = Path("run/split.csv").read_text()
    assert not any(name in table for name in wrong.values())
    assert sorted(path.name for path in photos.rglob("*.png") if path.name in wrong.values()) == sorted(wrong.values())

    judged = command("evaluate", "run/bundle", "run/split.csv", "--json")
    assert judged.returncode == 0, judged.stderr
    facts = json.loads(judged.stdout)
    kept = json.loads(Path("run/metrics.json").read_text())["test"]
    assert (facts["n"], facts["accuracy"]) == (kept["n"], kept["accuracy"])


def test_images_are_split_by_hand_looked_at_and_trained_from_the_table(
    tiny: Path, tmp_path: Path, command: Command
) -> None:
    table = tmp_path / "split.csv"
    divided = command("split", tiny, "--fractions", "0.5,0.25,0.25", "--save", table)
    assert divided.returncode == 0, divided.stderr
    trained = command("train", table, *SMALL, "--out", tmp_path / "run")
    assert trained.returncode == 0, trained.stderr

    def rows(path: Path) -> set[tuple[Path, str]]:
        with path.open(newline="") as stream:
            return {((path.parent / row["path"]).resolve(), row["split"]) for row in csv.DictReader(stream)}

    assert rows(table) == rows(tmp_path / "run" / "split.csv")
