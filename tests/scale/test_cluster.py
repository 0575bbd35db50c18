"""Which cluster is meant, and what is said when there is none."""

import os
import socket
import tempfile
import time
from pathlib import Path
from types import ModuleType

import pytest

from tellapart.errors import ClusterError, ImageError
from tellapart.jobs import Jobs
from tellapart.scale import cluster as module
from tellapart.scale.cluster import address_of, log_folder, ray_cluster


@pytest.mark.parametrize(
    ("word", "named", "address"),
    [
        ("ray", "", None),
        ("ray", "local", None),
        ("ray", "auto", "auto"),
        ("ray", "10.0.0.5:6379", "10.0.0.5:6379"),
        ("ray", "ray://10.0.0.5:6379", "10.0.0.5:6379"),
        ("ray://host:6390", "10.0.0.5:6379", "host:6390"),
        ("ray://[::1]:6390", "", "[::1]:6390"),
    ],
)
def test_the_target_gives_the_address(
    word: str, named: str, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", named)
    assert address_of(word) == address


@pytest.mark.parametrize("word", ["", "dask", "ray://", "ray://host", "ray://:1", "ray://host:", "ray://host:port"])
def test_an_unknown_target_is_refused(word: str) -> None:
    with pytest.raises(ClusterError, match=r"--on is .*; expected ray, or ray://HOST:PORT"):
        address_of(word)


@pytest.mark.parametrize("named", ["host", "http://127.0.0.1:8265"])
def test_a_malformed_ray_address_is_refused(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", named)
    with pytest.raises(ClusterError, match=r"RAY_ADDRESS is .*; expected HOST:PORT"):
        address_of("ray")


@pytest.mark.parametrize("workers", [0, -3])
def test_less_than_one_worker_is_refused(workers: int) -> None:
    with pytest.raises(ClusterError, match="expected 1 or more"), ray_cluster("ray", workers):
        pass


def test_a_new_cluster_sends_no_usage_reports_and_requires_a_token(cluster: Jobs) -> None:
    del cluster
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_an_address_without_an_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port}")
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"cannot be joined: .*Check the address"), ray_cluster("ray"):
        pass
    assert time.monotonic() - began < 5


def test_a_machine_too_busy_to_start_a_cluster_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def late(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup. Why is not known.")  # noqa: TRY002  as Ray does

    monkeypatch.setattr(module, "_init", late)
    with pytest.raises(ClusterError, match="no Ray cluster could be started here: The current node timed out"):
        module._start(ModuleType("ray"), None, tmp_path)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def failed(error: BaseException, words: str) -> None:
    with log_folder() as folder:
        (folder / "driver.log").write_text(words)
        raise error


def test_the_logs_of_a_failed_cluster_are_kept(temporary: Path) -> None:
    with pytest.raises(ClusterError, match=r"no cluster\. Ray's logs are in .*ray-"):
        failed(ClusterError("no cluster"), "why")
    (kept,) = temporary.glob("ray-*/*")
    assert kept.read_text() == "why"


@pytest.mark.parametrize(
    ("error", "words"), [(KeyboardInterrupt("it"), "stopped"), (ImageError("it"), "why"), (ClusterError("it"), "")]
)
def test_other_logs_are_removed(temporary: Path, error: BaseException, words: str) -> None:
    with log_folder() as folder:
        (folder / "driver.log").write_text("all is well")
    with pytest.raises(type(error), match=r"^it$"):
        failed(error, words)
    assert not list(temporary.iterdir())
