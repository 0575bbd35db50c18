"""`tellapart check`: what is printed, what is written, what is never written over, how it ends."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.cli import check as module
from tellapart.cli.output import command_line
from tellapart.data.dataset import ReadOptions

from .conftest import Said


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photos(tiny: Path, here: Path) -> Path:
    """Images in splits of their owner's, with one of them in train and test, and one that is cut off."""
    for colour in ("blue", "green", "red"):
        for split, numbers in (("train", range(8)), ("test", range(8, 12))):
            (here / "photos" / split / colour).mkdir(parents=True)
            for number in numbers:
                shutil.copy(tiny / colour / f"{number:02}.png", here / "photos" / split / colour)
    shutil.copy(tiny / "red" / "08.png", here / "photos" / "train" / "red" / "copy.png")
    (here / "photos" / "train" / "blue" / "cut.png").write_bytes((tiny / "blue" / "00.png").read_bytes()[:400])
    return Path("photos")


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def test_findings_are_printed_worst_first_with_what_to_do_and_the_next_command(photos: Path, said: Said) -> None:
    answer = said("check", photos)
    assert answer.status == 1
    text = " ".join(answer.out.split())
    assert text.startswith("photos: 26 train, 12 test images in 3 classes")
    assert re.search(r"problem +1 image is in two splits.*Leave out the copy.*warning +1 file .*truncated", text)
    assert "tellapart train photos --skip findings.csv" in answer.err
    assert "tellapart check photos --save check.html" in answer.err
    kinds = [row["finding"] for row in rows(Path("findings.csv"))]
    assert {"leak", "unreadable"} <= set(kinds)
    assert [row["path"] for row in rows(Path("findings.csv")) if row["finding"] == "leak"] == [
        "photos/train/red/copy.png"
    ]


def test_nothing_is_deleted_moved_or_written_beside_the_images(photos: Path, said: Said) -> None:
    before = {path: path.stat() for path in photos.rglob("*") if path.is_file()}
    said("check", photos, "--save", "check.html")
    assert {path: path.stat() for path in photos.rglob("*") if path.is_file()} == before


def test_one_json_object_says_everything(photos: Path, said: Said) -> None:
    answer = said("check", photos, "--json", "--save", "check.html", "--findings", "other.csv")
    assert answer.status == 1
    facts = json.loads(answer.out)
    assert (facts["source"], facts["name"], facts["classes"]) == ("photos", "photos", ["blue", "green", "red"])
    assert facts["counts"] == {"train": [9, 8, 9], "test": [4, 4, 4]}
    assert (facts["table"], facts["page"]) == ("other.csv", "check.html")
    leak = next(finding for finding in facts["findings"] if finding["kind"] == "leak")
    assert leak.keys() == {"kind", "severity", "count", "sentence", "advice", "rows"}
    assert (leak["severity"], leak["count"]) == ("problem", 1)
    assert leak["rows"][0].keys() == {"path", "digest", "split", "label", "suggested", "other", "detail"}
    assert len(rows(Path("other.csv"))) == sum(len(finding["rows"]) for finding in facts["findings"])


def test_a_table_with_marks_is_never_written_over(photos: Path, said: Said) -> None:
    said("check", photos)
    said("check", photos)
    assert not Path("findings-2.csv").exists()
    marked = Path("findings.csv").read_text().replace("\n,leak", "\nx,leak")
    Path("findings.csv").write_text(marked)
    answer = said("check", photos)
    assert "table: findings-2.csv" in answer.err
    assert Path("findings.csv").read_text() == marked


def test_what_was_marked_before_is_asked_to_be_copied(photos: Path, said: Said) -> None:
    said("check", photos)
    marked = Path("findings.csv").read_text().replace("\n,leak", "\nx,leak")
    Path("findings.csv").write_text(marked)
    answer = said("check", photos, "--skip", "findings.csv")
    assert "two splits" not in answer.out
    assert answer.status == 0
    assert "what is marked in findings.csv is not in findings-2.csv: copy those rows into it" in answer.err


def test_the_page_shows_the_pair_that_leaks(photos: Path, said: Said) -> None:
    answer = said("check", photos, "--save", "check.html")
    assert "page: check.html" in answer.err
    html = Path("check.html").read_text()
    section = html.partition('<section id="leak"')[2].partition("</section>")[0]
    assert section.count("<img") == 2
    assert "train/red/copy.png" in section
    assert "test/red/08.png" in section
    assert "<script" not in html


def test_sound_images_end_well_without_a_table(here: Path, said: Said) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        (here / name).mkdir()
        for number in range(40):
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(here / name / f"{number}.png")
    answer = said("check", here)
    assert answer.status == 0
    assert "Nothing wrong was found." in answer.out
    assert list(here.glob("*.csv")) == []
    assert "try: tellapart train" in answer.err


def test_arrays_are_checked_too(here: Path, said: Said) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 12, 12), dtype=np.uint8)
    pixels[5], pixels[7] = pixels[3], 9
    np.savez("digits.npz", x_train=pixels, y_train=np.arange(40) % 2)
    answer = said("check", "digits.npz", "--json", "--save", "check.html")
    found = {finding["kind"]: finding["count"] for finding in json.loads(answer.out)["findings"]}
    assert (found["copies"], found["blank"]) == (1, 1)
    assert Path("check.html").read_text().count("<img") >= 3


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["photos", "--features", "xeption"], "did you mean xception"),
        (["photos", "--skip", "no.csv"], "no.csv cannot be read"),
        (["photos", "--findings", "photos/test/red/08.png/findings.csv"], "cannot write"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words: list[str], phrase: str, photos: Path, said: Said) -> None:
    answer = said("check", *words)
    assert phrase in answer.error
    assert not Path("findings.csv").exists()


def test_interrupted_it_says_that_it_can_go_on(photos: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "find_problems", interrupted)
    answer = said("check", photos)
    assert (answer.status, answer.out) == (130, "")
    assert "stopped. Images already examined are remembered: the same command resumes" in answer.err
    assert not Path("findings.csv").exists()


def test_suggested_commands_read_the_source_as_it_was_read() -> None:
    read_options = ReadOptions(path_column="my image", exclude_label=("Not sure", "Skip"))
    assert command_line("train", "a b.csv", read_options, skip=Path("findings.csv")) == (
        "tellapart train 'a b.csv' --path-column 'my image' --exclude-label 'Not sure,Skip' --skip findings.csv"
    )
    assert command_line("check", "photos", ReadOptions()) == "tellapart check photos"


def test_a_check_loads_neither_tensorflow_nor_scikit_learn(photos: Path) -> None:
    code = (
        "import sys; from tellapart.cli.run_command import run; run(['check', 'photos']);"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'scipy', 'openvino', 'jinja2', 'plotly'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
