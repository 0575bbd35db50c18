"""Each distinct image is decoded once, now and later, and what cannot be read is reported in its place."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tellapart.checking import examine_images as module
from tellapart.checking.examine_images import examine_images, read_facts, write_facts
from tellapart.checking.image_facts import ImageFacts, examine_file
from tellapart.data.dataset import Dataset, Split
from tellapart.data.decoding.conversion import Conversion
from tellapart.data.images import ArrayImages, FileImages
from tellapart.files import cache_folder

from .scenes import saved, scene


def dataset(*paths: Path) -> Dataset:
    """Put files into a train split, and the first of them into a test split too."""
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    images = FileImages(tuple(map(str, paths)), digests)
    whole = Split(images, np.zeros(len(paths), np.int32))
    return Dataset("set", ("a",), {"train": whole, "test": whole.take([0])})


def written(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"{index}.png" for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was decoded, in any order."""
    seen: list[bytes] = []

    def counting(content: bytes, conversion: Conversion) -> ImageFacts:
        seen.append(content)
        return examine_file(content, conversion)

    monkeypatch.setattr(module, "examine_file", counting)
    return seen


def same(one: ImageFacts | str, other: ImageFacts | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    values, others = ({**vars(facts), "small": facts.small.tobytes()} for facts in (one, other))
    assert values.pop("colour") == pytest.approx(others.pop("colour"))
    return values == others


def shards() -> list[Path]:
    return sorted((cache_folder() / "facts").rglob("*.npz"))


def test_each_content_is_decoded_once_and_never_again(tmp_path: Path, looks: list[bytes]) -> None:
    good, tiny = saved(scene(1), "JPEG"), saved(scene(2, 20, 30))
    paths = written(tmp_path, good, tiny, b"no image", good)
    first = examine_images(dataset(*paths))
    assert sorted(looks) == sorted([good, tiny, b"no image"])
    second = examine_images(dataset(*paths))
    assert len(looks) == 3
    assert len(first) == 3
    assert first.keys() == second.keys()
    assert all(same(first[digest], second[digest]) for digest in first)
    assert str(first[hashlib.sha256(b"no image").hexdigest()]).startswith("not an image")


def test_only_what_is_new_is_decoded(tmp_path: Path, looks: list[bytes]) -> None:
    paths = written(tmp_path, *(saved(scene(seed)) for seed in range(4)))
    examine_images(dataset(*paths[:2]))
    looks.clear()
    found = examine_images(dataset(*paths))
    assert sorted(looks) == sorted(path.read_bytes() for path in paths[2:])
    assert len(found) == 4
    assert len(shards()) == 2
    for path in paths:
        assert same(found[hashlib.sha256(path.read_bytes()).hexdigest()], examine_file(path.read_bytes()))


def test_a_file_that_is_gone_or_changed_is_looked_at_again(tmp_path: Path) -> None:
    paths = written(tmp_path, *(saved(scene(seed)) for seed in range(2)))
    listed, content = dataset(*paths), paths[0].read_bytes()
    paths[0].write_bytes(saved(scene(9)))
    paths[1].unlink()
    changed, gone = examine_images(listed).values()
    assert "changed after it was listed" in str(changed)
    assert "cannot be read" in str(gone)
    paths[0].write_bytes(content)
    assert isinstance(examine_images(listed)[listed.splits["train"].images.digests[0]], ImageFacts)


@pytest.mark.parametrize("left", [0, 7, 1000, -5])
def test_a_broken_cache_is_made_again(tmp_path: Path, looks: list[bytes], left: int) -> None:
    whole = dataset(*written(tmp_path, saved(scene(1))))
    before = examine_images(whole)
    shards()[0].write_bytes(shards()[0].read_bytes()[:left])
    after = examine_images(whole)
    assert len(looks) == 2
    assert all(same(before[digest], after[digest]) for digest in before)
    examine_images(whole)
    assert len(looks) == 2


@pytest.mark.parametrize("column", ["formats", "numbers", "spreads", "hashes", "colours", "small", "reasons"])
def test_a_cache_with_a_column_cut_short_is_made_again(tmp_path: Path, looks: list[bytes], column: str) -> None:
    whole = dataset(*written(tmp_path, saved(scene(1)), b"no image"))
    examine_images(whole)
    with np.load(shards()[0], allow_pickle=False) as columns:
        changed = {**columns, column: columns[column][:0]}
    np.savez(shards()[0], allow_pickle=False, **changed)
    looks.clear()
    found = examine_images(whole).values()
    assert len(looks) == 2
    assert [type(facts) for facts in found] == [ImageFacts, str]


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, looks: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "file"))
    whole = dataset(*written(tmp_path, saved(scene(1))))
    assert all(isinstance(facts, ImageFacts) for facts in examine_images(whole).values())
    examine_images(whole)
    assert len(looks) == 2


