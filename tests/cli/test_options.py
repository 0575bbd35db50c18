"""How labelled images are read is given in the same way to every command."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tellapart.cli import options
from tellapart.cli.options import jobs_on
from tellapart.errors import ClusterError
from tellapart.jobs import LocalJobs

from .conftest import Said

COMMANDS = ("train", "sweep", "search", "cross-validate", "lr-find", "evaluate", "show", "augment")


@pytest.fixture
def table(tiny: Path, tmp_path: Path) -> Path:
    """The images of three colours, and a fourth label that is none."""
    rows = [f"{path.relative_to(tiny)},{path.parent.name},anna" for path in sorted(tiny.rglob("*.png"))]
    lines = [f"{tiny}/{row}" for row in rows] + [f"{tiny}/blue/00.png,Not sure,ben"]
    (tmp_path / "labels.csv").write_text("\n".join(["shot,kind,sender", *lines]))
    return tmp_path / "labels.csv"


COLUMNS = ("--path-column", "shot", "--label-column", "kind", "--group-column", "sender")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_are_one_group_of_the_help(command: str, said: Said) -> None:
    group = said(command, "--help").out.partition("─ Data ─")[2]
    for option in (*COLUMNS[::2], "--split-column", "--exclude-label", "--skip"):
        assert option in group


def test_a_table_is_shown_as_a_data_set(table: Path, said: Said, tmp_path: Path) -> None:
    words = ("show", table, *COLUMNS, "--count", 2, "--save", tmp_path / "grid.png")
    assert said(*words).out.splitlines()[0].startswith("0: blue  ")
    answer = said(*words, "--exclude-label", "blue,Not sure")
    assert [line.split()[1] for line in answer.out.splitlines()[:2]] == ["green", "green"]


def test_a_table_is_augmented_and_evaluated(table: Path, said: Said, bundle: Path, tmp_path: Path) -> None:
    asked = (*COLUMNS, "--exclude-label", "Not sure")
    saved = tmp_path / "grid.png"
    assert said("augment", table, "--augment", "flip", "--count", 2, *asked, "--save", saved).status == 0
    assert saved.exists()
    answer = said("evaluate", bundle, table, "--split", "train", *asked, "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["classes"] == ["blue", "green", "red"]


def test_a_label_that_is_not_there_is_refused(table: Path, said: Said) -> None:
    sentence = said("train", table, *COLUMNS, "--exclude-label", "Not sur").error
    assert "has no class 'Not sur' to exclude: did you mean Not sure?" in sentence


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What becomes of a cluster that stands in for Ray's."""
    said: list[str] = []

    @contextmanager
    def joined(place: str, workers: int | None) -> Iterator[LocalJobs]:
        said.append(f"{workers} of {place} joined")
        yield LocalJobs()
        said.append("left")

    monkeypatch.setattr(options, "ray_cluster", joined)
    return said


def test_without_a_cluster_there_are_no_workers() -> None:
    with jobs_on(None, None) as jobs:
        assert jobs is None
    with pytest.raises(ClusterError, match="--workers is about a cluster"):
        jobs_on(None, 2)


def test_a_cluster_is_joined_once_by_the_first_job_and_left_at_the_end(seen: list[str]) -> None:
    with jobs_on("ray", 2) as jobs:
        assert jobs is not None
        assert seen == []
        found = jobs.run(lambda: abs, [-1, 2])
        assert seen == ["2 of ray joined"]
        assert list(found) == [1, 2]
        with jobs.workers(lambda: abs) as work:
            assert list(work([-3])) == [3]
    assert seen == ["2 of ray joined", "left"]


def test_a_wrong_place_is_refused_at_once(seen: list[str]) -> None:
    with pytest.raises(ClusterError, match="expected ray"):
        jobs_on("dask", None)
    assert seen == []
