"""Hostile folders: each ends in a training that names what it left out, or before the first epoch in one sentence."""

import csv
import io
import json
import os
import shutil
import socket
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import Dataset, Recipe, train
from tellapart.checking.check import check
from tellapart.cli.run_command import run

from .hostile import large_png, png, saved
from .nobody import as_nobody

EACH = 8  # images of a cat, and of a dog
SMALL = ("--model", "mlp", "--size", 8, "--epochs", 1, "--batch-size", 8, "--no-report")
Plant = Callable[[Path], object]


def noise(number: int, side: int = 8) -> bytes:
    """A small PNG, all different."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return png(side, side, rows=b"".join(b"\0" + row.tobytes() for row in pixels))


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def fill(folder: Path, count: int = EACH, *, first: int = 0) -> Path:
    for number in range(first, first + count):
        put(folder / f"{number}.png", noise(number))
    return folder


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status and all that it printed."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one sentence of a refusal."""
        assert (self.status, self.out, self.err.count("error: ")) == (2, "", 1), self.err
        return self.err.strip().splitlines()[-1].removeprefix("error: ")


Commanded = Callable[..., Ended]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], here: Path) -> Commanded:
    """Run a command beside the photos."""

    def commanded(*words: object) -> Ended:
        capfd.readouterr()
        status = run([str(word) for word in words])
        ended = Ended(status, *capfd.readouterr())
        assert "Traceback" not in ended.err
        return ended

    return commanded


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that anybody may write into, and cats and dogs in its folder `photos`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELLAPART_CACHE", "cache")
    tmp_path.chmod(0o777)
    fill(Path("photos/cat"))
    fill(Path("photos/dog"), first=100)
    return tmp_path


def named(ended: Ended) -> str:
    """What a training has said and listed."""
    listed = Path("run/skipped.csv")
    return ended.out + ended.err + (listed.read_text(errors="surrogateescape") if listed.exists() else "")


def listed_images() -> int:
    """How many images the run could read."""
    return sum(json.loads(Path("run/environment.json").read_text())["dataset"]["pictures"].values())


# Folders that are trained on: what is planted beside cats and dogs, how many images more there are, and what is named


def hidden(root: Path) -> None:
    for name in (
        ".git/1.png",
        "cat/.DS_Store",
        "dog/Thumbs.db",
        "cat/._1.png",
        "cat/.hidden/1.png",
        "__MACOSX/cat/._1.png",
    ):
        put(root / name, noise(7))


def not_images(root: Path) -> None:
    for name in ("README.md", "cat/notes.txt", "dog/song.mp3"):
        put(root / name, b"hello")


def odd_bytes(root: Path) -> None:
    for number, name in enumerate((b"caf\xe9.png", b"\xff\xfe.png", b"a\nb.png", b"a\tb\r.png", b'",=1+1.png')):
        put(root / "cat" / os.fsdecode(name), noise(200 + number))
    put(root / "cat" / os.fsdecode(b"broken \xe9.png"), b"no image")


def classes(*names: str) -> Plant:
    """More classes of these names."""

    def plant(root: Path) -> None:
        for number, name in enumerate(names):
            fill(root / name, first=1000 * (number + 1))

    return plant


def up_and_out(root: Path) -> None:
    classes("cat..", "a..b", "..\\..\\bird", "~", "%2e%2e", "C:")(root)
    for number, name in enumerate(("..%2f..%2f1.png", "..\\..\\1.png", "~root.png", "-rf.png", "--out.png")):
        put(root / "cat" / name, noise(300 + number))


def long_names(root: Path) -> None:
    classes("c" * 255, "é" * 127)(root)
    put(root / "cat" / ("n" * 251 + ".png"), noise(400))
    put(root / "cat" / ("b" * 251 + ".png"), b"no image")


def symlink_loop(root: Path) -> None:
    (root / "cat" / "up").symlink_to("..")
    (root / "cat" / "itself.png").symlink_to("itself.png")
    (root / "cat" / "one").symlink_to("two")
    (root / "cat" / "two").symlink_to("one")


