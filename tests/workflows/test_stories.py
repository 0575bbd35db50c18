"""What a person does, from the first command to the last, on the command line."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tellapart.training.final_evaluation import UNCALIBRATED

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def digits_bundle(home: Path, command: Command) -> Path:
    """The demo's first command."""
    words = ("train", "digits", "--model", "mlp", "--out", home / "run")
    done = command(*words, TELLAPART_CACHE=str(home / "cache"))
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert done.stdout.splitlines()[-2:] == [
        f"bundle: {home / 'run' / 'bundle'} (9,610 parameters, 0.1 MB)",
        f"report: {home / 'run' / 'report.html'}",
    ]
    assert f"tellapart predict {home / 'run' / 'bundle'} IMAGE" in done.stderr
    return home / "run" / "bundle"


def test_digits_are_trained_judged_shown_and_told_apart(digits_bundle: Path, home: Path, command: Command) -> None:
    judged = command("evaluate", digits_bundle, "digits", "--json")
    assert judged.returncode == 0
    facts = json.loads(judged.stdout)
    assert facts["accuracy"]["value"] > 0.9
    assert sum(map(sum, facts["confusion"])) == facts["n"]
    assert facts["n"] == pytest.approx(0.15 * 1797, abs=5)  # each class is cut by itself
    metrics = json.loads((home / "run" / "metrics.json").read_text())
    del metrics["test"][UNCALIBRATED]  # which training alone knows
    for metric, estimate in metrics["test"].items():  # the temperature is applied outside the graph in training
        assert facts[metric] == pytest.approx(estimate, rel=1e-2, abs=1e-2 if metric == "ece" else 1e-4), metric

    shown = command("show", "digits", "--image", 3, "--save", home / "three.png")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("label: 3\narray (8, 8, 1): height, width, channels (grey); uint8")
    assert size_of(home / "three.png") == (8, 8)

    told = command("predict", digits_bundle, home / "three.png", "--json")
    assert told.returncode == 0
    assert json.loads(told.stdout)["label"] == "3"


def test_a_grid_of_first_images_is_saved_with_their_labels(home: Path, command: Command) -> None:
    shown = command("show", "digits", "--count", 7, "--save", home / "grid.png")
    assert shown.returncode == 0
    assert [line.split(":")[0] for line in shown.stdout.splitlines()] == [*map(str, range(7)), "saved"]
    assert size_of(home / "grid.png")[0] > 5 * 100


def test_a_bundle_is_served_until_ctrl_c(digits_bundle: Path, home: Path, command: Command) -> None:
    command("show", "digits", "--image", 4, "--save", home / "four.png")
    words = [sys.executable, "-m", "tellapart", "serve", str(digits_bundle), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            said = process.stderr.readline()
            address = next(word.rstrip(";") for word in said.split() if word.startswith("http"))
            assert "127.0.0.1" in address
            answer = httpx.post(f"{address}/predict", files={"image": ("four.png", (home / "four.png").read_bytes())})
            assert answer.status_code == 200
            told = json.loads(command("predict", digits_bundle, home / "four.png", "--json").stdout)
            found = answer.json()
            assert (found["label"], found["path"]) == (told["label"], "four.png")
            # The service's engine is compiled for many callers, and may round elsewhere
            assert found["probability"] == pytest.approx(told["probability"], abs=1e-3)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) in (0, 130)
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()  # else a failed test would wait for it for ever


def test_a_folder_of_photos_without_splits_is_divided_trained_and_judged(
    coloured: Callable[..., Path], tmp_path: Path, command: Command
) -> None:
    photos = coloured(tmp_path / "photos", each=20)
    (photos / "red" / "notes.txt").write_text("mine")
    (photos / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    words = ("train", photos, "--model", "cnn", "--size", 20, "--epochs", 3, "--out", tmp_path / "run")
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert "broken.jpg" in (tmp_path / "run" / "skipped.csv").read_text()

    again = command(*words)
    assert again.returncode == 2
    assert "continue the run that is there with --resume" in again.stderr
    resumed = command(*words, "--resume")
    assert resumed.returncode == 0
    assert resumed.stdout == done.stdout

    judged = command("evaluate", tmp_path / "run" / "bundle", photos)
    assert judged.returncode == 0
    assert "true \\ predicted" in judged.stdout
    told = command("predict", tmp_path / "run" / "bundle", photos / "red", "--csv")
    assert told.returncode == 1  # broken.jpg
    assert len(told.stdout.splitlines()) == 1 + 21


def test_the_python_names_do_the_same(coloured: Callable[..., Path], tmp_path: Path) -> None:
    from tellapart import Bundle, Dataset, Prediction, Predictor, Recipe, evaluate, train

    photos = coloured(tmp_path / "photos")
    run = train(Dataset.open(photos), Recipe(model="mlp", size=20, epochs=4, batch_size=8), out=tmp_path / "run")
    bundle = Bundle.open(run.folder / "bundle")
    bundle.verify()
    assert evaluate(bundle, Dataset.open(photos)).accuracy.value == run.metrics["test"]["accuracy"]["value"]
    (answer,) = Predictor(bundle).predict([photos / "blue" / "00.png"])
    assert isinstance(answer, Prediction)
    assert answer.label == "blue"


def test_a_summary_shows_layers_parameters_and_what_it_costs_here(capsys: pytest.CaptureFixture[str]) -> None:
    from tellapart.cli.run_command import run

    assert run(["summary", "mlp"]) == 0
    shown = capsys.readouterr().out
    assert "101,770 parameters" in shown
    assert "images a second" in shown
    assert run(["summary"]) == 0
    assert "efficientnet-v2-l" in capsys.readouterr().out
