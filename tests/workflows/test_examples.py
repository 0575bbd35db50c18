"""Every script in examples/ runs as its first lines say, and prints what it promises."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def run(name: str, *arguments: object) -> str:
    """Run an example and return what it prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the run that train_and_evaluate.py makes, and what it prints."""
    folder = tmp_path_factory.mktemp("examples") / "digits"
    return folder, run("train_and_evaluate.py", "digits", folder)


@pytest.fixture
def address(trained: tuple[Path, str]) -> Iterator[str]:
    command = [sys.executable, "-m", "tellapart", "serve", str(trained[0] / "bundle"), "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as service:
        assert service.stdout
        yield next(found.group() for line in service.stdout if (found := ADDRESS.search(line)))
        service.terminate()


def test_every_example_is_listed_and_tested() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text()))
    assert names == {name for name in names if f'"{name}"' in Path(__file__).read_text()}


def test_training_and_evaluation(trained: tuple[Path, str]) -> None:
    folder, printed = trained
    assert re.search(r"accuracy (9\d\.\d|8\d\.\d)%, 95 % interval \d", printed)
    assert f"Prediction(path='{folder / 'photo.png'}'" in printed


def test_the_confusion_matrix_as_an_array(trained: tuple[Path, str]) -> None:
    printed = run("confusion_matrix.py", trained[0] / "bundle", "digits")
    assert re.fullmatch(
        r"\d+ of \d+ images are predicted correctly\nmost frequent mistake: \d predicted as \d, \d+ times\n", printed
    )


def test_an_export_to_onnx(trained: tuple[Path, str], tmp_path: Path) -> None:
    printed = run("export_to_onnx.py", trained[0] / "bundle", "digits", tmp_path / "onnx")
    assert re.search(r"^onnx: [\d,]+ bytes in .*\na black image is predicted as \d$", printed, re.MULTILINE)


def test_a_client_of_the_service(trained: tuple[Path, str], address: str) -> None:
    assert re.search(r"photo\.png: \d \d+\.\d%$", run("service_client.py", address, trained[0] / "photo.png").strip())


@pytest.mark.real
@pytest.mark.usefixtures("xception_weights")
def test_embeddings(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / "photos" / ("noise" if number % 2 else "grey") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255 if number % 2 else 60, (90, 90, 3), dtype="uint8")).save(path)
    printed = run("embeddings.py", tmp_path / "photos", "xception")
    assert printed.startswith("6 images, 2,048 features each\n")
    assert printed.count("near ") == 3
