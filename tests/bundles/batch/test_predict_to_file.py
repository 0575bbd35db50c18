"""One file of answers: every image once, in order, whatever came in between."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tellapart import Bundle, Predictor
from tellapart.bundles.batch import part_store
from tellapart.bundles.batch.part_store import workplace
from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.data.pipeline import BATCH
from tellapart.errors import BundleError, ClusterError, RunError, StorageError
from tellapart.jobs import LocalJobs


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.bundles.batch.predict_to_file.PART_ROWS", 6)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "answers.jsonl"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def folder_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.parts")


class StoppedError(Exception):
    """Stands for a kill."""


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch, bundle: Bundle, out: Path) -> Callable[..., None]:
    """Collect until so many parts are written."""

    def stop(files: list[str], written: int, to: Path = out, fresh: bool = False) -> None:
        keep, left = part_store.PartStore.keep, written

        def counted(self: part_store.PartStore, first: int, lines: list[str]) -> None:
            nonlocal left
            if left == 0:
                raise StoppedError
            left -= 1
            keep(self, first, lines)

        with monkeypatch.context() as patch:
            patch.setattr(part_store.PartStore, "keep", counted)
            with pytest.raises(StoppedError):
                predict_to_file(bundle, files, to, fresh=fresh)

    return stop


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which images were predicted."""
    seen: list[str] = []
    predict = Predictor.predict

    def noting(self: Predictor, images: Iterator[str], *, top: int = 3) -> Iterator[Any]:
        for answer in predict(self, images, top=top):
            seen.append(answer.path)
            yield answer

    monkeypatch.setattr(Predictor, "predict", noting)
    return seen


def test_the_rows_are_the_predictors_answers_in_order(bundle: Bundle, files: list[str], out: Path) -> None:
    done = predict_to_file(bundle, files, out, top=2)
    assert rows(out) == [answer.as_json() for answer in Predictor(bundle).predict(files, top=2)]
    assert (done.path, done.images, done.unreadable, done.unknown) == (out, 38, 2, 0)
    assert names(out.parent) == [out.name]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_is_the_same_file_however_often_it_was_stopped(
    bundle: Bundle, files: list[str], out: Path, ending: str, stopped: Callable[..., None]
) -> None:
    whole, out = out.with_name(f"whole{ending}"), out.with_suffix(ending)
    predict_to_file(bundle, files, whole)
    for written in (0, 2, 1, 3):
        stopped(files, written, to=out)
        assert not out.exists()
    predict_to_file(bundle, files, out)
    assert out.read_bytes() == whole.read_bytes()
    assert names(out.parent) == sorted([out.name, whole.name])


class Refused(LocalJobs):
    """A cluster that cannot be joined."""

    def run(self, *_: object) -> Iterator[Any]:
        """Refuse."""
        raise ClusterError("no cluster")


def test_a_cluster_that_is_refused_leaves_nothing_and_takes_nothing(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None]
) -> None:
    with pytest.raises(ClusterError, match="no cluster"):
        predict_to_file(bundle, files, out, jobs=Refused())
    assert not folder_of(out).exists()
    stopped(files, 2)
    kept = names(folder_of(out))
    with pytest.raises(ClusterError, match="no cluster"):
        predict_to_file(bundle, files, out, jobs=Refused())
    assert names(folder_of(out)) == kept


def test_a_second_command_computes_only_what_is_missing(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None], asked: list[str]
) -> None:
    stopped(files, 3)
    asked.clear()
    predict_to_file(bundle, files, out)
    assert asked == files[18:]


def test_the_last_few_are_computed_as_they_would_have_been(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None], asked: list[str]
) -> None:
    stopped(files, 6)
    asked.clear()
    predict_to_file(bundle, files, out)
    assert asked == files[-BATCH:]
    assert [row["path"] for row in rows(out)] == files


def test_nothing_is_computed_when_only_the_file_is_missing(
    bundle: Bundle, files: list[str], out: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(part_store.PartStore, "rows", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict_to_file(bundle, files, out)
    asked.clear()
    predict_to_file(bundle, files, out)
    assert asked == []
    assert [row["path"] for row in rows(out)] == files


def test_a_finished_file_is_replaced_only_when_that_is_asked_for(bundle: Bundle, files: list[str], out: Path) -> None:
    predict_to_file(bundle, files, out)
    with pytest.raises(RunError, match="is there already: name another file with --out, or begin again with --fresh"):
        predict_to_file(bundle, files[:3], out)
    assert len(rows(out)) == 38
    assert names(out.parent) == [out.name]
    predict_to_file(bundle, files[:3], out, fresh=True)
    assert len(rows(out)) == 3


def test_the_file_to_be_replaced_stays_until_the_new_one_is_there(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None]
) -> None:
    predict_to_file(bundle, files[:3], out)
    stopped(files, 2, fresh=True)
    assert len(rows(out)) == 3
    predict_to_file(bundle, files, out)
    assert len(rows(out)) == 38


def test_a_file_put_there_in_between_is_not_replaced(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None]
) -> None:
    stopped(files, 2)
    out.write_text("mine")
    with pytest.raises(RunError, match="is there already, beside the beginning of another"):
        predict_to_file(bundle, files, out)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files[:-1], "there were 38 images, now 37"),
        (lambda files: files[::-1], "the images were others, or in another order, or have been changed"),
        (lambda files: [*files[:-1], "else.png"], "the images were others"),
    ],
)
def test_other_images_are_refused(
    bundle: Bundle,
    files: list[str],
    out: Path,
    stopped: Callable[..., None],
    change: Callable[[list[str]], list[str]],
    said: str,
) -> None:
    stopped(files, 2)
    with pytest.raises(RunError, match=said):
        predict_to_file(bundle, change(files), out)
    predict_to_file(bundle, change(files), out, fresh=True)
    assert [row["path"] for row in rows(out)] == change(files)


