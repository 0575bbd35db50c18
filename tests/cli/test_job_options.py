"""Where the jobs of a command are done."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tellapart.cli import job_options
from tellapart.cli.job_options import jobs_on
from tellapart.errors import ClusterError
from tellapart.jobs import LocalJobs


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What becomes of a cluster that stands in for Ray's."""
    said: list[str] = []

    @contextmanager
    def joined(place: str, workers: int | None) -> Iterator[LocalJobs]:
        said.append(f"{workers} of {place} joined")
        yield LocalJobs()
        said.append("left")

    monkeypatch.setattr(job_options, "ray_cluster", joined)
    return said


def test_without_a_cluster_there_are_no_workers() -> None:
    with jobs_on(None, None) as jobs:
        assert jobs is None
    with pytest.raises(ClusterError, match="--workers is about a cluster"):
        jobs_on(None, 2)


def test_a_cluster_is_joined_once_by_the_first_job_and_left_at_the_end(seen: list[str]) -> None:
    with jobs_on("ray", 2) as jobs:
        assert jobs is not None
        assert seen == []
        found = jobs.run(lambda: abs, [-1, 2])
        assert seen == ["2 of ray joined"]
        assert list(found) == [1, 2]
        with jobs.workers(lambda: abs) as work:
            assert list(work([-3])) == [3]
    assert seen == ["2 of ray joined", "left"]


def test_a_wrong_place_is_refused_at_once(seen: list[str]) -> None:
    with pytest.raises(ClusterError, match="expected ray"):
        jobs_on("dask", None)
    assert seen == []
