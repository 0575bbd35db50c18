"""A bundle from elsewhere is run once in a process with limits, before anything else reads its graph."""

from pathlib import Path

import pytest

from tellapart import Bundle
from tellapart.bundles import bundle as bundle_module
from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.sandbox import Sandbox, SandboxLimits, is_verified
from tellapart.errors import BundleError

from . import lying_graphs
from .lying_graphs import write_lie


@pytest.fixture(autouse=True)
def _new_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which bundles were accepted before."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))


def test_a_sound_bundle_is_run_once_on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_lie(tmp_path / "bundle", lying_graphs.honest)
    bundle = Bundle.open(folder)
    assert not is_verified(bundle.digest)
    bundle.verify()
    assert is_verified(bundle.digest)
    monkeypatch.setattr(bundle_module, "Sandbox", None)
    Bundle.open(folder).verify()


def test_a_lie_is_refused_again_and_again(tmp_path: Path) -> None:
    bundle = Bundle.open(write_lie(tmp_path / "bundle", lying_graphs.half_the_sum))
    for _ in range(2):
        with pytest.raises(BundleError, match=r"that add up to 0\.5"):
            bundle.verify()
    assert not is_verified(bundle.digest)


def test_nothing_reads_the_graph_before_it_was_run_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Sandbox) -> None:
        raise BundleError("refused")

    def read(_: Path) -> None:
        raise AssertionError("the graph was read")

    monkeypatch.setattr(Sandbox, "require_sound", refuse)
    monkeypatch.setattr(bundle_module, "read_graph", read)
    with pytest.raises(BundleError, match="refused"):
        Bundle.open(write_lie(tmp_path / "bundle", lying_graphs.honest)).verify()


def test_a_graph_that_fills_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="takes too much memory"):
        Bundle.open(write_lie(tmp_path / "bundle", lying_graphs.memory_bomb)).verify()


def test_a_graph_that_never_ends_is_refused(tmp_path: Path) -> None:
    folder = write_lie(tmp_path / "bundle", lying_graphs.endless)
    limits = SandboxLimits(4_000_000_000, cpu_s=3)
    with Sandbox(folder, limits) as sandbox, pytest.raises(BundleError, match="takes more than 3 s of CPU time"):
        sandbox.require_sound()


def test_a_file_in_the_current_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_lie(tmp_path / "bundle", lying_graphs.honest)
    (tmp_path / "numpy.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    Bundle.open(folder).verify()


def test_limits_grow_with_the_bundle_up_to_a_share_of_the_machine(tmp_path: Path) -> None:
    bundle = Bundle.open(write_lie(tmp_path / "bundle", lying_graphs.honest))
    small = SandboxLimits.of(bundle.folder, bundle.preprocessing)
    with (bundle.folder / "model.bin").open("r+b") as stream:
        stream.truncate(10**8)
    larger = SandboxLimits.of(bundle.folder, bundle.preprocessing)
    with (bundle.folder / "model.bin").open("r+b") as stream:
        stream.truncate(10**13)  # a hole, which takes no room on the disk
    largest = SandboxLimits.of(bundle.folder, bundle.preprocessing)
    assert small.memory_bytes < larger.memory_bytes < largest.memory_bytes < 10**13


def test_a_bundle_of_this_process_is_accepted_where_its_weights_are_numbers(tmp_path: Path) -> None:
    folder = write_lie(tmp_path / "bundle", lying_graphs.honest)
    write_manifest(folder, Bundle.open(folder).manifest, proved=True)
    assert is_verified(Bundle.open(folder).digest)
    weights = folder / "model.bin"
    weights.write_bytes(b"\xff" * weights.stat().st_size)  # NaN in every constant
    write_manifest(folder, Bundle.open(folder).manifest, proved=True)
    assert not is_verified(Bundle.open(folder).digest)
