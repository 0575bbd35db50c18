"""Near-duplicates of near-duplicates are one family, across the splits of a data set."""

from pathlib import Path

from PIL import Image

from tellapart.checking.duplicate_families import families_of, with_duplicate_families
from tellapart.checking.near_duplicates import Pair
from tellapart.data.dataset import Dataset

from .scenes import saved, scene


def test_families_are_named_by_their_first_and_tied_by_any_chain() -> None:
    pairs = [
        Pair("c", "d", "similar"),
        Pair("x", "y", "mirrored"),
        Pair("b", "c", "similar"),
        Pair("d", "e", "similar"),
    ]
    assert families_of(pairs) == {"b": "b", "c": "b", "d": "b", "e": "b", "x": "x", "y": "x"}
    assert families_of(reversed(pairs)) == families_of(pairs)
    assert families_of([]) == {}


def test_a_long_chain() -> None:
    names = [f"{number:05}" for number in range(20_000)]
    found = families_of(Pair(one, other, "similar") for one, other in zip(names[1:], names, strict=False))
    assert set(found.values()) == {"00000"}


def test_with_families(tmp_path: Path) -> None:
    for split, seeds in (("train", range(4)), ("test", range(4, 6))):
        for seed in seeds:
            for label in ("cat", "dog"):
                file = tmp_path / split / label / f"{seed}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(saved(scene(seed + 10 * (label == "dog"))))
    (tmp_path / "test" / "cat" / "copy.jpg").write_bytes(saved(scene(2).resize((150, 120)), "JPEG", quality=70))
    (tmp_path / "test" / "cat" / "broken.png").write_bytes(saved(scene(30))[:-300])
    dataset = Dataset.open(tmp_path)
    found = with_duplicate_families(dataset)
    train, test = found.splits["train"].images, found.splits["test"].images
    original = next(d for i, d in enumerate(train.digests) if train.name(i).endswith("cat/2.png"))
    copy = next(d for i, d in enumerate(test.digests) if test.name(i).endswith("copy.jpg"))
    assert found.families == {original: min(original, copy), copy: min(original, copy)}
    assert dataset.families == {}
    assert found.splits["train"] is dataset.splits["train"]
    assert [Path(one.path).name for one in found.skipped] == ["broken.png"]


def test_what_cannot_be_decoded_is_left_out_before_anything_is_drawn(tmp_path: Path) -> None:
    for colour in ("green", "red"):
        (tmp_path / colour).mkdir()
        for number in range(3):
            Image.new("RGB", (70, 70), (number, 40, 90)).save(tmp_path / colour / f"{number}-{colour}.png")
    broken = tmp_path / "green" / "1-green.png"
    broken.write_bytes(broken.read_bytes()[:60])
    dataset = with_duplicate_families(Dataset.open(tmp_path))
    assert dataset.counts("all").tolist() == [2, 3]
    assert [Path(one.path).name for one in dataset.skipped] == ["1-green.png"]