def symlinks_outside(root: Path) -> None:
    fill(root.parent / "elsewhere", first=500)
    (root / "cat" / "album").symlink_to(root.parent.absolute() / "elsewhere")


def symlinks_to_nothing(root: Path) -> None:
    (root / "cat" / "gone.png").symlink_to("nowhere.png")
    (root / "cat" / "album").symlink_to("nowhere")


def pipes(root: Path) -> None:
    os.mkfifo(root / "cat" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(root / "cat" / "socket.png"))


def imbalanced(root: Path) -> None:
    fill(root / "cat", 3_000 - EACH, first=10_000)
    for file in sorted((root / "dog").iterdir())[3:]:
        file.unlink()


def two_labels(root: Path) -> None:
    put(root / "cat" / "same.png", noise(600))
    put(root / "dog" / "same too.png", noise(600))


def write(name: str, content: Callable[[], bytes]) -> Plant:
    return lambda root: put(root / name, content())


TRAINED: dict[str, tuple[Plant, int, tuple[str, ...]]] = {
    "nested": (write("cat/2021/may/9.png", lambda: noise(9)), 1, ()),
    "extensions in mixed case": (write("cat/9.PnG", lambda: noise(9)), 1, ()),
    "images at the root": (write("loose.png", lambda: noise(9)), 0, ("loose.png",)),
    "hidden and __MACOSX": (hidden, 0, ()),
    "files that are no images": (not_images, 0, ("README.md", "notes.txt", "song.mp3")),
    "names that are no UTF-8": (odd_bytes, 5, ("broken \udce9.png",)),
    "classes with spaces and in any script": (classes("a cat ", "猫", "кошка", "قطة", "🐈"), 5 * EACH, ()),
    "a class that is a CSV formula": (classes('=HYPERLINK("x")', "@SUM(1)", "-1+1", "+1", '",,"'), 5 * EACH, ()),
    "a class that is HTML": (classes("<img src=x onerror=alert(1)>", "{{ 7 * 7 }}", "&lt;"), 3 * EACH, ()),
    "names like ..": (up_and_out, 6 * EACH + 5, ()),
    "names of 255 bytes": (long_names, 2 * EACH + 1, ("b" * 251 + ".png",)),
    "a symlink loop": (symlink_loop, 0, ("up", "itself.png", "one", "two")),
    "symlinks outside": (symlinks_outside, EACH, ()),
    "symlinks to nothing": (symlinks_to_nothing, 0, ("gone.png", "album")),
    "a FIFO and a socket": (pipes, 0, ("pipe.png", "socket.png")),
    "1000:1": (imbalanced, 2_987, ()),
    "a truncated last image": (write("dog/zz.png", lambda: noise(9)[:-60]), 0, ("zz.png",)),
    "zero bytes": (write("cat/empty.png", bytes), 0, ("empty.png",)),
    "a web page": (write("cat/404.jpg", lambda: b"<!doctype html><title>404 Not Found</title>"), 0, ("404.jpg",)),
    "a wrong extension": (write("cat/9.jpg", lambda: noise(9)), 1, ()),
    "a decompression bomb": (write("cat/bomb.png", lambda: large_png(19_000)), 0, ("bomb.png",)),
    "one image under two labels": (two_labels, 2, ()),
}


@pytest.mark.parametrize("name", TRAINED)
def test_a_folder_that_is_trained_on(command: Commanded, name: str) -> None:
    plant, more, left_out = TRAINED[name]
    plant(Path("photos"))
    before = everything(Path("photos"))
    checked = command("check", "photos")
    assert checked.status in (0, 1), checked.err
    ended = command("train", "photos", *SMALL, "--out", "run")
    assert ended.status == 0, ended.err
    assert Path("run/bundle").is_dir()
    assert listed_images() == 2 * EACH + more
    assert [file for file in left_out if file not in named(ended)] == []
    assert everything(Path("photos")) == before
    assert {path.name for path in Path().iterdir()} <= {"photos", "run", "cache", "elsewhere", "findings.csv"}


