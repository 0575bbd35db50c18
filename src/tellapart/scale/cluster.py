"""A Ray cluster for as long as a command lasts: one that is there, or one of this machine's own."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tellapart.errors import ClusterError, first_line, require
from tellapart.jobs import Jobs
from tellapart.progress import say
from tellapart.scale.pool import Pool

HERE, ADDRESSED = "ray", "ray://"
LOOPBACK = "127.0.0.1"
STORE_BYTES = 500_000_000  # shared memory for what is under way; a share of all memory otherwise
TOKEN = Path(".ray") / "auth_token"  # below the home folder, where Ray looks for it by itself


@contextmanager
def on(place: str, workers: int | None = None) -> Iterator[Jobs]:
    """Give the workers of a cluster: "ray" for the one that RAY_ADDRESS names or else a new one, or "ray://HOST:PORT".

    `workers` processes with a core each; as many as there are cores when left out. A new cluster is of this machine
    alone, ends with the block and cannot be joined. Raises ClusterError, MissingPackageError.
    """
    address = address_of(place)
    if workers is not None and workers < 1:
        raise ClusterError(f"workers is {workers}; expected 1 or more")
    _settle(alone=address is None)
    ray = require("ray", extra="ray")
    _joined(ray, address, workers)
    try:
        yield Pool(ray, _count(ray, workers))
    finally:
        ray.shutdown()


def address_of(place: str) -> str | None:
    """Where the cluster is, None when it is yet to be started. Raises ClusterError for another word."""
    if place == HERE:
        return os.environ.get("RAY_ADDRESS") or None
    host, _, port = place.removeprefix(ADDRESSED).rpartition(":")
    if place.startswith(ADDRESSED) and host and port.isdecimal():
        return place
    raise ClusterError(f"--on is {place!r}; expected ray, or ray://HOST:PORT such as ray://10.0.0.5:10001")


def _settle(*, alone: bool) -> None:
    """Nothing is reported to anyone, and nobody joins without the token, unless the environment says otherwise.

    Ray reads this when it is imported.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")  # the rest is for those who work on Ray
    known = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() or (Path.home() / TOKEN).exists()
    if alone and not known:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _joined(ray: ModuleType, address: str | None, workers: int | None) -> None:
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    own: dict[str, Any] = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_node_ip_address": LOOPBACK,
    }
    try:
        ray.init(address=address or "local", **quiet, **(own if address is None else {}))
    except (OSError, RuntimeError, ray.exceptions.RayError) as error:
        where = f"the Ray cluster at {address} cannot be joined" if address else "no Ray cluster could be started here"
        raise ClusterError(
            f"{where}: {first_line(error)}. Check the address, that it runs Ray {ray.__version__}, and that "
            f"RAY_AUTH_TOKEN or ~/.ray/auth_token has its token"
        ) from error


def _count(ray: ModuleType, workers: int | None) -> int:
    """How many workers there will be. Those beyond the cluster's cores would wait for ever."""
    there = int(ray.cluster_resources().get("CPU", 0))
    if there < 1:
        raise ClusterError("the Ray cluster has no core to work on: start its nodes with --num-cpus 1 or more")
    if workers and workers > there:
        say(f"the Ray cluster has {there} cores: {there} workers instead of {workers}")
    return min(workers or there, there)
