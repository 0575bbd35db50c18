"""Make the golden artefacts: what this project leaves on disk, as version 0.1.0 left it before the rename.

    python tests/golden/make.py

The artefacts in this folder were made by tellapart 0.1.0 before the rename, at commit 4d60b8f, with the package
versions that `runs/mlp/environment.json` lists. They are never made again: that a later version still reads them is
what `tests/contracts/test_golden.py` holds. Run this script only to add artefacts of a later version, into another
folder.

Everything runs in one empty working folder under relative names, so that no file mentions the machine it was made on.
What is recorded with an absolute path all the same (the source in `environment.json`) is made relative afterwards.

    images/            three classes, drawn from the digits of scikit-learn; one file is broken, one is a copy
    findings.csv       what `check` found, with marks in the column skip
    split.csv          how `split` divided the images
    runs/              finished runs, and one that was killed after the first of three epochs
    bundle-calibrated/ a bundle with a reject option, from `calibrate`
    sweeps/, searches/, folds/   studies that were killed halfway
    answers.jsonl.parts/         answers of a `predict --out` that was killed after the first part
    cache/             pixels, facts and features, as the cache keeps them
    commands.json      the command lines of all these, for the test to give again
    expected/          what was printed, and what the killed ones come to when nobody disturbs them
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GOLDEN = Path(__file__).parent
MODIFIED_NS = 1_600_000_000_000_000_000
"""When each image was last changed, which a half-finished `predict --out` remembers."""
TIMES = 28  # that `predict --out` is given the folder of images: more answers than fit into one part
CLASSES = ("one", "seven", "zero")

SMALL = ("--size", "10", "--precision", "float32")
MLP = ("--model", "mlp", "--units", "8", "--epochs", "3", "--batch-size", "4", "--dropout", "0.2", *SMALL)
COMMANDS: dict[str, tuple[str, ...]] = {
    "runs/mlp": ("train", "images", *MLP, "--no-report", "--out", "runs/mlp"),
    "runs/logistic": ("train", "images", "--model", "logistic", "--features", "pixels", *SMALL, "--no-report",
                      "--out", "runs/logistic"),
    "runs/forest": ("train", "images", "--model", "forest", "--features", "pixels", "--trees", "5", *SMALL,
                    "--no-report", "--out", "runs/forest"),
    "runs/knn": ("train", "images", "--model", "knn", "--features", "pixels", "--neighbours", "3", *SMALL,
                 "--skip", "findings.csv", "--no-report", "--out", "runs/knn"),
    "runs/killed": ("train", "images", *MLP, "--no-report", "--out", "runs/killed"),
    "sweeps/mlp": ("sweep", "images", *MLP, "--vary", "units=4,8", "--vary", "dropout=0,0.3",
                   "--out", "sweeps/mlp"),
    "searches/mlp": ("search", "images", "--model", "mlp", *SMALL, "--batch-size", "8", "--space", "units=2,4",
                     "--space", "learning_rate=1e-3:1e-1:log", "--max-epochs", "2", "--factor", "2",
                     "--out", "searches/mlp"),
    "folds/mlp": ("folds", "images", *MLP, "--folds", "3", "--out", "folds/mlp"),
    "folds/mobilenet": ("folds", "images", "--model", "mobilenet", "--size", "32", "--precision", "float32",
                        "--epochs", "2", "--test", "0", "--folds", "2", "--out", "folds/mobilenet"),
    "bundle-calibrated": ("calibrate", "runs/mlp/bundle", "images", "--reject-for", "coverage=0.8",
                          "--out", "bundle-calibrated"),
    "answers.jsonl": ("predict", "runs/logistic/bundle", *["images"] * TIMES, "--top", "1", "--out", "answers.jsonl"),
    "split.csv": ("split", "images", "--fractions", "0.6,0.2,0.2", "--save", "split.csv"),
    "findings.csv": ("check", "images", "--findings", "findings.csv", "--json"),
    "findings-mobilenet.csv": ("check", "images", "--features", "mobilenet", "--findings", "findings-mobilenet.csv",
                               "--json"),
    "compare": ("compare", "runs/mlp", "runs/logistic", "runs/forest", "--json"),
}  # fmt: skip
KILLED = {
    "runs/killed": "runs/killed/checkpoints/epoch-0001*",
    "sweeps/mlp": "sweeps/mlp/trials/0001.json",
    "searches/mlp": "searches/mlp/trials/0001/epoch-0001*",
    "folds/mlp": "folds/mlp/checkpoints/0002/**/epoch-0001*",
    "answers.jsonl": "answers.jsonl.parts/part-000000000000-*",
}
"""What is killed, as soon as something of this name is there and the next thing is about to be renamed into place."""
BUNDLES = {
    "mlp": "runs/mlp/bundle",
    "logistic": "runs/logistic/bundle",
    "forest": "runs/forest/bundle",
    "knn": "runs/knn/bundle",
    "calibrated": "bundle-calibrated",
}
ENDS = {
    "sweeps/mlp": ("sweep.json", "trials.csv", "winner.toml"),
    "searches/mlp": ("search.json", "trials.csv", "best.toml", "final/metrics.json", "final/recipe.toml"),
    "folds/mlp": ("settings.json", "folds.csv", "out_of_fold.npz", "recipe.toml"),
    "folds/mobilenet": ("settings.json", "folds.csv", "out_of_fold.npz", "recipe.toml"),
}
"""For each study the files that say how it ended."""

RUN = """
import os, signal, sys
from pathlib import Path

