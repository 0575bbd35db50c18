"""`tellapart cache`."""

import json

from tellapart.cache import note_use
from tellapart.files import cache_folder

from .conftest import Said


def fill(key: str, size: int, dataset: str) -> None:
    folder = cache_folder() / "pixels" / (key * 64)
    folder.mkdir(parents=True)
    (folder / "pixels.npy").write_bytes(bytes(size))
    note_use(folder, dataset=dataset)


def test_the_cache_is_listed_and_limited(said: Said) -> None:
    fill("a", 3_000_000, "cats\x1b[2J")
    fill("b", 1_500_000, "dogs")
    shown = said("cache")
    assert shown.status == 0
    assert "\x1b" not in shown.out
    assert f"4.5 MB in 2 entries: {cache_folder()}" in shown.out
    limited = said("cache", "--limit", "2MB")
    assert "removed 3.0 MB in 1 entry" in limited.err
    assert "cats" not in limited.out
    result = json.loads(said("cache", "--limit", "0", "--json").out)
    assert [entry["datasets"] for entry in result["removed"]] == [["dogs"]]
    assert (result["entries"], result["bytes"]) == ([], 0)


def test_a_limit_that_is_no_size_is_refused(said: Said) -> None:
    assert "the size is 'much'; expected one such as" in said("cache", "--limit", "much").error
