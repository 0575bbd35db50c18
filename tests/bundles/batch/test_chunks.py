"""Batch prediction by jobs: the same file in any order, and after any interruption."""

import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tellapart import Bundle
from tellapart.bundles.batch.chunks import ChunkPrediction, missing_chunks
from tellapart.bundles.batch.part_store import INDEX_STEP, BatchSettings, PartStore
from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.data.pipeline import BATCH
from tellapart.errors import BundleError
from tellapart.jobs import LocalJobs

In = TypeVar("In")
Out = TypeVar("Out")


class StoppedError(Exception):
    """Simulates an interruption."""


@dataclass
class ShuffledJobs(LocalJobs):
    """Jobs that finish in a random order, and stop after `max_jobs`."""

    seed: int = 0
    max_jobs: int = 1_000_000

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """Shuffle the jobs by the seed, and stop after `max_jobs`."""
        shuffled = random.Random(self.seed).sample(waiting := list(items), len(waiting))  # noqa: S311  not for security
        yield from LocalJobs().run(begin, shuffled[: self.max_jobs])
        if len(shuffled) > self.max_jobs:
            raise StoppedError


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.bundles.batch.predict_to_file.CHUNK_IMAGES", 4)
    monkeypatch.setattr("tellapart.bundles.batch.predict_to_file.PART_ROWS", 6)


@pytest.fixture
def whole(bundle: Bundle, files: list[str], tmp_path: Path) -> bytes:
    """The file that one process writes without interruption."""
    return predict_to_file(bundle, files, tmp_path / "whole.jsonl").path.read_bytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_file_is_that_of_one_process(
    bundle: Bundle, files: list[str], whole: bytes, tmp_path: Path, seed: int
) -> None:
    summary = predict_to_file(bundle, files, tmp_path / "a.jsonl", jobs=ShuffledJobs(seed))
    assert summary.path.read_bytes() == whole
    assert (summary.images, summary.unreadable) == (38, 2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("resume", ["local", "jobs"])
def test_resuming_computes_only_missing_images(
    bundle: Bundle, files: list[str], whole: bytes, tmp_path: Path, seed: int, resume: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "a.jsonl"
    for run in range(2):  # after two interruptions, the parts have gaps
        with pytest.raises(StoppedError):
            predict_to_file(bundle, files, out, jobs=ShuffledJobs(seed + run, max_jobs=3))
    added: list[int] = []
    add = PartStore.add

    def recording(self: PartStore, first: int, lines: list[str]) -> None:
        added.extend(range(first, first + len(lines)))
        add(self, first, lines)

    monkeypatch.setattr(PartStore, "add", recording)
    predict_to_file(bundle, files, out, jobs=ShuffledJobs(seed) if resume == "jobs" else None)
    assert out.read_bytes() == whole
    assert len(added) == len(set(added)) == 38 - 6 * 4 + (2 if 36 not in added else 0)


def store_with(folder: Path, count: int, *ranges: tuple[int, int]) -> PartStore:
    (folder / "pictures.jsonl").write_text("".join(f'"{number}"\n' for number in range(count)))
    store = PartStore(folder, BatchSettings("", 1, count, "a" * 64))
    for first, end in ranges:
        store.add(first, ["{}"] * (end - first))
    return store


@pytest.mark.parametrize(
    ("ranges", "missing"),
    [
        ([], [(0, 20)]),
        ([(0, 20)], []),
        ([(4, 8)], [(0, 4), (8, 20)]),
        ([(0, 4), (8, 20)], [(4, 8)]),
        ([(0, 6), (4, 8), (8, 12)], [(6, 8), (12, 20)]),  # overlaps are not counted twice
    ],
)
def test_missing_images_are_those_in_no_part(
    tmp_path: Path, ranges: list[tuple[int, int]], missing: list[tuple[int, int]]
) -> None:
    store = store_with(tmp_path, 20, *ranges)
    assert store.missing() == missing
    assert store.done == 20 - sum(end - first for first, end in missing)


@pytest.mark.parametrize("count", [21, 2 * INDEX_STEP, 3 * INDEX_STEP + 5])
def test_a_chunk_has_its_images_and_never_fewer_than_a_batch(tmp_path: Path, count: int) -> None:
    for chunk in missing_chunks(store_with(tmp_path, count, (3, 6)), 5):
        paths = list(map(int, chunk.load_paths().paths))
        assert paths[chunk.skip :][: chunk.end - chunk.first] == list(range(chunk.first, chunk.end))
        assert len(paths) >= BATCH
        assert paths == list(range(paths[0], paths[0] + len(paths)))


def test_another_bundle_on_a_workers_machine_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    other = Path(shutil.copytree(bundle.folder, tmp_path / "other"))
    with pytest.raises(BundleError, match="is a different bundle on a worker's machine"):
        ChunkPrediction(other, "0" * 64, "float32", 1)()
    with pytest.raises(BundleError):
        ChunkPrediction(tmp_path, "0" * 64, "float32", 1)()


def test_an_empty_list_gives_a_file_without_rows(bundle: Bundle, tmp_path: Path) -> None:
    assert predict_to_file(bundle, [], tmp_path / "a.jsonl", jobs=ShuffledJobs()).images == 0


def test_every_row_has_the_path_of_its_image(bundle: Bundle, files: list[str], tmp_path: Path) -> None:
    rows = predict_to_file(bundle, files, tmp_path / "a.jsonl", jobs=ShuffledJobs(3)).path.read_text().splitlines()
    assert [json.loads(row)["path"] for row in rows] == files
