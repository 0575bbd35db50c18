"""Which cluster is meant, and what is said when there is none."""

import os
import socket

import pytest

from tellapart.cli.where import jobs_on
from tellapart.errors import ClusterError
from tellapart.jobs import Jobs
from tellapart.scale.cluster import address_of, on


def test_the_word_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert address_of("ray") is None
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    assert address_of("ray") == "10.0.0.5:6379"
    assert address_of("ray://10.0.0.5:10001") == "ray://10.0.0.5:10001"


@pytest.mark.parametrize("word", ["", "dask", "ray://", "ray://host", "ray://:1", "ray://host:", "ray://host:port"])
def test_another_word_is_refused(word: str) -> None:
    with pytest.raises(ClusterError, match="expected ray, or ray://HOST:PORT"):
        address_of(word)


@pytest.mark.parametrize("workers", [0, -3])
def test_fewer_than_one_worker_are_refused(workers: int) -> None:
    with pytest.raises(ClusterError, match="expected 1 or more"), on("ray", workers):
        pass


def test_without_a_cluster_there_are_no_workers() -> None:
    with jobs_on(None, None) as jobs:
        assert jobs is None
    with pytest.raises(ClusterError, match="--workers is about a cluster"):
        jobs_on(None, 2)


def test_a_cluster_of_ones_own_reports_to_nobody_and_asks_for_a_token(cluster: Jobs) -> None:
    del cluster
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_nothing_at_the_address_is_said(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port}")
    with pytest.raises(ClusterError, match=r"cannot be joined: .*Check the address"), on("ray"):
        pass


@pytest.fixture
def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port
