"""Search, sweep and folds on a cluster: they end as in one process, whatever happens to workers and to who asks."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.errors import RecipeError
from tellapart.jobs import Jobs, Work
from tellapart.recipe import Recipe
from tellapart.studies.folds.cross_validate import cross_validate
from tellapart.studies.search.search import Search, search
from tellapart.studies.sweep.sweep import sweep

from .killing import killing

In = TypeVar("In")
Out = TypeVar("Out")
RECIPE = Recipe(model="mlp", units=8, batch_size=8, precision="float32")
SPACE = ["units=4:16:4", "learning_rate=0.003,0.03"]
TRIALS = ("--max-epochs", "3", "--workers", "2")


class Killed:
    """The cluster's workers, of which one is killed when it has done its second item, the first time."""

    def __init__(self, jobs: Jobs, once: Path) -> None:
        self.jobs, self.once = jobs, once

    def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
        """See Jobs."""
        with self.workers(begin) as work:
            yield from work(items)

    @contextmanager
    def workers(self, begin: Callable[[], Callable[[In], Out]]) -> Iterator[Work[In, Out]]:
        """See Jobs."""
        with self.jobs.workers(killing(begin, self.once, job=2)) as work:
            yield work


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A search in one process: three trials of one epoch, two of three."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = tmp_path_factory.mktemp("search") / "whole"
        return search(Dataset.open(tiny), RECIPE, SPACE, out=folder, max_epochs=3)


def table(path: Path) -> list[list[str]]:
    """Every epoch of every trial, without how long it took."""
    with path.open(newline="") as stream:
        return [row[:-1] for row in csv.reader(stream)]


def require_as(found: Search, whole: Search) -> None:
    assert table(found.folder / "trials.csv") == table(whole.folder / "trials.csv")
    assert (found.folder / "best.toml").read_bytes() == (whole.folder / "best.toml").read_bytes()
    bundles = [one.run.bundle.folder / "model.bin" for one in (found, whole)]
    assert bundles[0].read_bytes() == bundles[1].read_bytes()
    assert not list(found.folder.rglob(".partial-*"))


def test_a_search_with_a_killed_worker_ends_as_in_one_process(
    cluster: Jobs, whole: Search, tiny: Path, tmp_path: Path
) -> None:
    jobs = Killed(cluster, tmp_path / "killed")
    found = search(Dataset.open(tiny), RECIPE, SPACE, out=tmp_path / "ray", max_epochs=3, jobs=jobs)
    assert (tmp_path / "killed").exists()
    require_as(found, whole)


def test_a_search_whose_command_is_killed_resumes_in_one_process(
    cluster: Jobs, whole: Search, tiny: Path, tmp_path: Path
) -> None:
    import ray

    out = tmp_path / "ray"
    recipe = ("--model", "mlp", "--batch-size", "8", "--precision", "float32", "--units", "8")
    space = [word for one in SPACE for word in ("--space", one)]
    words = [sys.executable, "-m", "tellapart", "search", str(tiny), *recipe, *space, *TRIALS, "--on", "ray"]
    settings = {**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    log = tmp_path / "log"
    with (
        log.open("wb") as stream,
        subprocess.Popen([*words, "--out", str(out)], stdout=stream, stderr=stream, env=settings) as process,
    ):
        waited = time.monotonic()
        while process.poll() is None and not (out / "trials.csv").exists() and time.monotonic() - waited < 300:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL, log.read_text()
    assert len(table(out / "trials.csv")) > 1
    assert not (out / "final").exists()
    require_as(search(Dataset.open(tiny), RECIPE, SPACE, out=out, max_epochs=3), whole)


def test_a_sweep_ends_as_in_one_process(cluster: Jobs, tiny: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=3, monitor="val_accuracy")
    vary = ("learning_rate=1e-3,1e-2,1e-1", "dropout=0,0.5 @ epochs=2")
    here, there = (
        sweep(Dataset.open(tiny), recipe, vary, out=tmp_path / name, jobs=jobs)
        for name, jobs in (("here", None), ("there", cluster))
    )
    assert table(there.folder / "trials.csv") == table(here.folder / "trials.csv")
    assert (there.recipe, there.metrics) == (here.recipe, here.metrics)
    assert (there.bundle.folder / "model.bin").read_bytes() == (here.bundle.folder / "model.bin").read_bytes()


def test_folds_end_as_in_one_process(cluster: Jobs, tiny: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=3, size=20)
    here, there = (
        cross_validate(Dataset.open(tiny), recipe, count=3, out=tmp_path / name, jobs=jobs)
        for name, jobs in (("here", None), ("there", cluster))
    )
    assert table(there.folder / "folds.csv") == table(here.folder / "folds.csv")
    with np.load(here.folder / "out_of_fold.npz") as one, np.load(there.folder / "out_of_fold.npz") as other:
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])


def test_an_error_of_a_worker_is_raised_unchanged(cluster: Jobs, tiny: Path, tmp_path: Path) -> None:
    knn = Recipe(model="knn", features="pixels", size=20, neighbours=50)
    with pytest.raises(RecipeError, match="neighbours is 50"):
        cross_validate(Dataset.open(tiny), knn, count=3, out=tmp_path, jobs=cluster)
