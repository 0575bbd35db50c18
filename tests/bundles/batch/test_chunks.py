"""Answers by whoever does jobs: the same file, whoever began it, whoever ends it, in whatever order."""

import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tellapart import Bundle
from tellapart.bundles.batch.chunks import ChunkPrediction, chunks
from tellapart.bundles.batch.part_store import STEP, BatchSettings, PartStore
from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.data.pipeline import BATCH
from tellapart.errors import BundleError
from tellapart.jobs import LocalJobs

In = TypeVar("In")
Out = TypeVar("Out")


class StoppedError(Exception):
    """Stands for a kill."""


@dataclass
class Crowd(LocalJobs):
    """Workers who answer in any order, and stop after so many jobs."""

    seed: int = 0
    most: int = 1_000_000

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """Mixed up by the seed, and stopped after `most` jobs."""
        mixed = random.Random(self.seed).sample(waiting := list(items), len(waiting))  # noqa: S311  chance, not secrecy
        yield from LocalJobs().run(begin, mixed[: self.most])
        if len(mixed) > self.most:
            raise StoppedError


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.bundles.batch.predict_to_file.SIZE", 4)
    monkeypatch.setattr("tellapart.bundles.batch.predict_to_file.PART_ROWS", 6)


@pytest.fixture
def whole(bundle: Bundle, files: list[str], tmp_path: Path) -> bytes:
    """The file that one process writes, undisturbed."""
    return predict_to_file(bundle, files, tmp_path / "whole.jsonl").path.read_bytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_file_is_that_of_one_process(
    bundle: Bundle, files: list[str], whole: bytes, tmp_path: Path, seed: int
) -> None:
    done = predict_to_file(bundle, files, tmp_path / "a.jsonl", jobs=Crowd(seed))
    assert done.path.read_bytes() == whole
    assert (done.images, done.unreadable) == (38, 2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ending", ["here", "crowd"])
def test_whoever_goes_on_computes_only_what_is_missing(
    bundle: Bundle, files: list[str], whole: bytes, tmp_path: Path, seed: int, ending: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "a.jsonl"
    for more in range(2):  # stopped twice, there are parts here and there
        with pytest.raises(StoppedError):
            predict_to_file(bundle, files, out, jobs=Crowd(seed + more, most=3))
    kept: list[int] = []
    keep = PartStore.keep

    def noting(self: PartStore, first: int, lines: list[str]) -> None:
        kept.extend(range(first, first + len(lines)))
        keep(self, first, lines)

    monkeypatch.setattr(PartStore, "keep", noting)
    predict_to_file(bundle, files, out, jobs=Crowd(seed) if ending == "crowd" else None)
    assert out.read_bytes() == whole
    assert len(kept) == len(set(kept)) == 38 - 6 * 4 + (2 if 36 not in kept else 0)


def parts_with(folder: Path, count: int, *kept: tuple[int, int]) -> PartStore:
    (folder / "pictures.jsonl").write_text("".join(f'"{number}"\n' for number in range(count)))
    parts = PartStore(folder, BatchSettings("", 1, count, "a" * 64))
    for first, end in kept:
        parts.keep(first, ["{}"] * (end - first))
    return parts


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        ([], [(0, 20)]),
        ([(0, 20)], []),
        ([(4, 8)], [(0, 4), (8, 20)]),
        ([(0, 4), (8, 20)], [(4, 8)]),
        ([(0, 6), (4, 8), (8, 12)], [(6, 8), (12, 20)]),  # what overlaps is not counted twice
    ],
)
def test_what_is_missing_is_what_no_part_holds(
    tmp_path: Path, kept: list[tuple[int, int]], missing: list[tuple[int, int]]
) -> None:
    parts = parts_with(tmp_path, 20, *kept)
    assert parts.missing() == missing
    assert parts.done == 20 - sum(end - first for first, end in missing)


@pytest.mark.parametrize("count", [21, 2 * STEP, 3 * STEP + 5])
def test_a_stretch_has_its_images_and_never_fewer_than_a_batch(tmp_path: Path, count: int) -> None:
    for stretch in chunks(parts_with(tmp_path, count, (3, 6)), 5):
        paths = list(map(int, stretch.held().paths))
        assert paths[stretch.skip :][: stretch.end - stretch.first] == list(range(stretch.first, stretch.end))
        assert len(paths) >= BATCH
        assert paths == list(range(paths[0], paths[0] + len(paths)))


def test_another_bundle_on_a_workers_machine_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    other = Path(shutil.copytree(bundle.folder, tmp_path / "other"))
    with pytest.raises(BundleError, match="is another bundle on a worker's machine"):
        ChunkPrediction(other, "0" * 64, "float32", 1)()
    with pytest.raises(BundleError):
        ChunkPrediction(tmp_path, "0" * 64, "float32", 1)()


def test_a_list_that_is_empty_gives_a_file_without_rows(bundle: Bundle, tmp_path: Path) -> None:
    assert predict_to_file(bundle, [], tmp_path / "a.jsonl", jobs=Crowd()).images == 0


def test_every_answer_names_its_own_image(bundle: Bundle, files: list[str], tmp_path: Path) -> None:
    rows = predict_to_file(bundle, files, tmp_path / "a.jsonl", jobs=Crowd(3)).path.read_text().splitlines()
    assert [json.loads(row)["path"] for row in rows] == files
