"""The cache: what it holds, and that making room removes the oldest entries and nothing else."""

import os
from pathlib import Path

import numpy as np
import pytest

from tellapart import cache
from tellapart.cache import cache_bytes, cache_entries, make_room, note_use, parse_size
from tellapart.data.images import ArrayImages
from tellapart.data.pixel_cache import decoded_pixels
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import RunError
from tellapart.files import cache_folder
from tellapart.models.features.feature_cache import FeatureCache

FIRST, SECOND, THIRD = (digit * 64 for digit in "abc")


def pixels(key: str, size: int, *, age_s: float, dataset: str | None = None) -> Path:
    folder = cache_folder() / "pixels" / key
    folder.mkdir(parents=True)
    (folder / "pixels.npy").write_bytes(bytes(size))
    (folder / "unreadable.json").write_text("[]")
    note_use(folder, dataset=dataset)
    record = cache_folder() / "uses" / f"pixels-{key}.json"
    used = record.stat().st_mtime - age_s
    os.utime(record, (used, used))
    return folder


def test_entries_have_their_data_sets_and_backbone_and_the_newest_is_first() -> None:
    pixels(FIRST, 100, age_s=9, dataset="cats")
    FeatureCache(cache_folder() / "features" / SECOND).add(["0"], np.zeros((1, 4), np.float32))
    for dataset in ("dogs", "cats", "dogs"):
        note_use(cache_folder() / "features" / SECOND, dataset=dataset, backbone="xception")
    features, images = cache_entries()
    assert (features.kind, features.datasets, features.backbone) == ("features", ("cats", "dogs"), "xception")
    assert (images.kind, images.datasets, images.bytes) == ("pixels", ("cats",), 102)
    assert cache_bytes() > images.bytes + features.bytes


def test_decoding_records_the_use(tmp_path: Path) -> None:
    images = ArrayImages(np.zeros((2, 8, 8, 3), np.uint8), ("0" * 64, "1" * 64))
    for name in ("one", "two"):
        decoded_pixels(images, Preprocessing(4, 4, 3), cache=cache_folder(), label="", dataset=name)
    (entry,) = cache_entries()
    assert entry.datasets == ("one", "two")


def test_an_entry_of_an_earlier_version_has_no_record() -> None:
    folder = pixels(FIRST, 100, age_s=0)
    (cache_folder() / "uses" / f"pixels-{FIRST}.json").write_text("[")
    (entry,) = cache_entries()
    assert (entry.folder, entry.datasets, entry.backbone) == (folder, (), "")


def test_the_least_recently_used_are_removed_until_the_others_fit() -> None:
    old, new, oldest = (pixels(key, 1000, age_s=age) for key, age in ((FIRST, 20), (SECOND, 10), (THIRD, 30)))
    assert [entry.folder for entry in make_room(3006)] == []
    assert [entry.folder for entry in make_room(1500)] == [oldest, old]
    assert [entry.folder for entry in cache_entries()] == [new]
    assert not (cache_folder() / "uses" / f"pixels-{FIRST}.json").exists()
    assert [entry.folder for entry in make_room(0)] == [new]


def test_nothing_but_the_caches_own_is_ever_removed(tmp_path: Path) -> None:
    mine = cache_folder() / "pixels"
    holiday = mine / "holiday"  # not a hash
    with_more = pixels(FIRST, 10, age_s=0)
    (with_more / "letter.txt").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pixels.npy").write_bytes(b"1")
    (mine / SECOND).symlink_to(elsewhere)
    (mine / THIRD).mkdir()
    (mine / THIRD / "pixels.npy").symlink_to(elsewhere / "pixels.npy")
    for folder in (holiday, cache_folder() / "photos" / FIRST):
        folder.mkdir(parents=True)
        (folder / "pixels.npy").write_bytes(b"1")
    before = sorted(path for path in cache_folder().rglob("*"))
    assert make_room(0) == cache_entries() == ()
    assert sorted(path for path in cache_folder().rglob("*")) == before
    assert (elsewhere / "pixels.npy").exists()


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(cache, "atomic_write", refuse)
    note_use(cache_folder() / "pixels" / FIRST, dataset="cats")


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500MB", 500_000_000), ("10 GB", 10**10), ("1.5k", 1500), ("2TB", 2 * 10**12)]
)
def test_sizes_are_in_units_of_a_thousand(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e3", "10 GiB", "ten"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RunError, match="expected one such as 500MB or 10GB"):
        parse_size(text)
