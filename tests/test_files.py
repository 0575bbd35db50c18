"""State on disk is the old or the new, whenever the process is killed and whatever the disk says."""

import os
import random
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tellapart.errors import StorageError
from tellapart.files import (
    PARTIAL,
    atomic_folder,
    atomic_stream,
    atomic_write,
    cache_folder,
    first_fills_lock,
    remove_folder,
    remove_partials,
    require_unused,
    require_writable,
    sha256,
    storage_errors,
)

KILLS = 10  # of each kind, at random moments


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    # Source: FIPS 180-2, appendix B.1
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/a")
    monkeypatch.setenv("TELLAPART_CACHE", "")
    assert cache_folder() == Path("/b/tellapart")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder() == Path("/c/.cache/tellapart")


@pytest.mark.parametrize("content", [b"", b"\0\xff", "naïve ✓\n"])
def test_what_is_written_is_read_back(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "new" / "folders" / "file"
    atomic_write(path, "old")
    atomic_write(path, content)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert names(path.parent) == ["file"]


def test_a_file_name_that_is_no_utf8_is_written_as_it_was(tmp_path: Path) -> None:
    atomic_write(tmp_path / "list", os.fsdecode(b"caf\xe9.jpg"))
    assert (tmp_path / "list").read_bytes() == b"caf\xe9.jpg"


def test_others_may_read_what_is_written(tmp_path: Path) -> None:
    atomic_write(tmp_path / "file", "")
    with atomic_folder(tmp_path / "folder") as partial:
        (partial / "inner").write_text("")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o755


def test_a_folder_appears_whole_when_its_block_ends(tmp_path: Path) -> None:
    goal = tmp_path / "new" / "goal"
    with atomic_folder(goal) as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "file").write_text("x")
        assert partial.name.startswith(PARTIAL)
        assert partial.parent == goal.parent  # on the same disk, or a rename could not be atomic
        assert not goal.exists()
    assert (goal / "deep" / "file").read_text() == "x"
    assert names(goal.parent) == ["goal"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, FileNotFoundError])
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with atomic_folder(tmp_path / "goal") as partial:
            (partial / "file").write_text("half")
            raise error("mine")

    with pytest.raises(error, match="mine"):
        fail()
    assert names(tmp_path) == []


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atomic_write(tmp_path / "file", "old")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "file", "new")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_folder_with_something_in_it_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "goal").mkdir()
    (tmp_path / "goal" / "precious").write_text("x")
    with pytest.raises(StorageError, match="goal is there already and not empty: name another"):  # noqa: SIM117
        with atomic_folder(tmp_path / "goal") as partial:
            (partial / "file").write_text("y")
    assert names(tmp_path) == ["goal"]
    assert names(tmp_path / "goal") == ["precious"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "goal").mkdir()
    with atomic_folder(tmp_path / "goal") as partial:
        (partial / "file").write_text("y")
    assert names(tmp_path / "goal") == ["file"]


@pytest.mark.parametrize("where", ["file/inner", "file/inner/deeper", "folder", "n" * 300])
def test_a_place_that_cannot_be_written_gets_a_sentence(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*: .*Choose a folder that you may write to"):
        atomic_write(tmp_path / where, "y")
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("where", ["file/inner", "file/inner/deeper", "n" * 300 + "/inner"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("x")
    for refuse in (require_writable, require_unused):
        with pytest.raises(StorageError, match=r"cannot write .*: .*Choose a folder that you may write to"):
            refuse(tmp_path / where)
    assert names(tmp_path) == ["file"]


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    for where in ("new", "new/deeper/deepest", ""):
        require_writable(tmp_path / where)
        require_unused(tmp_path / where)
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder in which nobody can make anything: Linux's /proc")
def test_where_nobody_can_make_anything_a_sentence_says_so(tmp_path: Path) -> None:
    place = Path("/proc/new/deeper")

    def fill() -> None:
        with atomic_folder(place):
            pytest.fail("there is no such folder to fill")

    for write in (partial(atomic_write, place, "y"), fill, partial(require_writable, place)):
        with pytest.raises(StorageError, match="cannot write /proc/new/deeper: No such file or directory"):
            write()


@pytest.mark.parametrize("where", ["file", "file/inner"])
def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot write"):  # noqa: SIM117
        with atomic_folder(tmp_path / where) as partial:
            (partial / "inner").write_text("y")
    assert names(tmp_path) == ["file"]


def test_errors_that_are_not_the_disks_pass_unchanged(tmp_path: Path) -> None:
    for error in (FileNotFoundError(2, "gone"), RuntimeError("a graph of one's own"), OSError("no number")):
        with pytest.raises(type(error)) as caught, storage_errors(tmp_path):
            raise error
        assert caught.value is error


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / f"{PARTIAL}file").write_text("half")
    (tmp_path / f"{PARTIAL}folder").mkdir()
    (tmp_path / f"{PARTIAL}folder" / "inner").write_text("half")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / f"{PARTIAL}not-mine").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    remove_partials(tmp_path)
    assert names(tmp_path) == [".hidden", "kept"]
    assert names(tmp_path / "kept") == [f"{PARTIAL}not-mine"]
    remove_partials(tmp_path / "absent", tmp_path / "kept")
    assert names(tmp_path / "kept") == []


def test_a_folder_is_removed_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "goal") as partial:
        (partial / "file").write_text("x")
    remove_folder(tmp_path / "goal")
    assert names(tmp_path) == []


