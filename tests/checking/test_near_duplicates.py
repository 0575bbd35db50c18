"""Near-duplicates: copies are found however they were made, and likenesses are not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from tellapart.checking import near_duplicates
from tellapart.checking.image_facts import ImageFacts, examine_file, measure_facts
from tellapart.checking.near_duplicates import Pair, close_hashes, families_of, find_pairs, with_duplicate_families
from tellapart.data.dataset import Dataset

from .scenes import saved, scene


def examined(*images: Image.Image, **options: object) -> dict[str, ImageFacts | str]:
    """Facts of images that are called by their numbers."""
    kind = "JPEG" if options else "PNG"
    return {f"{number:02}": examine_file(saved(image, kind, **options)) for number, image in enumerate(images)}


def cropped(image: Image.Image) -> Image.Image:
    """Take 3 % off each side."""
    width, height = image.size
    return image.crop((round(0.03 * width), round(0.03 * height), round(0.97 * width), round(0.97 * height)))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized": lambda image: image.resize((image.width // 2, image.height // 2)),
    "squeezed": lambda image: image.resize((128, 128)),
    "cropped": cropped,
    "brighter": lambda image: image.point(lambda value: round(0.95 * value + 10)),
    "grey": lambda image: image.convert("L"),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES.keys())
def test_copies_are_found_and_nothing_else(copied: Callable[[Image.Image], Image.Image]) -> None:
    originals = [scene(seed) for seed in range(12)]
    facts = examined(*originals, copied(originals[3]), copied(originals[7]))
    assert find_pairs(facts) == [Pair("03", "12", "similar"), Pair("07", "13", "similar")]


def test_reencoded_copies_are_found() -> None:
    facts = examined(*(scene(seed) for seed in range(6)))
    facts["copy"] = examine_file(saved(scene(4), "JPEG", quality=60))
    assert find_pairs(facts) == [Pair("04", "copy", "similar")]


@pytest.mark.parametrize("copied", [lambda image: image, cropped], ids=["whole", "cropped"])
def test_mirrored_copies_are_found(copied: Callable[[Image.Image], Image.Image]) -> None:
    originals = [scene(seed) for seed in range(6)]
    facts = examined(*originals, ImageOps.mirror(copied(originals[2])))
    assert find_pairs(facts) == [Pair("02", "06", "mirrored")]


def test_a_symmetrical_image_is_paired_once() -> None:
    half = np.asarray(scene(1))[:, :100]
    both = Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1))
    assert find_pairs(examined(both, both.resize((150, 120)))) == [Pair("00", "01", "similar")]


def disc(colour: str) -> Image.Image:
    image = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(image).ellipse((34, 34, 94, 94), fill=colour)
    return image


def test_the_same_shape_in_another_colour_is_another_image() -> None:
    grey = {disc(colour).convert("L").getpixel((64, 64)) for colour in ("#0000ff", "#500000")}
    assert max(map(int, map(str, grey))) - min(map(int, map(str, grey))) < 8
    assert find_pairs(examined(disc("#0000ff"), disc("#500000"))) == []
    assert len(find_pairs(examined(disc("#0000ff"), disc("#0400f0")))) == 1


def test_the_same_background_behind_something_else_is_another_image() -> None:
    one, other = scene(1), scene(1)
    other.paste(scene(2, 60, 60), (70, 50))
    assert find_pairs(examined(one, other)) == []


def test_blank_small_and_unreadable_images_are_left_out() -> None:
    rng = np.random.default_rng(0)
    blank = [measure_facts(rng.integers(100, 103, (100, 100, 1), dtype=np.uint8)) for _ in range(3)]
    small = [examine_file(saved(scene(1, 63, 63), "PNG")), examine_file(saved(scene(1, 63, 63), "BMP"))]
    facts: dict[str, ImageFacts | str] = {str(number): one for number, one in enumerate([*blank, *small])}
    assert find_pairs(facts | {"x": "cannot be decoded", "y": "cannot be decoded"}) == []
    assert find_pairs({}) == []
    assert find_pairs({"0": examine_file(saved(scene(1)))}) == []


def test_the_order_of_images_does_not_matter() -> None:
    facts = examined(*(scene(seed) for seed in range(6)), cropped(scene(1)), ImageOps.mirror(scene(5)))
    assert find_pairs(dict(reversed(facts.items()))) == find_pairs(facts)
    assert len(find_pairs(facts)) == 2


def test_features_may_only_refuse() -> None:
    facts = examined(scene(1), cropped(scene(1)), scene(2))
    near = {"00": np.array([1.0, 0.1]), "01": np.array([1.0, 0.2]), "02": np.array([1.0, 0.1])}
    assert find_pairs(facts, near) == find_pairs(facts) == [Pair("00", "01", "similar")]
    assert find_pairs(facts, {**near, "01": np.array([0.0, 1.0])}) == []
    assert find_pairs(facts, {"00": near["00"]}) == find_pairs(facts)


def test_of_many_copies_enough_pairs_are_given_to_tie_them_together() -> None:
    count = 60
    noise = np.random.default_rng(0)
    base = np.asarray(scene(1)).astype(int)
    frames = [np.clip(base + noise.integers(-6, 7, base.shape), 0, 255).astype(np.uint8) for _ in range(count)]
    found = find_pairs({f"{number:02}": measure_facts(frame) for number, frame in enumerate(frames)})
    assert {pair.first for pair in found} | {pair.second for pair in found} == {
        f"{number:02}" for number in range(count)
    }
    assert len(found) <= count * count // 2


def test_a_film_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "CHUNK", 8)
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS", 2)
    noise = np.random.default_rng(0)
    base = np.asarray(scene(1)).astype(int)
    frames = [np.clip(base + noise.integers(-6, 7, base.shape), 0, 255).astype(np.uint8) for _ in range(60)]
    found = find_pairs({f"{number:02}": measure_facts(frame) for number, frame in enumerate(frames)})
    assert len(found) < 60 * 59 // 6
    assert {pair.second for pair in found} >= {f"{number:02}" for number in range(1, 60)}


@pytest.mark.parametrize("block_pairs", [1, 7, 1000, 1 << 19])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_close_hashes_equal_a_comparison_of_every_pair(
    monkeypatch: pytest.MonkeyPatch, block_pairs: int, count: int
) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK_PAIRS", block_pairs)
    rng = np.random.default_rng(count)
    ones, others = (rng.integers(0, 2**64, count, dtype=np.uint64) for _ in range(2))
    wanted = [
        (i, j) for i in range(count) for j in range(i + 1, count) if (int(ones[i]) ^ int(others[j])).bit_count() <= 30
    ]
    blocks = list(close_hashes(ones, others, 30))
    found = [pair for _, i, j in blocks for pair in zip(i.tolist(), j.tolist(), strict=True)]
    assert found == wanted
    assert [row for rows, _, _ in blocks for row in rows] == [*range(count - 1)]
    assert count < 40 or wanted


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
