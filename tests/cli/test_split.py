"""`tellapart split`: the shares asked for, what belongs together on one side, a table that trains."""

import csv
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Said

Coloured = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def days(coloured: Coloured, here: Path) -> Path:
    """Images of two colours in folders of six days each."""
    photos = coloured(here / "photos", each=36, colours=("blue", "red"))
    for number, image in enumerate(sorted(photos.rglob("*.png"))):
        day = image.parent / f"day-{number % 6}"
        day.mkdir(exist_ok=True)
        image.rename(day / image.name)
    return photos


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def test_the_table_has_every_image_and_about_the_shares_asked_for(days: Path, said: Said) -> None:
    answer = said("split", "photos", "--fractions", "0.5,0.25,0.25", "--save", "split.csv")
    assert answer.status == 0
    counts = Counter(row["split"] for row in rows(Path("split.csv")))
    assert counts.total() == 72
    assert 24 <= counts["train"] <= 48
    assert min(counts["validation"], counts["test"]) >= 8
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == ["class", "train", "validation", "test"]
    assert [line[0] for line in lines[1:3]] == ["blue", "red"]
    assert lines[3] == ["in", "all", *(str(counts[name]) for name in lines[0][1:])]
    assert answer.err.endswith("split: split.csv\ntry: tellapart train split.csv\n")


def test_the_seed_decides_and_images_that_are_added_move_none(days: Path, coloured: Coloured, said: Said) -> None:
    words = ("split", "photos", "--fractions", "0.5,0.2,0.3", "--save")
    said(*words, "first.csv")
    said(*words, "other.csv", "--seed", 1)
    for image in coloured(Path("more"), each=9, colours=("blue", "red"), seed=5).rglob("*.png"):
        image.rename(Path("photos") / image.parent.name / f"new-{image.name}")
    said(*words, "second.csv")
    first, other, second = (
        {row["path"]: row["split"] for row in rows(Path(f"{n}.csv"))} for n in ("first", "other", "second")
    )
    assert first != other
    assert len(second) == len(first) + 18
    assert {path: second[path] for path in first} == first


def test_a_group_of_a_folder_is_never_parted(days: Path, said: Said) -> None:
    answer = said("split", "photos", "--fractions", "0.4,0.3,0.3", "--group-by", 1, "--save", "split.csv")
    assert answer.status == 0
    found = rows(Path("split.csv"))
    splits: dict[str, set[str]] = {}
    for row in found:
        assert row["path"].startswith(f"photos/{row['group']}/")
        splits.setdefault(row["group"], set()).add(row["split"])
    assert len(splits) == 12
    assert all(len(names) == 1 for names in splits.values())


def test_a_column_of_a_table_groups(days: Path, said: Said) -> None:
    lines = [f"{path},{path.parts[1]},{path.parts[2]}" for path in sorted(Path("photos").rglob("*.png"))]
    Path("table.csv").write_text("\n".join(["image,label,camera", *lines]) + "\n")
    answer = said("split", "table.csv", "--fractions", "0.4,0.3,0.3", "--group-by", "camera", "--save", "split.csv")
    assert answer.status == 0
    splits: dict[str, set[str]] = {}
    for row in rows(Path("split.csv")):
        splits.setdefault(row["group"], set()).add(row["split"])
    assert splits.keys() == {f"day-{number}" for number in range(6)}
    assert all(len(names) == 1 for names in splits.values())


def test_near_copies_stay_on_one_side(here: Path, said: Said) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        (here / "photos" / name).mkdir(parents=True)
        for number in range(30):
            small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            scene = small.resize((128, 128), Image.Resampling.BICUBIC)
            scene.save(here / "photos" / name / f"{number}.png")
            scene.resize((96, 96)).save(here / "photos" / name / f"{number}-small.jpg", quality=80)
    assert said("split", "photos", "--fractions", "0.5,0.25,0.25", "--save", "split.csv").status == 0
    splits: dict[str, set[str]] = {}
    for row in rows(Path("split.csv")):
        scene_of = row["path"].partition(".")[0].removesuffix("-small")
        splits.setdefault(scene_of, set()).add(row["split"])
    assert len(splits) == 60
    assert all(len(names) == 1 for names in splits.values())


def test_a_split_that_its_owner_made_stays(tiny: Path, here: Path, said: Said) -> None:
    for colour in ("blue", "red"):
        for number in range(12):
            folder = here / "photos" / ("test" if number < 4 else "train") / colour
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(tiny / colour / f"{number:02}.png", folder)
    assert said("split", "photos", "--fractions", "0.7,0.15,0.15", "--save", "split.csv").status == 0
    test = {row["path"] for row in rows(Path("split.csv")) if row["split"] == "test"}
    assert test == {str(path.relative_to(here)) for path in (here / "photos" / "test").rglob("*.png")}


def test_what_is_wrong_with_the_parts_is_said(coloured: Coloured, here: Path, said: Said) -> None:
    coloured(here / "photos", each=2)
    answer = said("split", "photos", "--fractions", "0.6,0.2,0.2", "--save", "split.csv")
    assert answer.status == 0
    assert "warning: The test split has no image of" in answer.err


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--fractions", "0.7,0.3"], "--fractions is 0.7,0.3; expected the shares of train, validation and test"),
        (["--fractions", "0.7,0.2,0.2"], "which add up to 1: 0.7,0.15,0.15"),
        (["--fractions", "a,b,c"], "--fractions is a,b,c"),
        (["--fractions", "0,0.5,0.5"], "--fractions is 0,0.5,0.5"),
        (["--fractions", "nan,0.5,0.5"], "--fractions is nan,0.5,0.5"),
        (["--fractions", "1.5,-0.5,0"], "--fractions is 1.5,-0.5,0"),
        (["--fractions", "0.7,0.15,0.15", "--group-by", "9"], "choose another depth"),
        (["--fractions", "0.7,0.15,0.15", "--group-by", "camera", "--group-column", "lens"], "give one of the two"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words: list[str], phrase: str, days: Path, said: Said) -> None:
    assert phrase in said("split", "photos", *words, "--save", "split.csv").error
    assert not Path("split.csv").exists()


def test_a_table_that_is_there_stays(days: Path, said: Said) -> None:
    Path("split.csv").write_text("mine")
    answer = said("split", "photos", "--fractions", "0.7,0.15,0.15", "--save", "split.csv")
    assert "split.csv exists with other content" in answer.error
    assert Path("split.csv").read_text() == "mine"


def test_arrays_are_refused(here: Path, said: Said) -> None:
    np.savez("digits.npz", x_train=np.zeros((20, 8, 8), np.uint8), y_train=np.arange(20) % 2)
    assert "are in arrays" in said("split", "digits.npz", "--fractions", "0.7,0.15,0.15", "--save", "s.csv").error
