"""A Ray cluster for the duration of a command: one that is running already, or a new one on this machine."""

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
from tellapart.scale.preflight import MODE, TOKEN, known_token, require_ours
from tellapart.scale.ray_jobs import RayJobs
from tellapart.silence import native_stderr_to

LOCAL, ADDRESS_PREFIX = "ray", "ray://"
AUTO = "auto"
LOOPBACK = "127.0.0.1"
STORE_BYTES = 500_000_000  # of shared memory for objects; Ray's default is a share of all memory
MAX_TEMP_PATH = 40  # characters: the paths of sockets in the folder may have 104 on some systems
NODE_WAIT, NODE_WAIT_S = (
    "RAY_gcs_server_request_timeout_seconds",
    20,
)  # for this machine's node; by default a minute
SETTINGS = {
    MODE: "token",  # nobody joins without it
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "error",  # the rest is for the developers of Ray
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` Ray would send the whole working directory to the workers
}
"""Defaults for environment variables. Ray reads them when it is imported."""


@contextmanager
def ray_cluster(target: str, workers: int | None = None) -> Iterator[Jobs]:
    """Join or start a cluster for the duration of the block, and yield its workers.

    `target` is "ray", for the cluster that RAY_ADDRESS names or else a new one, or "ray://HOST:PORT", where HOST:PORT
    is the cluster's own port, as in RAY_ADDRESS; this machine must be one of its nodes. There are `workers` processes
    with a core each, by default as many as there are cores. A new cluster consists of this machine alone, ends with
    the block and cannot be joined. Ray's messages do not reach the terminal. Raises ClusterError, MissingPackageError.
    """
    address = address_of(target)
    if workers is not None and workers < 1:
        raise ClusterError(f"workers is {workers}; expected 1 or more")
    _set_environment(new=address is None)
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
            yield RayJobs(ray, _count(ray, workers), ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown(wait_for_processes=True)


def address_of(target: str) -> str | None:
    """Return the HOST:PORT of a cluster, or None for one that is to be started. Raises ClusterError."""
    if target == LOCAL:
        named = os.environ.get("RAY_ADDRESS", "")
        if named in ("", "local", AUTO):
            return AUTO if named == AUTO else None
        return _host_and_port(named) or _refuse("RAY_ADDRESS", named, "HOST:PORT such as 10.0.0.5:6379")
    address = _host_and_port(target) if target.startswith(ADDRESS_PREFIX) else None
    return address or _refuse("--on", target, "ray, or ray://HOST:PORT such as ray://10.0.0.5:6379")


def _host_and_port(text: str) -> str | None:
    host, _, port = text.removeprefix(ADDRESS_PREFIX).rpartition(":")
    return f"{host}:{port}" if host and "/" not in host and port.isdecimal() else None


def _refuse(option: str, value: str, expected: str) -> NoReturn:
    raise ClusterError(f"{option} is {value!r}; expected {expected}")


def _set_environment(*, new: bool) -> None:
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if not new:
        os.environ.setdefault(NODE_WAIT, str(NODE_WAIT_S))
    elif not known_token():
        os.environ[TOKEN] = secrets.token_hex(32)


@contextmanager
def log_folder() -> Iterator[Path]:
    """Make a folder for Ray's logs. It is kept, and named in the error, if the cluster fails."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    try:
        yield folder
    except ClusterError as error:
        if not any(path.stat().st_size for path in folder.rglob("*") if path.is_file()):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        raise ClusterError(f"{error}. Ray's logs are in {folder}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _start(ray: ModuleType, workers: int | None, folder: Path) -> None:
    settings: dict[str, Any] = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_node_ip_address": LOOPBACK,
        "_temp_dir": str(folder) if len(str(folder)) <= MAX_TEMP_PATH else None,
    }
    try:
        _init(ray, address="local", **settings)
    except Exception as error:  # Ray raises plain Exception when a busy machine takes too long to start a node
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
    ray._private.worker._worker_logs_enabled = False  # they go to standard output
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(logging_level="CRITICAL", log_to_driver=False, **settings)


def _count(ray: ModuleType, workers: int | None) -> int:
    """Return the number of workers: at most the cores of the cluster, beyond which they would wait for ever."""
    core_count = int(ray.cluster_resources().get("CPU", 0))
    if core_count < 1:
        raise ClusterError("the Ray cluster has no cores: start its nodes with --num-cpus 1 or more")
    if workers and workers > core_count:
        notify(f"the Ray cluster has {core_count} cores: {core_count} workers instead of {workers}")
    return min(workers or core_count, core_count)
