"""Facts come back from the disk as they were, and only those that are asked for."""

from pathlib import Path

import numpy as np

from tellapart.checking.facts_cache import read_facts, write_facts
from tellapart.checking.image_facts import ImageFacts, examine_file

from .scenes import saved, scene


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
