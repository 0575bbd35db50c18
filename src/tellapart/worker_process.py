"""Processes that work for this one: how they are started, and limits on what they may take."""

import json
import os
import sys
from collections.abc import Mapping


def worker_command(module: str, setup: Mapping[str, object]) -> list[str]:
    """Return the command that runs a module of this program; its argument is `setup` as JSON."""
    # -P: the current folder may hold anything, also a file named numpy.py
    return [sys.executable, "-P", "-m", module, json.dumps(setup)]


def worker_environment(**more: str) -> dict[str, str]:
    """Return environment variables with which a worker finds the modules that this process finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


def limit_resources(memory_bytes: int, cpu_s: int | None = None) -> None:
    """Make allocations beyond a number of bytes fail, and end this process after so much CPU time, on POSIX systems."""
    if os.name == "posix":
        import resource

        limits = {resource.RLIMIT_DATA: memory_bytes} | ({} if cpu_s is None else {resource.RLIMIT_CPU: cpu_s})
        for kind, limit in limits.items():
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def machine_memory() -> int | None:
    """Return the bytes of memory of this machine; None where the system does not say."""
    if hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