def test_a_image_changed_in_between_is_refused(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None]
) -> None:
    stopped(files, 2)
    Path(files[5]).write_bytes(b"corrupt still")
    with pytest.raises(RunError, match="have been changed since"):
        predict_to_file(bundle, files, out)


def test_another_bundle_and_another_top_are_refused(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None], tmp_path: Path
) -> None:
    stopped(files, 2)
    other = tmp_path / "other"
    shutil.copytree(bundle.folder, other)
    manifest = other / "bundle.json"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(RunError, match=r"they are another bundle's; --top was 3, now 1"):
        predict_to_file(other, files, out, top=1)
    predict_to_file(bundle, files, out, top=9)  # there are three classes


def test_what_is_no_bundle_leaves_nothing_behind(files: list[str], out: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        predict_to_file(tmp_path, files, out)
    assert not out.parent.exists()


def test_a_listing_that_fails_leaves_nothing_behind(bundle: Bundle, files: list[str], out: Path) -> None:
    def failing() -> Iterator[str]:
        yield from islice(files, 2)
        raise StoppedError

    with pytest.raises(StoppedError):
        predict_to_file(bundle, failing(), out)
    assert names(out.parent) == []


def test_what_a_kill_left_before_the_list_was_whole_is_no_hindrance(
    bundle: Bundle, files: list[str], out: Path
) -> None:
    folder = folder_of(out)
    folder.mkdir(parents=True)
    for name in (".partial-abc", "pictures.jsonl", f"part-{0:012}-{6:012}-{'a' * 12}.jsonl"):
        (folder / name).write_text("half")
    predict_to_file(bundle, files, out)
    assert [row["path"] for row in rows(out)] == files
    assert names(out.parent) == [out.name]


def test_what_a_kill_left_after_the_file_was_finished_goes(bundle: Bundle, files: list[str], out: Path) -> None:
    predict_to_file(bundle, files, out)
    folder_of(out).mkdir()
    (folder_of(out) / f"part-{6:012}-{12:012}-{'a' * 12}.jsonl").write_text("left")
    with pytest.raises(RunError, match="is there already"):
        predict_to_file(bundle, files, out)
    assert names(out.parent) == [out.name]
    assert len(rows(out)) == 38


def test_someone_elses_folder_is_left_alone(bundle: Bundle, files: list[str], out: Path) -> None:
    folder_of(out).mkdir(parents=True)
    (folder_of(out) / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is in use for something else"):
        predict_to_file(bundle, files, out, fresh=True)
    assert (folder_of(out) / "mine.txt").read_text() == "mine"


def test_a_folder_is_no_file(bundle: Bundle, files: list[str], out: Path) -> None:
    out.mkdir(parents=True)
    with pytest.raises(RunError, match="is a folder: name a file"):
        predict_to_file(bundle, files, out)


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"replaces": 1, "x": 2}'])
def test_settings_that_cannot_be_read_are_refused(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None], damage: str
) -> None:
    stopped(files, 1)
    (folder_of(out) / "settings.json").write_text(damage)
    with pytest.raises(RunError, match=r"cannot be read .* begin again with --fresh"):
        predict_to_file(bundle, files, out)
    predict_to_file(bundle, files, out, fresh=True)


@pytest.mark.parametrize("damage", ["{", "", "{}\n" * 5])
def test_a_damaged_part_is_refused(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None], damage: str
) -> None:
    stopped(files, 2)
    next(iter(folder_of(out).glob("part-*"))).write_text(damage)
    with pytest.raises(RunError, match="begin again with --fresh"):
        predict_to_file(bundle, files, out)
    assert not out.exists()


def test_two_at_a_time_are_refused(bundle: Bundle, files: list[str], out: Path) -> None:
    with workplace(out), pytest.raises(RunError, match="another command is at work in"):
        predict_to_file(bundle, files, out)


def test_no_image_gives_a_file_without_rows(bundle: Bundle, out: Path) -> None:
    assert predict_to_file(bundle, [], out).images == 0
    assert out.read_bytes() == b""


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(
    bundle: Bundle, files: list[str], tmp_path: Path, asked: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        predict_to_file(bundle, files, tmp_path / "file" / "a.jsonl")
    assert asked == []


@pytest.mark.parametrize(("limit", "value"), [("PART_CHARACTERS", 1), ("PART_S", 0.0)])
def test_a_part_ends_when_it_is_large_or_took_long(
    bundle: Bundle, files: list[str], out: Path, stopped: Callable[..., None], limit: str, value: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(f"tellapart.bundles.batch.predict_to_file.{limit}", value)
    stopped(files, 2)
    assert sorted(path.name[:30] for path in folder_of(out).glob("part-*")) == [
        f"part-{0:012}-{1:012}", f"part-{1:012}-{2:012}"
    ]  # fmt: skip
    predict_to_file(bundle, files, out)
    assert [row["path"] for row in rows(out)] == files


def test_a_long_listing_says_how_far_it_is(
    bundle: Bundle, files: list[str], out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(part_store, "LINE_EVERY_S", 0.0)
    predict_to_file(bundle, files[:2], out)
    assert "listing: 2 images so far" in capsys.readouterr().err
