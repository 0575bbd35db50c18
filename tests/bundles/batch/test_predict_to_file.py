"""Batch prediction to one file: every image once, in order, after any interruption."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tellapart import Bundle, Predictor
from tellapart.bundles.batch import part_store
from tellapart.bundles.batch.part_store import part_folder
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
    """Simulates an interruption."""


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch, bundle: Bundle, out: Path) -> Callable[..., None]:
    """Predict, and stop after a number of parts."""

    def run(files: list[str], written: int, to: Path = out, fresh: bool = False) -> None:
        add, left = part_store.PartStore.add, written

        def counted(self: part_store.PartStore, first: int, lines: list[str]) -> None:
            nonlocal left
            if left == 0:
                raise StoppedError
            left -= 1
            add(self, first, lines)

        with monkeypatch.context() as patch:
            patch.setattr(part_store.PartStore, "add", counted)
            with pytest.raises(StoppedError):
                predict_to_file(bundle, files, to, fresh=fresh)

    return run


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the predicted images."""
    paths: list[str] = []
    predict = Predictor.predict

    def recording(self: Predictor, images: Iterator[str], *, top: int = 3) -> Iterator[Any]:
        for answer in predict(self, images, top=top):
            paths.append(answer.path)
            yield answer

    monkeypatch.setattr(Predictor, "predict", recording)
    return paths


def test_the_rows_are_the_predictions_in_order(bundle: Bundle, files: list[str], out: Path) -> None:
    summary = predict_to_file(bundle, files, out, top=2)
    assert rows(out) == [answer.as_json() for answer in Predictor(bundle).predict(files, top=2)]
    assert (summary.path, summary.images, summary.unreadable, summary.unknown) == (out, 38, 2, 0)
    assert names(out.parent) == [out.name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_is_the_same_file_after_any_number_of_interruptions(
    bundle: Bundle, files: list[str], out: Path, suffix: str, interrupt: Callable[..., None]
) -> None:
    whole, out = out.with_name(f"whole{suffix}"), out.with_suffix(suffix)
    predict_to_file(bundle, files, whole)
    for written in (0, 2, 1, 3):
        interrupt(files, written, to=out)
        assert not out.exists()
    predict_to_file(bundle, files, out)
    assert out.read_bytes() == whole.read_bytes()
    assert names(out.parent) == sorted([out.name, whole.name])


class RefusedJobs(LocalJobs):
    """A cluster that cannot be joined."""

    def run(self, *_: object) -> Iterator[Any]:
        """Raise ClusterError."""
        raise ClusterError("no cluster")


def test_a_refused_cluster_leaves_and_removes_nothing(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None]
) -> None:
    with pytest.raises(ClusterError, match="no cluster"):
        predict_to_file(bundle, files, out, jobs=RefusedJobs())
    assert not folder_of(out).exists()
    interrupt(files, 2)
    before = names(folder_of(out))
    with pytest.raises(ClusterError, match="no cluster"):
        predict_to_file(bundle, files, out, jobs=RefusedJobs())
    assert names(folder_of(out)) == before


def test_resuming_computes_only_missing_images(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None], predicted: list[str]
) -> None:
    interrupt(files, 3)
    predicted.clear()
    predict_to_file(bundle, files, out)
    assert predicted == files[18:]


def test_a_short_remainder_runs_in_a_full_batch(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None], predicted: list[str]
) -> None:
    interrupt(files, 6)
    predicted.clear()
    predict_to_file(bundle, files, out)
    assert predicted == files[-BATCH:]
    assert [row["path"] for row in rows(out)] == files


def test_nothing_is_computed_when_only_the_file_is_missing(
    bundle: Bundle, files: list[str], out: Path, predicted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(part_store.PartStore, "rows", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict_to_file(bundle, files, out)
    predicted.clear()
    predict_to_file(bundle, files, out)
    assert predicted == []
    assert [row["path"] for row in rows(out)] == files


def test_a_finished_file_is_replaced_only_with_fresh(bundle: Bundle, files: list[str], out: Path) -> None:
    predict_to_file(bundle, files, out)
    with pytest.raises(RunError, match="already exists: choose another file with --out, or start again with --fresh"):
        predict_to_file(bundle, files[:3], out)
    assert len(rows(out)) == 38
    assert names(out.parent) == [out.name]
    predict_to_file(bundle, files[:3], out, fresh=True)
    assert len(rows(out)) == 3


def test_a_file_is_replaced_only_when_the_new_one_is_complete(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None]
) -> None:
    predict_to_file(bundle, files[:3], out)
    interrupt(files, 2, fresh=True)
    assert len(rows(out)) == 3
    predict_to_file(bundle, files, out)
    assert len(rows(out)) == 38


def test_a_file_created_meanwhile_is_not_replaced(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None]
) -> None:
    interrupt(files, 2)
    out.write_text("mine")
    with pytest.raises(RunError, match="already exists, as does an unfinished one"):
        predict_to_file(bundle, files, out)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files[:-1], "there were 38 images, now 37"),
        (lambda files: files[::-1], "the images or their order have changed"),
        (lambda files: [*files[:-1], "else.png"], "the images or their order"),
    ],
)
def test_other_images_are_refused(
    bundle: Bundle,
    files: list[str],
    out: Path,
    interrupt: Callable[..., None],
    change: Callable[[list[str]], list[str]],
    message: str,
) -> None:
    interrupt(files, 2)
    with pytest.raises(RunError, match=message):
        predict_to_file(bundle, change(files), out)
    predict_to_file(bundle, change(files), out, fresh=True)
    assert [row["path"] for row in rows(out)] == change(files)


