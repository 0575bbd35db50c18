"""A Ray cluster for as long as a command lasts: one that is there, or one of this machine's own."""

import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tellapart.errors import ClusterError, first_line, require
from tellapart.jobs import Jobs
from tellapart.progress import notify
from tellapart.scale.pool import Pool
from tellapart.scale.preflight import MODE, TOKEN, known_token, require_ours
from tellapart.silence import native_stderr_to

LOCAL, ADDRESS_PREFIX = "ray", "ray://"
AUTO = "auto"
LOOPBACK = "127.0.0.1"
STORE_BYTES = 500_000_000  # shared memory for what is under way; a share of all memory otherwise
MAX_TEMP_PATH = 40  # characters of a folder's path: sockets lie below it, whose paths end at 104 on some systems
NODE_WAIT, NODE_WAIT_S = "RAY_gcs_server_request_timeout_seconds", 20  # for this machine's node; a minute otherwise
SETTINGS = {
    MODE: "token",  # nobody joins without it
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anyone
    "RAY_BACKEND_LOG_LEVEL": "error",  # the rest is for those who work on Ray
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` the whole folder that one is in would go to the workers
}
"""What holds unless the environment says otherwise. Ray reads it when it is imported."""


@contextmanager
def on(place: str, workers: int | None = None) -> Iterator[Jobs]:
    """Give the workers of a cluster: "ray" for the one that RAY_ADDRESS names or else a new one, or "ray://HOST:PORT".

    `workers` processes with a core each; as many as there are cores when left out. HOST:PORT is the cluster's own
    port, as in RAY_ADDRESS, and this machine one of its nodes. A new cluster is of this machine alone, ends with the
    block and cannot be joined. What Ray writes is kept from the terminal. Raises ClusterError, MissingPackageError.
    """
    address = address_of(place)
    if workers is not None and workers < 1:
        raise ClusterError(f"workers is {workers}; expected 1 or more")
    _settle(alone=address is None)
    if address not in (None, AUTO):
        require_ours(str(address))
    ray = require("ray", extra="ray")
    with log_folder() as folder, native_stderr_to(folder / "driver.log"):
        notify(f"joining the Ray cluster at {address}" if address else "starting Ray on this machine")
        try:
            if address:
                _join(ray, address)
            else:
                _start(ray, workers, folder)
            yield Pool(ray, _count(ray, workers), ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown(wait_for_processes=True)


def address_of(place: str) -> str | None:
    """Where the cluster is, HOST:PORT, None when it is yet to be started. Raises ClusterError for another word."""
    if place == LOCAL:
        named = os.environ.get("RAY_ADDRESS", "")
        if named in ("", "local", AUTO):
            return AUTO if named == AUTO else None
        return _host_and_port(named) or _refused("RAY_ADDRESS", named, "HOST:PORT such as 10.0.0.5:6379")
    found = _host_and_port(place) if place.startswith(ADDRESS_PREFIX) else None
    return found or _refused("--on", place, "ray, or ray://HOST:PORT such as ray://10.0.0.5:6379")


def _host_and_port(word: str) -> str | None:
    host, _, port = word.removeprefix(ADDRESS_PREFIX).rpartition(":")
    return f"{host}:{port}" if host and "/" not in host and port.isdecimal() else None


def _refused(what: str, word: str, expected: str) -> NoReturn:
    raise ClusterError(f"{what} is {word!r}; expected {expected}")


def _settle(*, alone: bool) -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if not alone:
        os.environ.setdefault(NODE_WAIT, str(NODE_WAIT_S))
    elif not known_token():
        os.environ[TOKEN] = secrets.token_hex(32)


@contextmanager
def log_folder() -> Iterator[Path]:
    """A folder for what Ray writes: kept, and named, where the cluster failed."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    try:
        yield folder
    except ClusterError as error:
        if not any(path.stat().st_size for path in folder.rglob("*") if path.is_file()):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        raise ClusterError(f"{error}. What Ray wrote about it is in {folder}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _start(ray: ModuleType, workers: int | None, folder: Path) -> None:
    own: dict[str, Any] = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_node_ip_address": LOOPBACK,
        "_temp_dir": str(folder) if len(str(folder)) <= MAX_TEMP_PATH else None,
    }
    try:
        _init(ray, address="local", **own)
    except Exception as error:  # Ray raises that itself, where a busy machine takes too long to start a node
        raise ClusterError(f"no Ray cluster could be started here: {first_line(error)}") from error


def _join(ray: ModuleType, address: str) -> None:
    try:
        _init(ray, address=address)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        cause = first_line(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        raise ClusterError(
            f"the Ray cluster at {address} cannot be joined: {cause}. It must run this Python and Ray "
            f"{ray.__version__}, and this machine be one of its nodes: ray start --address={address} makes it one"
        ) from error


def _init(ray: ModuleType, **settings: object) -> None:
    ray._private.worker._worker_logs_enabled = False  # else the death of a node is said on standard output
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(logging_level="CRITICAL", log_to_driver=False, **settings)


def _count(ray: ModuleType, workers: int | None) -> int:
    """How many workers there will be. Those beyond the cluster's cores would wait for ever."""
    there = int(ray.cluster_resources().get("CPU", 0))
    if there < 1:
        raise ClusterError("the Ray cluster has no core to work on: start its nodes with --num-cpus 1 or more")
    if workers and workers > there:
        notify(f"the Ray cluster has {there} cores: {there} workers instead of {workers}")
    return min(workers or there, there)
