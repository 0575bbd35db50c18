"""`tellapart package`: the folder, and what is said of it."""

from pathlib import Path

import pytest

from tellapart import Bundle
from tellapart.training.run import Run

from .conftest import Said


@pytest.mark.parametrize(("kind", "done"), [("container", "build and run it"), ("space", "push it")])
def test_a_folder_is_made_beside_us_by_the_bundles_name(
    said: Said, trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, done: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = said("package", trained.bundle.folder, "--as", kind)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == f"tiny-{kind}: its README.md says how to {done}\n"
    Bundle.open(f"tiny-{kind}/bundle").verify()


def test_the_options_reach_the_start_command(said: Said, trained: Run, tmp_path: Path) -> None:
    words = ["--as", "container", "--no-token", "--allow-host", "a.example.org", "--out", tmp_path / "out"]
    assert said("package", trained.bundle.folder, *words).status == 0
    start = (tmp_path / "out" / "Dockerfile").read_text().splitlines()[-1]
    assert start.endswith('"--no-token", "--allow-host", "a.example.org"]')


def test_the_base_image_reaches_the_dockerfile(said: Said, trained: Run, tmp_path: Path) -> None:
    pinned = f"python:3.12-slim@sha256:{'0' * 64}"
    words = ["--as", "space", "--base-image", pinned, "--out", tmp_path / "out"]
    assert said("package", trained.bundle.folder, *words).status == 0
    assert f"FROM {pinned}\n" in (tmp_path / "out" / "Dockerfile").read_text()
    answer = said("package", trained.bundle.folder, *words[:2], "--base-image", "python", "--out", tmp_path / "no")
    assert "the parent image is 'python', expected one with its digest" in answer.error


def test_what_is_no_bundle_is_refused(said: Said, tmp_path: Path) -> None:
    assert "is not a bundle" in said("package", tmp_path, "--as", "space", "--out", tmp_path / "out").error


def test_another_kind_is_refused(said: Said, trained: Run) -> None:
    answer = said("package", trained.bundle.folder, "--as", "zip")
    assert answer.status == 2
    assert "container" in answer.err