def everything(folder: Path) -> list[tuple[str, int]]:
    """All names and sizes below a folder: nothing may be deleted, moved or written."""
    files = (Path(base) / name for base, _, names in os.walk(folder) for name in names)
    return sorted((str(file), file.lstat().st_size) for file in files)


# Folders that are refused: what is done to cats and dogs, and what the sentence says


NFC, NFD = "café", unicodedata.normalize("NFD", "café")


def without_dogs(root: Path) -> None:
    for file in (root / "dog").iterdir():
        file.unlink()


def one_dog(root: Path) -> None:
    for file in sorted((root / "dog").iterdir())[1:]:
        file.unlink()


def only_cats(root: Path) -> None:
    without_dogs(root)
    (root / "dog").rmdir()


def nothing(root: Path) -> None:
    without_dogs(root)
    (root / "cat").rename(root / "dog" / "cat")
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def loose(root: Path) -> None:
    nothing(root)
    fill(root)


def broken_dogs(root: Path) -> None:
    spoil(root / "dog")


def spoil(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_bytes(file.name.encode())


REFUSED: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "missing": (lambda root: root.rename("moved"), ("there is no", "photos")),
    "empty": (nothing, ("found no images in photos", "expected one folder per class")),
    "images at the root alone": (loose, ("8 images directly in photos", "expected one folder per class")),
    "one class": (only_cats, ("one class", "'cat'", "at least two")),
    "an empty class": (without_dogs, ("'dog'", "no image")),
    "a one-image class": (one_dog, ("dog",)),
    "a class of broken images": (broken_dogs, ("dog",)),
    "classes in two spellings of Unicode": (classes(NFC, NFD), (ascii(NFC), ascii(NFD))),
    "classes in mixed case": (classes("Cat"), ("'cat'", "'Cat'")),
    "a class that is no UTF-8": (classes(os.fsdecode(b"caf\xe9")), (r"'caf\udce9'", "rename")),
    "a class with a newline": (classes("a\nb"), (r"'a\nb'", "rename")),
    "a file": (lambda root: put(root.rename("moved").with_name("photos"), b"hello"), ("photos is a file",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_that_is_refused(command: Commanded, name: str) -> None:
    plant, parts = REFUSED[name]
    plant(Path("photos"))
    command("check", "photos")
    for _ in range(2):  # what a refusal leaves does not stand in the way of another try
        sentence = command("train", "photos", *SMALL, "--out", "run").sentence
        assert [part for part in parts if part not in sentence] == [], sentence
        assert not Path("run/checkpoints").exists()
        assert not Path("run/recipe.toml").exists()


# What a table of folders cannot say


@pytest.fixture
def open_to_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that anybody can reach by its whole path, and the cache in it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        monkeypatch.setenv("TELLAPART_CACHE", f"{name}/cache")
        yield Path(name)


def test_unreadable_files_are_named_and_left_out(command: Commanded, open_to_all: Path) -> None:
    closed = ["photos/cat/3.png", "photos/dog/103.png"]
    look = ("check", "photos", "--findings", open_to_all / "findings.csv")
    command(*look)  # loads all code, which nobody may be unable to read
    command("train", "photos", *SMALL, "--out", "run")
    for name in closed:
        Path(name).chmod(0)
    shutil.rmtree(open_to_all / "cache")
    with as_nobody():
        checked = command(*look)
        ended = command("train", "photos", *SMALL, "--out", open_to_all / "run")
    assert (checked.status, ended.status) == (0, 0), checked.err + ended.err
    assert "2 files" in checked.out
    assert skipped(open_to_all / "run") == [(name, "cannot be read: Permission denied") for name in closed]


@pytest.mark.parametrize("closed", ["photos", "photos/dog", "photos/dog/more"])
def test_an_unreadable_folder_is_refused(command: Commanded, closed: str) -> None:
    Path(closed).mkdir(exist_ok=True)
    Path(closed).chmod(0)
    with as_nobody():
        ended = command("train", "photos", *SMALL, "--out", "run")
    Path(closed).chmod(0o755)
    assert f"folder {closed} cannot be listed: Permission denied" in ended.sentence


def test_no_name_becomes_html(command: Commanded) -> None:
    fill(Path("photos/<img src=x onerror=alert(1)>"), first=1000)
    put(Path("photos/cat/<b>broken<b>.png"), b"no image")
    assert command("check", "photos", "--save", "check.html").status in (0, 1)
    page = Path("check.html").read_text()
    assert "&lt;b&gt;broken" in page
    assert "&lt;img src=x" in page
    assert "<b>broken" not in page
    assert "<img src=x" not in page


def test_no_name_becomes_a_formula_and_all_are_read_back(command: Commanded) -> None:
    names = ["=1+1", "@SUM(1)", "-1", "+1", "'=1", '",,"']
    classes(*names)(Path("photos"))
    put(Path("photos/=1+1/@SUM(1).png"), noise(1000))
    assert command("check", "photos").status in (0, 1)
    assert command("split", "photos", "--fractions", "0.6,0.2,0.2", "--save", "split.csv").status == 0
    ended = command("train", "split.csv", *SMALL, "--out", "run")
    assert ended.status == 0, ended.err
    facts = json.loads(Path("run/environment.json").read_text())["dataset"]
    assert facts["classes"] == sorted(["cat", "dog", *names])
    for table in ("findings.csv", "split.csv", "run/split.csv"):
        cells = [cell for row in csv.reader(io.StringIO(Path(table).read_text())) for cell in row]
        assert any("=1+1" in cell for cell in cells)
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


def test_a_name_that_is_no_text_is_left_out_when_a_person_says_so(command: Commanded) -> None:
    odd_bytes(Path("photos"))
    put(Path(os.fsdecode(b"photos/dog/caf\xe9.png")), noise(200))
    command("check", "photos", "--findings", "findings.csv")
    kept = Path("findings.csv").read_bytes()
    assert b"photos/cat/caf\xe9.png" in kept
    header, *rows = kept.splitlines(keepends=True)
    marked = [b"x" + row if b"dog/caf\xe9.png" in row.split(b",")[3] else row for row in rows]
    Path("findings.csv").write_bytes(header + b"".join(marked))
    ended = command("train", "photos", "--skip", "findings.csv", *SMALL, "--out", "run")
    assert ended.status == 0, ended.err
    assert listed_images() == 2 * EACH + 5


# Splits that share images


def scene(number: int, side: int = 96) -> Image.Image:
    """An image of soft shapes, all different: what noise lacks is what a perceptual hash sees."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def divided(here: Path) -> Path:
    """Scenes in splits of their owner's."""
    for split, start in (("train", 0), ("validation", 20), ("test", 40)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(EACH // 2):
                put(
                    here / "divided" / split / name / f"{number}.png", saved(scene(start + 100 * label + number), "PNG")
                )
    return Path("divided")


def test_exact_copies_across_splits_are_said_and_may_be_forbidden(command: Commanded, divided: Path) -> None:
    put(divided / "test" / "cat" / "again.png", (divided / "train" / "cat" / "1.png").read_bytes())
    ended = command("train", divided, *SMALL, "--out", "run")
    assert ended.status == 0, ended.err
    assert "1 image is in two splits" in ended.err
    checked = command("check", divided, "--findings", "findings.csv")
    assert checked.status == 1
    assert findings("leak") == {("divided/test/cat/again.png", "divided/train/cat/1.png")}
    for words in (("--forbid", "leak"), ("--strict",)):
        assert "leak" in command("train", divided, *SMALL, *words, "--out", "refused").sentence
    assert not Path("refused").exists()


@pytest.mark.parametrize("kind", ["resized", "re-encoded", "flipped"])
def test_near_copies_across_splits_are_said_and_may_be_forbidden(command: Commanded, divided: Path, kind: str) -> None:
    original = scene(1)
    copy = {
        "resized": saved(original.resize((70, 70)), "PNG"),
        "re-encoded": saved(original, "JPEG", quality=60),
        "flipped": saved(original.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"),
    }[kind]
    put(divided / "test" / "cat" / "again.png", copy)
    assert command("check", divided, "--findings", "findings.csv").status == 1
    assert findings("near-leak") == {("divided/test/cat/again.png", "divided/train/cat/1.png")}
    assert command("train", divided, *SMALL, "--out", "run").status == 0
    sentence = command("train", divided, *SMALL, "--forbid", "near-leak", "--out", "refused").sentence
    assert "near-leak" in sentence
    assert not Path("refused").exists()


def findings(kind: str) -> set[tuple[str, str]]:
    """The pairs of images that findings of a kind name, each in the order of its names."""
    with Path("findings.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["finding"] == kind]
    return {(min(row["path"], row["other"]), max(row["path"], row["other"])) for row in rows}


@pytest.mark.parametrize("near", [False, True])
def test_copies_stay_on_one_side_of_splits_that_are_drawn(command: Commanded, here: Path, near: bool) -> None:
    for label, name in enumerate(("cat", "dog")):
        for number in range(12):
            image = scene(100 * label + number)
            put(here / "scenes" / name / f"{number}.png", saved(image, "PNG"))
            copy = saved(image, "JPEG", quality=60) if near else saved(image, "PNG")
            put(here / "scenes" / name / f"{number} again.png", copy)
    assert command("split", "scenes", "--fractions", "0.5,0.25,0.25", "--save", "split.csv").status == 0
    with Path("split.csv").open(newline="") as stream:
        homes = {Path(row["path"]): row["split"] for row in csv.DictReader(stream)}
    assert {*homes.values()} == {"train", "validation", "test"}
    assert len(homes) == 48
    for path, home in homes.items():
        assert homes[path.with_stem(path.stem.removesuffix(" again"))] == home
    assert command("train", "split.csv", *SMALL, "--out", "run").status == 0


def test_a_split_whose_only_image_of_a_class_is_broken(command: Commanded, divided: Path) -> None:
    spoil(divided / "validation" / "dog")
    assert "dog" in command("train", divided, *SMALL, "--out", "run").sentence
    assert not Path("run/checkpoints").exists()


# Images that change while they are examined


def changed(file: Path) -> None:
    file.write_bytes(noise(999))


RECIPE = Recipe(model="mlp", size=8, epochs=1, batch_size=8)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [(changed, "was changed after it was listed"), (Path.unlink, "cannot be read: No such file or directory")],
)
def test_a_file_changed_or_deleted_between_the_check_and_the_epoch(
    here: Path, harm: Callable[[Path], None], reason: str
) -> None:
    dataset = Dataset.open("photos")
    victim = Path("photos/cat/3.png")
    content = victim.read_bytes()
    harm(victim)
    assert [row.path for finding in check(dataset) if finding.kind == "unreadable" for row in finding.rows] == [
        str(victim)
    ]
    train(dataset, RECIPE, out="run")
    assert [(path, why.startswith(reason)) for path, why in skipped("run")] == [(str(victim), True)]
    victim.write_bytes(content)
    assert "unreadable" not in {finding.kind for finding in check(Dataset.open("photos"))}
    train(Dataset.open("photos"), RECIPE, out="later")
    assert skipped("later") == []


def skipped(folder: str | Path) -> list[tuple[str, str]]:
    """What a run has left out, and why."""
    listed = Path(folder) / "skipped.csv"
    text = listed.read_text() if listed.exists() else ""
    return [(path, reason) for path, reason in list(csv.reader(io.StringIO(text)))[1:]]


@pytest.mark.long
def test_100_000_files(command: Commanded) -> None:
    fill(Path("photos/cat"), 50_000, first=200_000)
    fill(Path("photos/dog"), 50_000, first=300_000)
    assert command("check", "photos").status == 0
    ended = command("train", "photos", *SMALL, "--out", "run")
    shutil.rmtree("photos")  # pytest keeps what is left
    assert ended.status == 0, ended.err
    assert listed_images() == 100_000 + 2 * EACH
