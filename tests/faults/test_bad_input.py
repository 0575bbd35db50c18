"""Bad input ends in one sentence on standard error that says what was found, what was expected and what to do."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tellapart.cli.run_command import run
from tellapart.training.run import Run

SMALL = ("--model", "mlp", "--size", 20, "--epochs", 1, "--no-report")
Refused = Callable[..., str]
Coloured = Callable[..., Path]


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Refused:
    """Run a command that must be refused; give its sentence."""
    monkeypatch.chdir(tmp_path)

    def refuse(*words: object) -> str:
        capfd.readouterr()
        status = run([str(word) for word in words])
        out, err = capfd.readouterr()
        assert (status, out) == (2, "")
        assert "Traceback" not in err
        sentence = err.strip().splitlines()[-1]
        assert sentence.startswith("error: ")
        assert err.count("error: ") == 1
        return sentence.removeprefix("error: ")

    return refuse


def test_a_missing_folder(refused: Refused, tmp_path: Path) -> None:
    assert "there is no folder ./absent: check the path" in refused("train", "./absent", *SMALL)
    assert "no data set of that name: did you mean digits?" in refused("train", "digit", *SMALL)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("folders", [[], ["cat", "dog"]])
def test_a_folder_with_no_images(refused: Refused, tmp_path: Path, folders: list[str]) -> None:
    (tmp_path / "photos").mkdir()
    for name in folders:
        (tmp_path / "photos" / name).mkdir()
    assert "found no images in photos; expected one folder per class" in refused("train", "photos", *SMALL)


def test_images_that_lie_loose_in_the_folder(refused: Refused, tmp_path: Path, tiny: Path) -> None:
    shutil.copytree(tiny / "red", tmp_path / "photos")
    assert "found 12 images directly in photos; expected one folder per class" in refused("train", "photos", *SMALL)


def test_one_class(refused: Refused, coloured: Coloured, tmp_path: Path) -> None:
    coloured(tmp_path / "photos", colours=("red",))
    sentence = refused("train", "photos", *SMALL)
    assert "photos has one class folder, 'red': telling apart needs at least two" in sentence


def test_an_empty_class_folder(refused: Refused, coloured: Coloured, tmp_path: Path) -> None:
    (coloured(tmp_path / "photos") / "yellow").mkdir()
    assert re.search(
        r"class folder 'yellow' of photos has no image .*: add some, or remove it", refused("train", "photos", *SMALL)
    )


def test_a_corrupt_image_is_skipped_and_listed_and_the_run_succeeds(
    coloured: Coloured, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = coloured(tmp_path / "photos") / "red" / "07.png"
    broken.write_bytes(broken.read_bytes()[:200])
    assert run(["train", str(tmp_path / "photos"), *map(str, SMALL), "--out", str(tmp_path / "run")]) == 0
    assert str(broken) in (tmp_path / "run" / "skipped.csv").read_text()
    assert "skipped 1 images that cannot be read" in capfd.readouterr().err


def test_a_split_that_misses_a_class(refused: Refused, coloured: Coloured, tmp_path: Path) -> None:
    coloured(tmp_path / "photos" / "train")
    coloured(tmp_path / "photos" / "validation", colours=("red", "blue"), seed=1)
    sentence = refused("train", "photos", *SMALL)
    assert "the validation split of photos has no image of green" in sentence
    assert "Add images of it, or remove the class" in sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "xception", "--size", 70), "size is 70; xception takes 71 pixels or more: --size 299"),
        (("--model", "lenet5", "--size", 15), "size is 15; lenet5 takes 16 pixels or more"),
        (("--model", "xceptoin"), "there is no model 'xceptoin': did you mean xception"),
        (("--model", "mlp", "--epochs", 0), "epochs is 0; expected 1 to"),
        (("--model", "mlp", "--learning-rate", -1), "learning_rate is -1.0; expected"),
        (("--model", "mlp", "--validation", 0.5, "--test", 0.5), "leave nothing to train on"),
        (("--model", "mlp", "--loss", "binary"), "loss is binary, but there are 3 classes"),
        (("--model", "mlp", "--weights", "imagenet"), "there are no pre-trained weights for mlp"),
        (("--model", "mobilenet", "--weights", "gone.h5"), "there is no weights file gone.h5"),
    ],
)
def test_an_impossible_recipe(
    refused: Refused, tiny: Path, tmp_path: Path, words: tuple[object, ...], sentence: str
) -> None:
    assert sentence in refused("train", tiny, *words, "--out", "run")
    assert not (tmp_path / "run" / "recipe.toml").exists()


def test_weights_that_do_not_fit(refused: Refused, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.weights.h5").write_bytes(b"these are no weights")
    sentence = refused("train", tiny, "--model", "mobilenet", "--size", 32, "--weights", "wrong.weights.h5")
    assert sentence.startswith("wrong.weights.h5 does not fit mobilenet: ")
    assert "Expected weights of mobilenet without its top" in sentence


def test_no_network_and_no_weights(refused: Refused, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> NoReturn:
        raise Exception("URL fetch failure on https://example.org: None -- no route")  # noqa: TRY002  as Keras does

    monkeypatch.delenv("TELLAPART_WEIGHTS", raising=False)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fails)
    sentence = refused("train", tiny, "--model", "mobilenet", "--size", 32)
    assert "the ImageNet weights of mobilenet are not here and could not be downloaded" in sentence
    assert "TELLAPART_WEIGHTS" in sentence


def test_an_output_folder_in_use(refused: Refused, tiny: Path, trained: Run) -> None:
    assert "is in use: it is not empty" in refused("train", tiny, *SMALL, "--out", trained.folder)


def test_an_output_folder_that_is_a_file_or_lies_below_one(refused: Refused, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file is a file; expected a new folder" in refused("train", tiny, *SMALL, "--out", "file")
    assert "cannot write file/run" in refused("train", tiny, *SMALL, "--out", "file/run")


def test_a_bundle_that_is_damaged(refused: Refused, trained: Run, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.bundle.folder, tmp_path / "bundle"))
    (folder / "model.bin").write_bytes(b"")
    for words in (("predict", folder, tiny), ("evaluate", folder, tiny), ("serve", folder)):
        assert "model.bin is not the file that was written: copy the whole bundle again" in refused(*words)


def test_evaluating_on_classes_the_bundle_does_not_know(
    refused: Refused, trained: Run, tmp_path: Path, tiny: Path
) -> None:
    (Path(shutil.copytree(tiny, tmp_path / "photos")) / "red").rename(tmp_path / "photos" / "rouge")
    assert "classes that the bundle lacks: rouge" in refused("evaluate", trained.bundle.folder, "photos")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("summary", "xceptoin"), "did you mean xception"),
        (("summary", "mlp", "--classes", 0), "classes is 0"),
        (("summary", "mlp", "--channels", 2), "channels is 2"),
        (("summary", "xception", "--channels", 1), "channels is 1"),
        (("summary", "xception", "--size", 20), "xception takes 71 pixels or more"),
        (("show", "absent.png"), "there is no folder absent.png"),
        (("show", "digits", "--image", 1797), "there is no image 1797: digits has 0 to 1796"),
        (("show", "digits", "--count", 0), "count is 0"),
        (("serve", "absent"), "absent is not a bundle"),
    ],
)
def test_an_impossible_wish(refused: Refused, words: tuple[object, ...], sentence: str) -> None:
    assert sentence in refused(*words)


def test_a_image_to_show_that_is_none(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("hello")
    assert "not an image" in refused("show", "note.png")


def test_resuming_with_another_recipe(refused: Refused, trained: Run, tiny: Path) -> None:
    sentence = refused("train", tiny, "--model", "mlp", "--size", 20, "--out", trained.folder, "--resume")
    assert "was begun with another recipe: " in sentence
    assert "Resume with the same, or name another --out" in sentence


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 1.5 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("only an administrator can make a small disk here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("full", ["run", "cache"])
def test_a_full_disk(small_disk: Path, tiny: Path, tmp_path: Path, full: str) -> None:
    """In a process of its own: writing past the end of a mapped file on a full disk kills with SIGBUS."""
    words = ["train", tiny, "--model", "mlp", "--size", 160, "--epochs", 1, "--out"]
    words += [small_disk / "run" if full == "run" else tmp_path / "run"]
    cache = small_disk if full == "cache" else tmp_path / "cache"
    command = [sys.executable, "-m", "tellapart", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TELLAPART_CACHE": str(cache)})
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: the disk is full: " in done.stderr
    assert "Free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(small_disk.rglob(".partial-*"))
