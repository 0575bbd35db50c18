"""The Ray Serve app of a bundle's replicas: starts it, waits for it, ends it. Ray's own HTTP proxy is off."""

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

MAX_CONCURRENT = 8  # images in a replica: enough to keep its core busy; the others wait for the next free replica
TARGET_CONCURRENT = 2  # images per replica, beyond which more replicas are started
UPSCALE_DELAY_S = 10.0
DOWNSCALE_DELAY_S = 300.0  # long, since starting a replica takes seconds
HEALTH_CHECK_EVERY_S = 2.0  # a killed replica is noticed that soon
DRAIN_S = 15.0  # for the images that a replica is working on when it ends
SHUTDOWN_S = 30.0  # in which a cluster that answers ends all replicas
MAX_START_TRIES = 2  # of a replica that fails to start
NOTIFY_EVERY_S = 30.0  # while replicas are not ready
FAILED = ("DEPLOY_FAILED", "UNHEALTHY")
QUIET = {"log_level": "ERROR", "enable_access_log": False}


@dataclass(frozen=True)
class ReplicaCount:
    """The least and the greatest number of replicas. Raises ClusterError."""

    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= self.maximum:
            text = f"{self.minimum}..{self.maximum}" if self.minimum != self.maximum else f"{self.minimum}"
            raise ClusterError(f"--replicas is {text}; expected 1 or more, or a minimum and a maximum such as 2..8")


@contextmanager
def ray_serve_app(name: str, config: ReplicaConfig, count: ReplicaCount, *, lasts: bool) -> Iterator[Handle]:
    """Start the replicas, wait for the minimum of them, and yield the handle that calls them.

    They end with the block, or, where the cluster does not last longer, with the cluster. An app of the same name is
    replaced. Raises ClusterError.
    """
    serve = _ray_serve()
    serve.start(proxy_location="Disabled", logging_config=QUIET)
    if name in serve.status().applications:
        serve.delete(name)
    try:
        yield _deploy(serve, name, config, count)
    finally:
        if lasts:
            _end(serve, name)


def _ray_serve() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about its own dependencies
        serve = require("ray.serve", extra="ray")
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    return serve


def _deploy(serve: ModuleType, name: str, config: ReplicaConfig, count: ReplicaCount) -> Handle:
    deployment = serve.deployment(Replica).options(
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
    target = serve.RunTarget(deployment.bind(config), name=name, route_prefix=None)
    (handle,) = serve.run_many([target], wait_for_applications_running=False)
    _wait(serve, name, count.minimum)
    return handle


def _scaling(count: ReplicaCount) -> dict[str, Any]:
    if count.minimum == count.maximum:
        return {"num_replicas": count.maximum}
    scaling = {
        "min_replicas": count.minimum,
        "max_replicas": count.maximum,
        "target_ongoing_requests": TARGET_CONCURRENT,
        "upscale_delay_s": UPSCALE_DELAY_S,
        "downscale_delay_s": DOWNSCALE_DELAY_S,
    }
    return {"autoscaling_config": scaling}


def _wait(serve: ModuleType, name: str, wanted: int) -> None:
    """Show progress until `wanted` replicas are ready. Raises ClusterError if one cannot be started."""
    notified = time.monotonic()
    ready = 0
    with progress("replicas", wanted, "replicas") as advance:
        while ready < wanted:
            time.sleep(0.2)
            app = serve.status().applications[name]
            if app.status in FAILED:
                raise ClusterError(f"no replica could be started: {_reason(app.deployments[name].message)}")
            now = app.deployments[name].replica_states.get("RUNNING", 0) if name in app.deployments else 0
            advance(max(0, now - ready))
            ready = max(ready, now)
            if time.monotonic() - notified > NOTIFY_EVERY_S:
                notified = time.monotonic()
                notify(f"{ready} of {wanted} replicas are ready; the others are waiting for a core, or slow to start")


def _reason(message: str) -> str:
    """Return the error message inside a report of Ray Serve."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or ["Ray Serve gives no reason"]
    return next((line.partition("Error: ")[2] for line in reversed(lines) if "Error: " in line), lines[-1])


def _end(serve: ModuleType, name: str) -> None:
    """End an app, and Ray Serve with the last one. Does not wait for a cluster that no longer answers."""
    ended = threading.Event()

    def end() -> None:
        with suppress(Exception):  # the message below covers every failure
            serve.delete(name)
            if not serve.status().applications:
                serve.shutdown()
            ended.set()

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(SHUTDOWN_S)
    if not ended.is_set():
        notify(
            "replicas may still be running on the Ray cluster: the same command replaces them, `serve shutdown` ends "
            "them"
        )
