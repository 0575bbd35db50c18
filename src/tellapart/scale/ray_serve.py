"""A Ray Serve app of replicas: started, waited for, ended. No HTTP of Ray's own leads to it."""

import logging
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tellapart.errors import ClusterError, require
from tellapart.progress import notify, progress
from tellapart.scale.replica import Handle, Replica, ReplicaConfig

MAX_CONCURRENT = 8  # images in one replica: enough for its core to have no pause; the rest wait for whichever is free
TARGET_CONCURRENT = 2  # images under way for each replica, beyond which there should be more replicas
UPSCALE_DELAY_S = 10.0  # of that
DOWNSCALE_DELAY_S = 300.0  # of the contrary: starting one again takes seconds
HEALTH_CHECK_EVERY_S = 2.0  # between two looks at a replica; a killed one is noticed as soon
DRAIN_S = 15.0  # what a replica may still take for what it is at
SHUTDOWN_S = 30.0  # in which a cluster that answers has ended all of them
MAX_START_TRIES = 2  # to start a replica, before it is given up
NOTIFY_EVERY_S = 30.0  # until it is said that replicas have not found a core
FAILED = ("DEPLOY_FAILED", "UNHEALTHY")
QUIET = {"log_level": "ERROR", "enable_access_log": False}


@dataclass(frozen=True)
class ReplicaCount:
    """How many replicas there are: never fewer, never more. Raises ClusterError."""

    fewest: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.most:
            found = f"{self.fewest}..{self.most}" if self.fewest != self.most else f"{self.fewest}"
            raise ClusterError(f"--replicas is {found}; expected 1 or more, or the fewest and the most such as 2..8")


@contextmanager
def ray_serve_app(name: str, beginning: ReplicaConfig, count: ReplicaCount, *, lasts: bool) -> Iterator[Handle]:
    """Give what asks the replicas, when the fewest are ready; with the block they end, or with a cluster not to last.

    An app of the same name is replaced. Raises ClusterError.
    """
    serve = _ray_serve()
    serve.start(proxy_location="Disabled", logging_config=QUIET)
    if name in serve.status().applications:
        serve.delete(name)
    try:
        yield _deployed(serve, name, beginning, count)
    finally:
        if lasts:
            _end(serve, name)


def _ray_serve() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how it uses its own dependencies
        serve = require("ray.serve", extra="ray")
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    return serve


def _deployed(serve: ModuleType, name: str, beginning: ReplicaConfig, count: ReplicaCount) -> Handle:
    kind = serve.deployment(Replica).options(
        name=name,
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=MAX_CONCURRENT,
        max_constructor_retry_count=MAX_START_TRIES,
        health_check_period_s=HEALTH_CHECK_EVERY_S,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=DRAIN_S,
        logging_config=QUIET,
        **_scaling(count),
    )
    target = serve.RunTarget(kind.bind(beginning), name=name, route_prefix=None)
    (handle,) = serve.run_many([target], wait_for_applications_running=False)
    _wait(serve, name, count.fewest)
    return handle


def _scaling(count: ReplicaCount) -> dict[str, Any]:
    if count.fewest == count.most:
        return {"num_replicas": count.most}
    scaling = {
        "min_replicas": count.fewest,
        "max_replicas": count.most,
        "target_ongoing_requests": TARGET_CONCURRENT,
        "upscale_delay_s": UPSCALE_DELAY_S,
        "downscale_delay_s": DOWNSCALE_DELAY_S,
    }
    return {"autoscaling_config": scaling}


def _wait(serve: ModuleType, name: str, wanted: int) -> None:
    """Show how many replicas are ready until enough are. Raises ClusterError when one cannot be started."""
    told = time.monotonic()
    ready = 0
    with progress("replicas", wanted, "replicas") as advance:
        while ready < wanted:
            time.sleep(0.2)
            found = serve.status().applications[name]
            if found.status in FAILED:
                raise ClusterError(f"no replica could be started: {_why(found.deployments[name].message)}")
            now = found.deployments[name].replica_states.get("RUNNING", 0) if name in found.deployments else 0
            advance(max(0, now - ready))
            ready = max(ready, now)
            if time.monotonic() - told > NOTIFY_EVERY_S:
                told = time.monotonic()
                notify(f"{ready} of {wanted} replicas are ready; the others wait for a core, or are slow to start")


def _why(message: str) -> str:
    """The sentence of the error among what Ray Serve tells about it."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or ["Ray Serve does not say why"]
    return next((line.partition("Error: ")[2] for line in reversed(lines) if "Error: " in line), lines[-1])


def _end(serve: ModuleType, name: str) -> None:
    """End an app, and Ray Serve with the last one. A cluster that does not answer any more is not waited for."""
    ended = threading.Event()

    def end() -> None:
        with suppress(Exception):  # whatever it is, it is said below what follows from it
            serve.delete(name)
            if not serve.status().applications:
                serve.shutdown()
            ended.set()

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(SHUTDOWN_S)
    if not ended.is_set():
        notify(
            "the replicas may be left on the Ray cluster: the same command replaces them, `serve shutdown` ends them"
        )
