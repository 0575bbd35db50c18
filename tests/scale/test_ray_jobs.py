"""Jobs on a cluster: each once, whatever happens to those who do them."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TypeVar, cast

import pytest

from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.data.sources.arrays import array_split
from tellapart.errors import BundleError, ClusterError, ImageError
from tellapart.jobs import CORES, Jobs, LocalJobs, assigned_cores
from tellapart.scale import ray_jobs
from tellapart.training.run import Run

from .conftest import waited
from .killing import killing

In = TypeVar("In")
Out = TypeVar("Out")


def test_each_item_has_one_result(cluster: Jobs) -> None:
    def begin() -> Callable[[tuple[int, str]], tuple[int, str, int | None]]:
        return lambda item: (*item, assigned_cores())

    items = [(number, "x" * number) for number in range(12)]
    results = sorted(cluster.run(begin, iter(items)))
    assert results == [(*item, 1) for item in items]
    assert CORES not in os.environ


def test_no_more_items_are_taken_than_there_are_workers(cluster: Jobs) -> None:
    taken = list[int]()

    def items() -> Iterator[int]:
        for number in range(7):
            taken.append(number)
            yield number

    results = cluster.run(lambda: lambda item: item, items())
    first = next(results)
    assert len(taken) == 3  # two, and one more when the first was done
    assert sorted([first, *results]) == list(range(7))


def test_an_error_of_a_job_is_raised(cluster: Jobs) -> None:
    def begin() -> Callable[[int], int]:
        def work(item: int) -> int:
            raise ImageError(f"number {item}")

        return work

    with pytest.raises(ImageError, match="number 5"):
        list(cluster.run(begin, [5]))


def test_an_error_of_begin_is_raised(cluster: Jobs) -> None:
    def begin() -> Callable[[int], int]:
        raise BundleError("no bundle here")

    with pytest.raises(BundleError, match="no bundle here"):
        list(cluster.run(begin, [1, 2]))


def test_a_job_that_kills_every_worker_ends(cluster: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin() -> Callable[[int], int]:
        def work(item: int) -> int:
            os.kill(os.getpid(), signal.SIGKILL)
            return item

        return work

    monkeypatch.setattr(ray_jobs, "MAX_RETRIES", 1)
    with pytest.raises(ClusterError, match=r"the Ray cluster gave up a job: .*is there enough memory"):
        list(cluster.run(begin, [1]))


def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    cluster: Jobs, trained: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(LocalJobs):
        def run(self, begin: Callable[[], Callable[[In], Out]], items: Iterable[In]) -> Iterator[Out]:
            return cluster.run(killing(begin, tmp_path / "killed", job=3), items)

    monkeypatch.setattr("tellapart.bundles.batch.predict_to_file.CHUNK_IMAGES", 4)
    corrupt = tmp_path / "corrupt.png"
    corrupt.write_bytes(b"corrupt")
    files = [*map(str, sorted(tiny.rglob("*.png"))), str(corrupt), "absent.png"]
    whole = predict_to_file(trained.bundle, files, tmp_path / "whole.parquet")
    found = predict_to_file(trained.bundle, files, tmp_path / "found.parquet", jobs=Killed())
    assert (tmp_path / "killed").exists()
    assert (found.images, found.unreadable) == (38, 2)
    assert found.path.read_bytes() == whole.path.read_bytes()
    assert not found.path.with_name("found.parquet.parts").exists()


def test_features_equal_those_of_one_process(cluster: Jobs, tmp_path: Path) -> None:
    import keras
    import numpy as np

    from tellapart.data.preprocessing import Preprocessing
    from tellapart.models.features.frozen_backbone import FrozenBackbone, stored_features

    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3), dtype="uint8")
    seen = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3)(keras.layers.Rescaling(1 / 255)(images)))
    base = FrozenBackbone("grid", keras.Model(images, seen), Preprocessing(8, 8, 3), "float32")
    noise = np.random.default_rng(0).integers(0, 256, (40, 9, 9, 3), dtype=np.uint8)
    split = array_split(noise, np.zeros(40, np.int32))
    here = stored_features(base, split.images, cache=tmp_path / "here", label="here")
    there = stored_features(base, split.images, cache=tmp_path / "there", label="there", jobs=cluster)
    np.testing.assert_array_equal(there.rows[:], here.rows[:])
    assert there.kept == here.kept == tuple(range(40))


def test_waiting_for_a_core_is_reported(
    cluster: Jobs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def begin() -> Callable[[int], int]:
        return lambda item: item + 1

    said, found = list[str](), list[int]()

    def told() -> bool:
        said.append(capsys.readouterr().err)
        return "no worker has started yet: is other work using" in "".join(said)

    later = threading.Thread(target=lambda: found.extend(cluster.run(begin, [1, 2])))
    with cluster.workers(begin) as work:
        assert sorted(work([1, 2])) == [2, 3]  # both cores are taken now
        monkeypatch.setattr(ray_jobs, "CHECK_EVERY_S", 0.2)
        later.start()
        waited(told)
        assert later.is_alive()
    later.join()
    assert sorted(found) == [2, 3]
    told()
    assert "".join(said).count("no worker has started") == 1


class Lost:
    """What is left of a cluster without nodes: both Ray's module and its pool, of which one result is to come."""

    def __init__(self) -> None:
        self.exceptions = SimpleNamespace(RayError=ZeroDivisionError)
        self.waits = 2

    def cluster_resources(self) -> dict[str, float]:
        """Ray's, without a core."""
        return {"memory": 1e9}

    def get_next_unordered(self, timeout: float) -> str:
        """The pool's."""
        self.waits -= 1
        if self.waits >= 0:
            raise TimeoutError(timeout)
        return "late"


def waited_for(head: str) -> object:
    lost = Lost()
    return ray_jobs.RayJobs(cast(ModuleType, lost), 1, head)._wait(ray_jobs._Team(lost, []))


def test_a_cluster_without_cores_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_jobs, "CHECK_EVERY_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        with pytest.raises(ClusterError, match=r"has lost all its cores\. What is finished is kept"):
            waited_for(address)


def test_an_unreachable_head_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert waited_for("127.0.0.1:1") == "late"
    assert capsys.readouterr().err == ""  # it was not yet time to look
    monkeypatch.setattr(ray_jobs, "CHECK_EVERY_S", 0.0)
    assert waited_for("127.0.0.1:1") == "late"
    said = capsys.readouterr().err
    assert said.startswith("the head of the Ray cluster, 127.0.0.1:1, no longer answers (")
    assert said.count("\n") == 1