sys.argv = ["tellapart", *sys.argv[2:]]
def watch(event, _, pattern=sys.orig_argv[3]):
    if event == "os.rename" and pattern and any(Path().glob(pattern)):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
from tellapart.cli import main
main()
"""
"""The command line, in a process that kills itself when a pattern matches and the next rename is due."""


def machine() -> dict[str, str]:
    """What float32 arithmetic may depend on: the same answer here and there means the same bits."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    told = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "flags"))][:2]
    packages = {"keras", "numpy", "openvino", "pillow", "scikit-learn", "tensorflow", "tensorflow-cpu"}
    found = {str(one.name).lower().replace("_", "-"): one.version for one in importlib.metadata.distributions()}
    versions = {name: found[name] for name in sorted(packages & found.keys())}
    return {"cpu": hashlib.sha256("\n".join([platform.machine(), *told]).encode()).hexdigest()[:16], **versions}


def fixed_weights(folder: Path) -> Path:
    """Write a file of weights for MobileNet, drawn by NumPy: the same numbers on each machine."""
    import keras

    network = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3))
    rng = np.random.default_rng(0)
    for variable in network.weights:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            inputs = shape[0] * shape[1] * (1 if "depthwise" in variable.path else shape[2])
            values = rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / inputs))
        else:
            values = np.full(shape, variable.name in ("gamma", "moving_variance"), np.float32)
        variable.assign(values)
    folder.mkdir(parents=True, exist_ok=True)
    network.save_weights(folder / "mobilenet.weights.h5")
    return folder / "mobilenet.weights.h5"


def touch(images: Path) -> None:
    """Give all images the time of their last change."""
    for path in images.rglob("*.*"):
        os.utime(path, ns=(MODIFIED_NS, MODIFIED_NS))


def settings(folder: Path) -> dict[str, str]:
    """The environment in which commands run: a cache and weights of their own, below a folder."""
    own = {"TELLAPART_CACHE": folder / "cache", "TELLAPART_WEIGHTS": folder / "weights", "KERAS_HOME": folder / "keras"}
    return {**os.environ, **{name: str(value) for name, value in own.items()}}


