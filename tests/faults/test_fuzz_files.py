"""Altered files of runs, bundles and studies: read as they are or refused in a sentence, soon; nothing else.

By hand, for longer: `TELLAPART_FUZZ_S=600 pytest tests/faults/test_fuzz_files.py`.
"""

import csv
import io
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from tellapart import Bundle, Recipe
from tellapart.bundles.batch.part_store import _read_settings
from tellapart.bundles.evaluate import test_set_uses as read_test_set_uses
from tellapart.bundles.manifest import MANIFEST, SEEN, manifest_hash
from tellapart.bundles.stored_predictions import read_predictions
from tellapart.errors import TellapartError
from tellapart.reports.run_facts import environment_values, read_ladder_steps, skipped_files
from tellapart.studies.folds.folds_folder import read_fold
from tellapart.studies.study_folder import StudyFolder, image_differences, recipe_differences
from tellapart.training.baselines import read_baselines
from tellapart.training.fitting import checkpoints
from tellapart.training.run import Run
from tellapart.training.run_files import reading_of

SECONDS = float(os.environ.get("TELLAPART_FUZZ_S", "6"))  # of all kinds together
SOON_S = 20.0
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", "\x1b[2J", "\ud800", "../..", [], {}, [[]],
    [None], {"a": 1}, "x" * 10_000, 2**63, -0.0,
)  # fmt: skip
Read = Callable[[Path], object]


def mutate(value: Any, rng: random.Random) -> Any:  # noqa: ANN401
    """Alter one place of parsed JSON: another value, one more, one less, a key renamed, or a deep nest."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key, kind = rng.choice([*value]), rng.random()
        if kind < 0.1:
            return {name: item for name, item in value.items() if name != key}
        if kind < 0.2:
            return {**value, str(rng.choice(ODD)): rng.choice(ODD)}
        return {**value, key: mutate(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        index, kind = rng.randrange(len(value)), rng.random()
        if kind < 0.2:
            return value[:index] + value[index + 1 :]
        if kind < 0.3:
            return value * 3
        return [*value[:index], mutate(value[index], rng), *value[index + 1 :]]
    if rng.random() < 0.05:
        nest: Any = value
        for _ in range(rng.choice((10, 60, 500))):
            nest = [nest] if rng.random() < 0.5 else {"a": nest}
        return nest
    return rng.choice(ODD)


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Alter, cut or repeat a few bytes."""
    place = rng.randrange(len(content) + 1)
    extra = rng.choice((b"", bytes([rng.randrange(256)]), b"\x00" * 8, b"9" * 500, b'"', b"[" * 2_000))
    return content[:place] + extra + content[place + rng.choice((0, 1, 8, 10**6)) :]


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return mutated_bytes(content, rng)
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 3))):
        value = mutate(value, rng)
    return json.dumps(value).encode()


def mutated_manifest(content: bytes, rng: random.Random) -> bytes:
    """Alter the manifest of a bundle and seal it again, as an attacker could."""
    fields = mutate(json.loads(content), rng)
    if not isinstance(fields, dict) or rng.random() < 0.1:
        return mutated_bytes(content, rng)
    fields.pop("sha256", None)
    return json.dumps({**fields, "sha256": manifest_hash(fields)}).encode()


def mutated_toml(content: bytes, rng: random.Random) -> bytes:
    fields = {**Recipe().as_dict(), "then": ["unfreeze=2"]}
    fields[rng.choice([*fields])] = rng.choice([value for value in ODD if value not in (None, [None], "\ud800")])
    return mutated_bytes(content, rng) if rng.random() < 0.4 else tomli_w.dumps(fields).encode()


def mutated_csv(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return mutated_bytes(content, rng)
    rows = list(csv.reader(io.StringIO(content.decode())))
    row = rng.choice(rows)
    row[rng.randrange(len(row))] = str(rng.choice(ODD))
    if rng.random() < 0.2:
        row.pop()
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors="replace")