def test_a_folder_is_out_of_sight_before_its_first_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with atomic_folder(tmp_path / "goal") as partial:
        (partial / "file").write_text("x")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_folder(tmp_path / "goal")
    (left,) = names(tmp_path)
    assert left.startswith(PARTIAL)


@contextmanager
def killed_at_random(code: str, folder: Path, *, seed: int) -> Iterator[None]:
    """Run `code` in a process of its own; kill -9 it a random moment after it says that it works."""
    run = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    try:
        assert run.stdout is not None
        assert select.select([run.stdout], [], [], 30)[0], "the process did not start"
        assert run.stdout.read(1) == b"!"
        time.sleep(random.Random(seed).uniform(0, 0.03))  # noqa: S311
    finally:
        run.kill()
        run.wait()
        assert run.stdout is not None
        run.stdout.close()
    yield


WRITES = """
import sys
from pathlib import Path
from tellapart.files import atomic_write
for number in range(10**9):
    atomic_write(Path(sys.argv[1]) / "state", bytes([number % 256]) * 300_000)
    if not number:
        print(end="!", flush=True)
"""


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill_while_a_file_is_written_leaves_the_old_or_the_new(tmp_path: Path, seed: int) -> None:
    with killed_at_random(WRITES, tmp_path, seed=seed):
        content = (tmp_path / "state").read_bytes()
    assert len(content) == 300_000
    assert len(set(content)) == 1
    assert all(name == "state" or name.startswith(PARTIAL) for name in names(tmp_path))
    remove_partials(tmp_path)
    assert names(tmp_path) == ["state"]


FOLDERS = """
import sys
from pathlib import Path
from tellapart.files import atomic_folder, remove_folder
for number in range(10**9):
    with atomic_folder(Path(sys.argv[1]) / f"{number:09}") as partial:
        for part in "abc":
            (partial / part).write_bytes(bytes([number % 256]) * 100_000)
    if number:
        remove_folder(Path(sys.argv[1]) / f"{number - 1:09}")
    else:
        print(end="!", flush=True)
"""


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill_while_a_folder_is_written_or_removed_leaves_only_whole_ones(tmp_path: Path, seed: int) -> None:
    with killed_at_random(FOLDERS, tmp_path, seed=seed):
        remove_partials(tmp_path)
    whole = names(tmp_path)
    assert len(whole) in (1, 2)  # the newest, and at most the one before it
    for name in whole:
        assert names(tmp_path / name) == ["a", "b", "c"]
        for part in "abc":
            assert (tmp_path / name / part).read_bytes() == bytes([int(name) % 256]) * 100_000


def test_a_stream_grows_elsewhere_and_becomes_the_file_only_when_it_is_whole(tmp_path: Path) -> None:
    inside, path = tmp_path / "inside", tmp_path / "file"
    inside.mkdir()
    with atomic_stream(path, inside=inside) as stream:
        stream.write(b"one")
        assert [not path.exists(), len(list(inside.iterdir()))] == [True, 1]
    with pytest.raises(ZeroDivisionError), atomic_stream(path, inside=inside) as stream:
        stream.write(b"two" + bytes(1 // 0))
    assert path.read_bytes() == b"one"
    assert list(inside.iterdir()) == []


def test_the_first_is_in_alone_and_those_who_waited_go_in_together(tmp_path: Path) -> None:
    lock, inside, order = tmp_path / "new" / "lock", threading.Barrier(2, timeout=20), list[str]()
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with first_fills_lock(lock):
            entered.set()
            leave.wait(20)
            order.append("first")

    def other() -> None:
        with first_fills_lock(lock):
            order.append("other")
            inside.wait()  # for the second of them, which must be in at the same time

    with ThreadPoolExecutor(3) as threads:
        done = [threads.submit(first)]
        assert entered.wait(20)
        done += [threads.submit(other), threads.submit(other)]
        time.sleep(0.1)
        assert order == []
        leave.set()
        for one in done:
            one.result()
    assert order == ["first", "other", "other"]


def test_where_no_lock_can_be_had_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with first_fills_lock(tmp_path / "file" / "lock"):
        pass
