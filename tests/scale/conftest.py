"""A cluster of this machine's own, started once: that takes seconds."""

import importlib.util
import time
from collections.abc import Callable, Iterator

import pytest

from tellapart.jobs import Jobs
from tellapart.scale.cluster import NODE_WAIT, SETTINGS, ray_cluster
from tellapart.scale.preflight import TOKEN

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is absent: install tellapart[ray]", allow_module_level=True)


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """Two workers. Nothing of it is left behind in the environment of other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in (*SETTINGS, TOKEN, NODE_WAIT):
            patch.setenv(name, "")
            patch.delenv(name)
        with ray_cluster("ray", 2) as jobs:
            yield jobs


def waited(condition: Callable[[], object]) -> None:
    """Look again and again, for half a minute at most."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