def test_another_method_does_not_take_the_facts_of_this_one(
    tmp_path: Path, looks: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dataset(*written(tmp_path, saved(scene(1))))
    examine_images(whole)
    monkeypatch.setattr(module, "KEY", "another")
    examine_images(whole)
    assert len(looks) == 2


def test_what_could_not_be_decoded_is_decoded_again_under_another_limit(
    tmp_path: Path, looks: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dataset(*written(tmp_path, saved(scene(1)), b"no image"))
    examine_images(whole)
    monkeypatch.setenv("TELLAPART_MAX_PIXELS", "300000000")
    examine_images(whole)
    assert looks[2:] == [b"no image"]
    examine_images(whole)
    assert len(looks) == 3


def test_what_was_found_is_kept_when_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = written(tmp_path, *(saved(scene(seed)) for seed in range(3)))
    last = paths[2].read_bytes()

    def interrupted(content: bytes, conversion: Conversion) -> ImageFacts:
        if content == last:
            raise KeyboardInterrupt
        return examine_file(content, conversion)

    monkeypatch.setattr(module, "examine_file", interrupted)
    whole = dataset(*paths)
    with pytest.raises(KeyboardInterrupt):
        examine_images(whole)
    kept = read_facts(cache_folder() / "facts", whole.splits["train"].images.digests)
    assert set(kept) == set(whole.splits["train"].images.digests[:2])


@pytest.mark.parametrize("channels", [1, 3])
def test_small_arrays_are_examined_at_once(channels: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 20, 28, channels), dtype=np.uint8)
    array[3] = 200
    images = ArrayImages(array, tuple("abcde"))
    found = examine_images(Dataset("set", ("a",), {"all": Split(images, np.zeros(5, np.int32))}))
    facts = [one for one in found.values() if isinstance(one, ImageFacts)]
    assert [(one.format, one.width, one.height) for one in facts] == [("", 28, 20)] * 5
    assert facts[3].spread == pytest.approx(0, abs=0.01)
    assert min(facts[index].spread for index in (0, 1, 2, 4)) > 30
    assert shards() == []


def test_large_arrays_are_examined_like_files() -> None:
    array = np.stack([np.asarray(scene(seed)) for seed in range(2)])
    images = ArrayImages(array, ("a" * 64, "b" * 64))
    found = examine_images(Dataset("set", ("a",), {"all": Split(images, np.zeros(2, np.int32))}))
    facts = found["b" * 64]
    assert isinstance(facts, ImageFacts)
    assert facts.format == ""
    assert facts.hash == examine_file(saved(scene(1))).hash


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    photo = examine_file(saved(scene(1), "JPEG"))
    tiny = examine_file(saved(scene(2, 20, 30)))
    write_facts(tmp_path, {"a" * 64: tiny, "b" * 64: "cannot be decoded: größer", "c" * 64: photo})
    found = read_facts(tmp_path, ["a" * 64, "b" * 64, "c" * 64, "d" * 64])
    assert found.keys() == {"a" * 64, "b" * 64, "c" * 64}
    assert found["b" * 64] == "cannot be decoded: größer"
    for digest, facts in (("a" * 64, tiny), ("c" * 64, photo)):
        read = found[digest]
        assert isinstance(read, ImageFacts)
        assert repr(read).partition("colour")[0] == repr(facts).partition("colour")[0]
        np.testing.assert_allclose(read.colour, facts.colour, rtol=1e-6)
        np.testing.assert_array_equal(read.small, facts.small)


def test_only_what_is_asked_for_comes_back_from_all_shards(tmp_path: Path) -> None:
    for number in range(4):
        write_facts(tmp_path, {str(number) * 64: "why", str(number + 4) * 64: examine_file(saved(scene(number)))})
    assert read_facts(tmp_path, ["1" * 64, "7" * 64]).keys() == {"1" * 64, "7" * 64}
    assert read_facts(tmp_path, []) == {}


def test_nothing_to_keep_writes_nothing(tmp_path: Path) -> None:
    write_facts(tmp_path / "cache", {})
    assert not (tmp_path / "cache").exists()
    assert read_facts(tmp_path / "cache", ["a" * 64]) == {}
