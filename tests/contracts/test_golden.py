"""What version 0.1.0 left on disk before the rename still loads, verifies, resumes and predicts the same.

`tests/golden/make.py` made the artefacts and says what they are. Where a later version runs on the kind of machine that
made them, with the same packages, answers are the same text; elsewhere labels are equal and probabilities close.
"""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart import Bundle, Dataset, Prediction, Predictor, Recipe, Run, evaluate
from tellapart.cli import main
from tellapart.training.baselines import read_baselines

from ..golden.make import BUNDLES, CLASSES, ENDS, GOLDEN, fixed_weights, machine, settings, touch

COMMANDS: dict[str, list[str]] = json.loads((GOLDEN / "commands.json").read_text())
RUNS = ("runs/mlp", "runs/logistic", "runs/forest", "runs/knn")
SAME_MACHINE = machine() == json.loads((GOLDEN / "expected" / "machine.json").read_text())
WORDS = {"sentence", "advice", "detail", "error"}
"""What is said to a person, which may be said better."""
CLOSE, TRAINED_CLOSE = 1e-5, 1e-3
"""Relative tolerances: of the same weights, and of weights that were trained on, here again."""

Command = Callable[..., str]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the artefacts, in which commands run as they ran then."""
    folder = tmp_path / "work"
    shutil.copytree(GOLDEN, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    touch(folder / "images")
    for name, value in settings(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, in which TensorFlow is imported but once; give what it printed."""

    def run(words: Iterable[str], status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["tellapart", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert ended.value.code == status, said.err
        return said.out

    return run


def tellapart(words: Iterable[str], status: int = 0) -> str:
    """Run a command as a person does; give what it printed."""
    command = [sys.executable, "-m", "tellapart", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stderr
    return done.stdout


def require_equal(found: object, golden: object, rtol: float, where: str = "") -> None:
    """Require the same JSON: the same keys in order, among newer ones; equal texts and integers, close fractions."""
    if isinstance(golden, dict):
        assert isinstance(found, dict), where
        assert [name for name in found if name in golden] == list(golden), where
        for name, value in golden.items():
            if name in WORDS:
                assert isinstance(found[name], str), f"{where}.{name}"
            elif name != "seconds":
                require_equal(found[name], value, rtol, f"{where}.{name}")
    elif isinstance(golden, list):
        assert isinstance(found, list), where
        assert len(found) == len(golden), where
        for number, pair in enumerate(zip(found, golden, strict=True)):
            require_equal(*pair, rtol, f"{where}[{number}]")
    elif isinstance(golden, float):
        assert found == pytest.approx(golden, rel=rtol, abs=1e-6, nan_ok=True), where
    else:
        assert found == golden, where


def require_same_lines(found: str, golden: str) -> None:
    """Require the same answers, a line of JSON for each image: also the same text on the machine that made them."""
    lines, expected = ([json.loads(line) for line in text.splitlines()] for text in (found, golden))
    assert [line["path"] for line in lines] == [line["path"] for line in expected]
    require_equal(lines, expected, CLOSE)
    if SAME_MACHINE:
        pairs = zip(found.splitlines(), golden.splitlines(), strict=True)
        assert [one for one, other in pairs if one != other and "error" not in json.loads(other)] == []


def table(path: Path) -> list[dict[str, Any]]:
    """Read a CSV table, its numbers as numbers, without how long anything took."""

    def value(cell: str) -> object:
        try:
            return float(cell) if "." in cell or "e-" in cell else int(cell)
        except ValueError:
            return cell

    with path.open(newline="") as stream:
        return [
            {name: value(cell) for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(stream)
        ]


def require_same_file(found: Path, golden: Path, rtol: float) -> None:
    """Require the same content beside newer fields; in its numbers the machine may play a part."""
    if golden.suffix == ".csv":
        require_equal(table(found), table(golden), rtol, golden.name)
    elif golden.suffix == ".json":
        require_equal(json.loads(found.read_text()), json.loads(golden.read_text()), rtol, golden.name)
    elif golden.suffix == ".toml":
        require_equal(tomllib.loads(found.read_text()), tomllib.loads(golden.read_text()), rtol, golden.name)
    elif golden.suffix == ".npz":
        with np.load(found, allow_pickle=False) as one, np.load(golden, allow_pickle=False) as other:
            assert [name for name in one.files if name in other.files] == other.files
            for name in other.files:
                assert (one[name].dtype, one[name].shape) == (other[name].dtype, other[name].shape), name
                if other[name].dtype.kind == "f" and name != "seconds":
                    np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=1e-6, err_msg=name)
                elif name != "seconds":
                    np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    else:
        assert found.read_bytes() == golden.read_bytes()


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder but locks."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_verifies_and_answers_as_it_did(work: Path, name: str) -> None:
    Bundle.open(BUNDLES[name]).verify()
    golden = (work / "expected" / "predict" / f"{name}.jsonl").read_text()
    found = tellapart(["predict", BUNDLES[name], "images", "--json", "--top", "9"], status=1)
    require_same_lines(found, golden)
    lines = [json.loads(line) for line in golden.splitlines()]
    answers = list(Predictor(BUNDLES[name]).predict([line["path"] for line in lines], top=9))
    require_equal([answer.as_json() for answer in answers], lines, CLOSE)
    assert [isinstance(answer, Prediction) for answer in answers] == ["label" in line for line in lines]
    assert [line["path"] for line in lines if "error" in line] == ["images/zero/broken.png"]
    if name == "calibrated":
        assert {line.get("unknown") for line in lines} >= {True, False}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_is_judged_as_it_was(work: Path, here: Command, name: str) -> None:
    golden = json.loads((work / "expected" / "evaluate" / f"{name}.json").read_text())
    require_equal(evaluate(BUNDLES[name], Dataset.open("images")).as_json(detailed=True), golden, CLOSE)
    if name == "mlp":
        require_equal(json.loads(here(["evaluate", BUNDLES[name], "images", "--json"])), golden, CLOSE)
        assert json.loads((work / "runs" / "mlp" / "test-uses.json").read_text()) == {"evaluations": 3}


@pytest.mark.parametrize("name", RUNS)
def test_a_finished_run_is_opened_and_left_as_it_is(work: Path, here: Command, tmp_path: Path, name: str) -> None:
    before = contents(work / name)
    run = Run(Path(name))
    run.recipe.write(tmp_path / "recipe.toml")
    require_same_file(tmp_path / "recipe.toml", work / name / "recipe.toml", 0)
    assert run.recipe == Recipe.read(work / name / "recipe.toml")
    facts = run.environment["dataset"]
    assert {**facts, "fingerprint": "", "pictures": {}} == {
        "name": "images",
        "source": "images",
        "reading": facts["reading"],
        "fingerprint": "",
        "classes": [*CLASSES],
        "pictures": {},
    }
    assert run.metrics == json.loads(before["metrics.json"])
    assert run.bundle.classes == CLASSES
    assert run.bundle.metrics == run.metrics
    here([*COMMANDS[name], "--resume"])  # refused if the recipe or the images seem to be others
    assert contents(work / name) == before


def test_runs_are_compared_and_reported_as_they_were(work: Path, here: Command) -> None:
    golden = json.loads((work / "expected" / "compare.json").read_text())
    require_equal(json.loads(here(COMMANDS["compare"])), golden, CLOSE)
    baselines = (work / "runs" / "mlp" / "baselines.json").read_bytes()
    assert [one.images for one in read_baselines(Run(Path("runs/mlp")))] == [26] * 4
    here(["report", "runs/mlp"])
    assert (work / "runs" / "mlp" / "report.html").stat().st_size > 10_000
    assert (work / "runs" / "mlp" / "baselines.json").read_bytes() == baselines


def test_a_killed_run_ends_as_if_nothing_had_happened(work: Path, here: Command) -> None:
    whole, run, pixels = work / "runs" / "mlp", work / "runs" / "killed", contents(work / "cache" / "pixels")
    (checkpoint,) = (run / "checkpoints").glob("epoch-0001-*")
    (first,) = json.loads((checkpoint / "history.json").read_text())
    here([*COMMANDS["runs/killed"], "--resume"])
    with (run / "history.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    assert {name: float(cell) for name, cell in row.items()} == first  # seconds too: it was not trained again
    for name in ("history.csv", "metrics.json", "recipe.toml", "split.csv", "skipped.csv", "bundle/splits.json"):
        require_same_file(run / name, whole / name, TRAINED_CLOSE)
    assert contents(work / "cache" / "pixels") == pixels  # found, and nothing decoded under another key
    if SAME_MACHINE:
        assert (run / "bundle" / "model.bin").read_bytes() == (whole / "bundle" / "model.bin").read_bytes()
    paths = sorted(str(path) for path in Path("images").rglob("*.*"))
    pairs = zip(*(Predictor(one / "bundle").predict(paths) for one in (run, whole)), strict=True)
    for one, other in pairs:
        require_equal(one.as_json(), other.as_json(), TRAINED_CLOSE)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("sweeps/mlp", ("trials/0001.json",)),
        ("searches/mlp", ("search.json",)),
        ("folds/mlp", ("settings.json", "recipe.toml", "parts/0001.npz")),
    ],
)
def test_a_killed_study_ends_as_if_nothing_had_happened(
    work: Path, here: Command, name: str, kept: tuple[str, ...]
) -> None:
    before, journal = contents(work / name), work / name / "journal.log"
    written = journal.read_bytes() if journal.exists() else b""
    here(COMMANDS[name])
    for file in kept:  # what took a number of seconds then was not done again
        assert (work / name / file).read_bytes() == before[file], file
    if written:
        assert journal.read_bytes().startswith(written[: written.rfind(b"\n") + 1])
    for file in ENDS[name]:
        require_same_file(work / name / file, work / "expected" / name / file, TRAINED_CLOSE)


def test_answers_that_were_begun_resume(work: Path, here: Command) -> None:
    (part,) = (work / "answers.jsonl.parts").glob("part-*")
    lines = part.read_text().splitlines()
    forged = json.dumps({**json.loads(lines[0]), "label": "forged"})
    part.write_text("\n".join([forged, *lines[1:]]) + "\n")
    here(COMMANDS["answers.jsonl"], status=1)
    found = (work / "answers.jsonl").read_text().splitlines()
    assert found[0] == forged  # so the part was taken as it was
    golden = (work / "expected" / "answers.jsonl").read_text().splitlines()
    assert found[1 : len(lines)] == golden[1 : len(lines)]
    require_same_lines("\n".join(found[1:]), "\n".join(golden[1:]))
    assert not (work / "answers.jsonl.parts").exists()


def require_same_findings(table: Path, golden: Path) -> None:
    """Require the same table, byte by byte but for its last column, which is in words, and for marks."""
    tables = []
    for path in (table, golden):
        with path.open(newline="") as stream:
            tables.append([[*row[1:-1]] for row in csv.reader(stream)])
    assert tables[0] == tables[1]
    assert table.read_text().partition("\n")[0] == golden.read_text().partition("\n")[0]


def test_images_are_checked_as_they_were_from_cached_facts(work: Path, here: Command) -> None:
    facts = contents(work / "cache" / "facts")
    golden = json.loads((work / "expected" / "check.json").read_text())
    words = ["new.csv" if word == "findings.csv" else word for word in COMMANDS["findings.csv"]]
    found = json.loads(here(words))
    require_equal({**found, "table": "findings.csv"}, golden, CLOSE)
    require_same_findings(Path("new.csv"), Path("findings.csv"))
    assert "x," in Path("findings.csv").read_text()
    assert contents(work / "cache" / "facts") == facts


def test_a_division_is_written_byte_by_byte_as_it_was(work: Path) -> None:
    words = ["new.csv" if word == "split.csv" else word for word in COMMANDS["split.csv"]]
    tellapart(words)
    assert Path("new.csv").read_bytes() == Path("split.csv").read_bytes()
    assert {*Dataset.open("split.csv").splits} == {"train", "validation", "test"}


def test_features_of_a_frozen_base_are_found_under_their_key(work: Path, here: Command) -> None:
    """If only the key changed, the backbone would be run again, which leaves a graph and a second shard."""
    fixed_weights(work / "weights")
    features = contents(work / "cache" / "features")
    here(COMMANDS["folds/mobilenet"])
    assert contents(work / "cache" / "features") == features
    assert not (work / "cache" / "graphs").exists()
    for file in ENDS["folds/mobilenet"]:
        require_same_file(
            work / "folds" / "mobilenet" / file, work / "expected" / "folds" / "mobilenet" / file, TRAINED_CLOSE
        )


def test_features_are_found_without_the_network_by_what_was_noted_of_it(work: Path, here: Command) -> None:
    (note,) = (work / "cache" / "bases").glob("*.json")
    weights = work / "weights" / "mobilenet.weights.h5"
    weights.parent.mkdir()
    weights.write_bytes(b"not needed where the features are")
    for precision in ("float32", "bfloat16"):  # whichever this machine computes in
        noted = {**json.loads(note.read_text()), "weights": hashlib.sha256(weights.read_bytes()).hexdigest()}
        note.with_name(f"{precision}.json").write_text(json.dumps({**noted, "precision": precision}))
    golden = json.loads((work / "expected" / "check-mobilenet.json").read_text())
    words = ["new.csv" if word == "findings-mobilenet.csv" else word for word in COMMANDS["findings-mobilenet.csv"]]
    found = json.loads(here(words))
    require_equal({**found, "table": "findings-mobilenet.csv"}, golden, CLOSE)
    require_same_findings(Path("new.csv"), Path("findings-mobilenet.csv"))


def entries(images: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """For each file its stamp and its hash, as the index of hashes keeps them."""
    stats = {path: path.stat() for path in images.rglob("*.*")}
    return {
        str(path): (
            (one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path, one in stats.items()
    }


def index_file(images: Path) -> Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(images))).hexdigest()
    return Path(os.environ["TELLAPART_CACHE"]) / "index" / f"{name}.npz"


def test_the_index_of_hashes_is_written_as_it_was(work: Path) -> None:
    Dataset.open(GOLDEN / "images")  # files that were not made just now
    expected = entries(GOLDEN.resolve() / "images")
    with np.load(index_file(GOLDEN / "images"), allow_pickle=False) as arrays:
        names = arrays["names"].tobytes().decode().split("\0")
        assert sorted(names) == sorted(expected)
        assert arrays["stamps"].tolist() == [list(expected[name][0]) for name in names]
        assert [row.tobytes().hex() for row in arrays["hashes"]] == [expected[name][1] for name in names]


def test_the_index_of_hashes_is_read_as_it_was(work: Path) -> None:
    fingerprint = json.loads((work / "expected" / "check.json").read_text())["fingerprint"]
    assert Dataset.open("images").fingerprint == fingerprint
    known = entries(work.resolve() / "images")
    index_file(work / "images").parent.mkdir(exist_ok=True)
    for forged in (False, True):
        digests = [digest if not forged else "0" * 64 for _, digest in known.values()]
        np.savez(
            index_file(work / "images"),
            names=np.frombuffer("\0".join(known).encode(), np.uint8),
            stamps=np.array([stamp for stamp, _ in known.values()], np.int64),
            hashes=np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32),
        )
        assert (Dataset.open("images").fingerprint == fingerprint) != forged