def mutated_npz(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return mutated_bytes(content, rng)
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = rng.choice([*arrays])
    odd = (np.array(1.0), np.zeros((0, 2**40)), np.full(3, np.nan), np.array(["\x1b"]), np.eye(2) > 0)
    arrays[name] = rng.choice((*odd, arrays[name].ravel()[:1], arrays[name].astype("S8"), -np.arange(2)))
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _bundle(path: Path) -> object:
    bundle = Bundle.open(path.parent)
    return bundle.reject, bundle.classes, bundle.precision


def _run(path: Path) -> object:
    run = Run(path.parent)
    return [*environment_values(run)], reading_of(run.environment["dataset"])


def _study(path: Path) -> object:
    study = StudyFolder(path.parent, "search", path.name)
    settings = json.loads(path.with_name("good.json").read_text())
    return study.changes(settings, lambda *two: iter([*recipe_differences(*two), *image_differences(*two)]))


@pytest.fixture(scope="module")
def files(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Callable[..., bytes], Read]]:
    """Each kind of file in a folder of its own: its path, how it is altered, and what reads it."""
    folder = tmp_path_factory.mktemp("fuzz")
    run = Path(shutil.copytree(trained.folder, folder / "run"))
    baseline = {"name": "majority class", "split": "test", "stands_on": "nothing", "images": 3, "p_value": 0.5}
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6}
    (run / "baselines.json").write_text(json.dumps([{**baseline, "accuracy": estimate, "difference": estimate}]))
    (run / "ladder.csv").write_text("name,took_s,accuracy,kept\nlinear head,1.5,0.5,True\n")
    (run / "skipped.csv").write_text("path,reason\na.png,damaged\n")
    (run / "test-uses.json").write_text('{"evaluations": 1}')
    settings = {"recipe": Recipe().as_dict(), "pictures": {"name": "tiny", "fingerprint": "0" * 64}}
    (folder / "study").mkdir()
    for name in ("settings.json", "good.json"):
        (folder / "study" / name).write_text(json.dumps(settings))
    (folder / "folds" / "parts").mkdir(parents=True)
    np.savez(
        folder / "folds" / "parts" / "0001.npz",
        digests=np.array(["a", "b"]), labels=np.zeros(2, np.int32), probabilities=np.eye(2, dtype=np.float32),
        epoch=np.int32(1), seconds=np.float64(2),
    )  # fmt: skip
    (folder / "parts").mkdir()
    part = {"bundle": "0" * 64, "top": 3, "count": 2, "pictures": "0" * 64, "replaces": False}
    (folder / "parts" / "settings.json").write_text(json.dumps(part))
    epochs = [{"epoch": 1, "loss": 0.5, "accuracy": 0.5, "val_loss": None, "val_accuracy": 0.5, "learning_rate": 0.1}]
    checkpoint = folder / "checkpoints" / "epoch-0001-val_loss-0.5000"
    checkpoint.mkdir(parents=True)
    (checkpoint / "history.json").write_text(json.dumps([{**epochs[0], "seconds": 1.5}]))
    np.savez(checkpoint / "state.npz", np.eye(2), np.zeros(3))
    found = checkpoints.found(checkpoint.parent)[0]
    return {
        "bundle.json": (run / "bundle" / MANIFEST, mutated_manifest, _bundle),
        "splits.json": (run / "bundle" / SEEN, mutated_json, lambda path: Bundle.open(path.parent).seen),
        "recipe.toml": (run / "recipe.toml", mutated_toml, Recipe.read),
        "environment.json": (run / "environment.json", mutated_json, _run),
        "metrics.json": (run / "metrics.json", mutated_json, lambda path: Run(path.parent).metrics),
        "history.csv": (run / "history.csv", mutated_csv, checkpoints.read_history),
        "history.json": (checkpoint / "history.json", mutated_json, lambda path: checkpoints.found(path.parent.parent)),
        "state.npz": (checkpoint / "state.npz", mutated_npz, lambda _: found.state()),
        "ladder.csv": (run / "ladder.csv", mutated_csv, lambda path: read_ladder_steps(path.parent)),
        "skipped.csv": (run / "skipped.csv", mutated_csv, lambda path: [*skipped_files(Run(path.parent))]),
        "baselines.json": (run / "baselines.json", mutated_json, lambda path: read_baselines(Run(path.parent))),
        "test-uses.json": (run / "test-uses.json", mutated_json, lambda path: read_test_set_uses(path.parent)),
        "answers": (run / "answers" / "test.npz", mutated_npz, lambda _: read_predictions(run, "test")),
        "study": (folder / "study" / "settings.json", mutated_json, _study),
        "fold": (folder / "folds" / "parts" / "0001.npz", mutated_npz, lambda _: read_fold(folder / "folds", 1).row),
        "parts": (folder / "parts" / "settings.json", mutated_json, _read_settings),
    }  # fmt: skip


KINDS = (
    "bundle.json", "splits.json", "recipe.toml", "environment.json", "metrics.json", "history.csv", "history.json",
    "state.npz", "ladder.csv", "skipped.csv", "baselines.json", "test-uses.json", "answers", "study", "fold", "parts",
)  # fmt: skip


def seeds() -> Iterator[int]:
    """Yield seeds until the time is over, at least 20."""
    started, seed = time.monotonic(), 0
    while seed < 20 or time.monotonic() - started < SECONDS / len(KINDS):
        yield seed
        seed += 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_altered_file_is_read_or_refused_in_a_sentence(
    kind: str, files: dict[str, tuple[Path, Callable[..., bytes], Read]]
) -> None:
    path, alter, read = files[kind]
    original = path.read_bytes()
    read(path)
    messages: list[str] = []
    try:
        for seed in seeds():
            altered = alter(original, random.Random(seed))  # noqa: S311  it guards nothing
            path.write_bytes(altered)
            started = time.monotonic()
            try:
                read(path)
            except TellapartError as error:
                messages.append(str(error))
            except Exception as error:
                raise AssertionError(f"{kind}, seed {seed}: {error!r}, {altered[:500]!r}") from error
            assert time.monotonic() - started < SOON_S, (kind, seed)
    finally:
        path.write_bytes(original)
    assert messages or kind == "study"
    assert max(map(len, messages), default=0) < 6_000
