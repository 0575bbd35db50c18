"""Two nodes, joined from the command line; one of them is killed in the middle."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.training.run import Run

from .nodes import Nodes, two_nodes

Command = Callable[..., "subprocess.CompletedProcess[str]"]
TIMES = 300  # that the 36 images are named: 43 jobs


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with two_nodes(tmp_path_factory.mktemp("nodes")) as nodes:
        yield nodes


@pytest.fixture
def words(nodes: Nodes, trained: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A prediction on both nodes, by someone who knows their token."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_TOKEN", nodes.token)
    images = [str(tiny)] * TIMES
    return ["predict", str(trained.bundle.folder), *images, "--out", str(tmp_path / "found.jsonl")]


def test_a_missing_token_is_refused_in_one_sentence(nodes: Nodes, words: list[str], command: Command) -> None:
    for token, said in (("wrong", "has another token than the one known here"), ("", "and none is known here")):
        began = time.monotonic()
        refused = command(*words, "--on", f"ray://{nodes.address}", RAY_AUTH_TOKEN=token)
        assert time.monotonic() - began < 10
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith(f"error: the Ray cluster at {nodes.address} ")
        assert said in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


def test_the_port_of_ray_client_is_refused(nodes: Nodes, words: list[str], command: Command) -> None:
    refused = command(*words, "--on", f"ray://{nodes.client}")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: what answers at {nodes.client} is not a Ray cluster's own port")


def test_a_node_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    nodes: Nodes, words: list[str], trained: Run, tiny: Path, tmp_path: Path
) -> None:
    whole = predict_to_file(trained.bundle, sorted(tiny.rglob("*.png")) * TIMES, tmp_path / "whole.jsonl")
    out = tmp_path / "found.jsonl"
    command = [sys.executable, "-m", "tellapart", *words, "--on", "ray"]
    joined = {**os.environ, "RAY_ADDRESS": nodes.address}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=joined) as predicting:
        try:
            while not nodes.other.works() or len(list(tmp_path.glob("found.jsonl.parts/part-*"))) < 4:
                assert predicting.poll() is None, predicting.communicate()
                time.sleep(0.02)
            nodes.other.kill()
            assert predicting.poll() is None, "it ended before the node was killed: TIMES is too small here"
            said, progress = predicting.communicate(timeout=120)
        finally:
            predicting.kill()
    assert predicting.returncode == 0, progress
    assert said == f"{out}: {whole.images:,} images, {whole.unknown:,} unknown, 0 unreadable\n"
    lines = [line for line in progress.splitlines() if not line.startswith("predicting: ")]
    assert lines == [f"joining the Ray cluster at {nodes.address}"]
    assert out.read_bytes() == whole.path.read_bytes()