def test_an_image_that_changed_meanwhile_is_refused(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None]
) -> None:
    interrupt(files, 2)
    Path(files[5]).write_bytes(b"corrupt still")
    with pytest.raises(RunError, match="the images or their order have changed"):
        predict_to_file(bundle, files, out)


def test_another_bundle_and_another_top_are_refused(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None], tmp_path: Path
) -> None:
    interrupt(files, 2)
    other = tmp_path / "other"
    shutil.copytree(bundle.folder, other)
    manifest = other / "bundle.json"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(RunError, match=r"they belong to another bundle; --top was 3, now 1"):
        predict_to_file(other, files, out, top=1)
    predict_to_file(bundle, files, out, top=9)  # there are three classes


def test_an_invalid_bundle_leaves_nothing_behind(files: list[str], out: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        predict_to_file(tmp_path, files, out)
    assert not out.parent.exists()


def test_a_failing_listing_leaves_nothing_behind(bundle: Bundle, files: list[str], out: Path) -> None:
    def failing() -> Iterator[str]:
        yield from islice(files, 2)
        raise StoppedError

    with pytest.raises(StoppedError):
        predict_to_file(bundle, failing(), out)
    assert names(out.parent) == []


def test_leftovers_of_an_interrupted_listing_are_ignored(bundle: Bundle, files: list[str], out: Path) -> None:
    folder = folder_of(out)
    folder.mkdir(parents=True)
    for name in (".partial-abc", "pictures.jsonl", f"part-{0:012}-{6:012}-{'a' * 12}.jsonl"):
        (folder / name).write_text("half")
    predict_to_file(bundle, files, out)
    assert [row["path"] for row in rows(out)] == files
    assert names(out.parent) == [out.name]


def test_leftovers_of_a_finished_file_are_removed(bundle: Bundle, files: list[str], out: Path) -> None:
    predict_to_file(bundle, files, out)
    folder_of(out).mkdir()
    (folder_of(out) / f"part-{6:012}-{12:012}-{'a' * 12}.jsonl").write_text("left")
    with pytest.raises(RunError, match="already exists"):
        predict_to_file(bundle, files, out)
    assert names(out.parent) == [out.name]
    assert len(rows(out)) == 38


def test_a_folder_with_other_files_is_left_alone(bundle: Bundle, files: list[str], out: Path) -> None:
    folder_of(out).mkdir(parents=True)
    (folder_of(out) / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="has other files"):
        predict_to_file(bundle, files, out, fresh=True)
    assert (folder_of(out) / "mine.txt").read_text() == "mine"


def test_a_folder_is_refused_as_the_file(bundle: Bundle, files: list[str], out: Path) -> None:
    out.mkdir(parents=True)
    with pytest.raises(RunError, match="is a folder: choose a file"):
        predict_to_file(bundle, files, out)


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"replaces": 1, "x": 2}'])
def test_damaged_settings_are_refused(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None], damage: str
) -> None:
    interrupt(files, 1)
    (folder_of(out) / "settings.json").write_text(damage)
    with pytest.raises(RunError, match=r"cannot be read .* start again with --fresh"):
        predict_to_file(bundle, files, out)
    predict_to_file(bundle, files, out, fresh=True)


@pytest.mark.parametrize("damage", ["{", "", "{}\n" * 5])
def test_a_damaged_part_is_refused(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None], damage: str
) -> None:
    interrupt(files, 2)
    next(iter(folder_of(out).glob("part-*"))).write_text(damage)
    with pytest.raises(RunError, match="start again with --fresh"):
        predict_to_file(bundle, files, out)
    assert not out.exists()


def test_a_second_command_for_the_same_file_is_refused(bundle: Bundle, files: list[str], out: Path) -> None:
    with part_folder(out), pytest.raises(RunError, match="another command is at work in"):
        predict_to_file(bundle, files, out)


def test_no_images_give_a_file_without_rows(bundle: Bundle, out: Path) -> None:
    assert predict_to_file(bundle, [], out).images == 0
    assert out.read_bytes() == b""


def test_an_unwritable_path_is_refused_before_any_prediction(
    bundle: Bundle, files: list[str], tmp_path: Path, predicted: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        predict_to_file(bundle, files, tmp_path / "file" / "a.jsonl")
    assert predicted == []


@pytest.mark.parametrize(("limit", "value"), [("PART_CHARACTERS", 1), ("PART_S", 0.0)])
def test_a_part_ends_when_it_is_large_or_old(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None], limit: str, value: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(f"tellapart.bundles.batch.predict_to_file.{limit}", value)
    interrupt(files, 2)
    assert sorted(path.name[:30] for path in folder_of(out).glob("part-*")) == [
        f"part-{0:012}-{1:012}", f"part-{1:012}-{2:012}"
    ]  # fmt: skip
    predict_to_file(bundle, files, out)
    assert [row["path"] for row in rows(out)] == files


def test_a_long_listing_reports_progress(
    bundle: Bundle, files: list[str], out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(part_store, "LINE_EVERY_S", 0.0)
    predict_to_file(bundle, files[:2], out)
    assert "listing: 2 images so far" in capsys.readouterr().err


def test_the_fields_of_the_settings_file_are_stable(
    bundle: Bundle, files: list[str], out: Path, interrupt: Callable[..., None]
) -> None:
    interrupt(files, 1)
    settings = json.loads((folder_of(out) / "settings.json").read_text())
    assert settings.keys() == {"bundle", "top", "count", "pictures", "replaces"}