def draw(folder: Path) -> None:
    """Draw the images: digits of 8 x 8 pixels, enlarged and tinted, in files of several kinds."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng(1)
    for name, digit in zip(CLASSES, (1, 7, 0), strict=True):
        (folder / name).mkdir(parents=True)
        shades = digits.images[digits.target == digit][:11] * (255 / 16)
        for number, shade in enumerate(shades[:9]):
            _tinted(shade, 14, rng).save(folder / name / f"{number:02}.png")
        grey = Image.fromarray(shades[9].astype(np.uint8))
        grey.resize((13, 16)).save(folder / name / "grey.png")
        large = _tinted(shades[10], 72, rng)
        large.save(folder / name / "large.png")
    seven = Image.fromarray(_pixels(digits.images[digits.target == 7][11] * (255 / 16)))
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn it by 90 degrees to the right
    seven.resize((20, 14)).transpose(Image.Transpose.ROTATE_90).save(folder / "seven" / "turned.jpg", exif=exif)
    clear = Image.fromarray(_pixels(digits.images[digits.target == 1][12] * (255 / 16))).resize((16, 16))
    clear.putalpha(Image.linear_gradient("L").resize((16, 16)))
    clear.save(folder / "one" / "clear.png")
    Image.open(folder / "zero" / "large.png").save(folder / "zero" / "near-copy.jpg", quality=90)
    shutil.copyfile(folder / "zero" / "03.png", folder / "zero" / "copy.png")
    (folder / "zero" / "broken.png").write_bytes((folder / "zero" / "05.png").read_bytes()[:90])


def _pixels(shade: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.stack([shade, shade * 0.6, 255 - shade], axis=-1).astype(np.uint8)


def _tinted(shade: NDArray[np.float64], side: int, rng: np.random.Generator) -> Image.Image:
    tint = rng.uniform(0.5, 1, 3)
    image = Image.fromarray((shade[..., None] * tint).astype(np.uint8))
    return image.resize((side, side), Image.Resampling.BICUBIC)


def run(words: Sequence[str], work: Path, *, killed: str = "", allowed: tuple[int, ...] = (0,)) -> str:
    """Run a command in the working folder and give what it printed; killed, it has to die of it."""
    command = [sys.executable, "-c", RUN, killed, *words]
    done = subprocess.run(command, cwd=work, env=settings(work), capture_output=True, text=True)
    expected = (-9,) if killed else allowed
    if done.returncode not in expected:
        raise RuntimeError(f"{' '.join(words)[:200]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def make(work: Path) -> None:
    """Make everything in an empty folder."""
    expected = work / "expected"
    for folder in ("predict", "evaluate"):
        (expected / folder).mkdir(parents=True)
    draw(work / "images")
    touch(work / "images")
    fixed_weights(work / "weights")
    (expected / "check.json").write_text(run(COMMANDS["findings.csv"], work, allowed=(0, 1)))
    _mark(work / "findings.csv")
    run(COMMANDS["split.csv"], work)
    for name in ("runs/mlp", "runs/logistic", "runs/forest", "runs/knn", "bundle-calibrated"):
        run(COMMANDS[name], work)
    (expected / "compare.json").write_text(run(COMMANDS["compare"], work))
    run(("report", "runs/mlp"), work)
    for name, bundle in BUNDLES.items():
        answers = run(("predict", bundle, "images", "--json", "--top", "9"), work, allowed=(1,))
        (expected / "predict" / f"{name}.jsonl").write_text(answers)
        judged = run(("evaluate", bundle, "images", "--json"), work)
        (expected / "evaluate" / f"{name}.json").write_text(judged)
    for name, files in ENDS.items():
        run(COMMANDS[name], work)
        for file in files:
            (expected / name / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(work / name / file, expected / name / file)
        shutil.rmtree(work / name)
    (expected / "check-mobilenet.json").write_text(run(COMMANDS["findings-mobilenet.csv"], work, allowed=(0, 1)))
    run(COMMANDS["answers.jsonl"], work, allowed=(1,))
    shutil.move(work / "answers.jsonl", expected / "answers.jsonl")
    for name, pattern in KILLED.items():
        run(COMMANDS[name], work, killed=pattern)
    (expected / "machine.json").write_text(json.dumps(machine(), indent=1) + "\n")
    (work / "commands.json").write_text(json.dumps(COMMANDS, indent=1) + "\n")
    _tidy(work)


def _mark(table: Path) -> None:
    """Mark, as a person does, the copies of an image and the broken file."""
    header, *lines = table.read_text().splitlines(keepends=True)
    marked = [f"x{line}" if "copy.png" in line.split(",")[3] or "broken" in line else line for line in lines]
    table.write_text("".join([header, *marked]))


def _tidy(work: Path) -> None:
    """Remove what is large or belongs to this machine alone, and the machine's paths."""
    for name in ("weights", "keras", "cache/graphs", "cache/index"):
        shutil.rmtree(work / name, ignore_errors=True)
    for path in [*work.rglob("report.html"), *work.rglob(".partial-*")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in [*work.rglob("*.json"), *work.rglob("*.csv"), *work.rglob("*.jsonl")]:
        text = path.read_text().replace(f"{work}/", "").replace(platform.platform(), platform.system())
        path.write_text(text)


def main() -> None:
    """Make the artefacts, and move them into this folder, or into the one that is named."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve() / "work"
        make(work)
        shutil.copytree(work, target, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
