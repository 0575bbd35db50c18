"""Real folders with planted faults: the quick check finds what needs no pixels, the full one all of it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tellapart.checking.check import check, check_cheap
from tellapart.checking.finding import SEVERITIES, Finding, Row
from tellapart.checking.findings_csv import write_findings_csv
from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.data.images import FileImages
from tellapart.data.sources.arrays import array_split


def photo(seed: int, width: int = 120, height: int = 90) -> Image.Image:
    """Some twenty coloured shapes: all different."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(20):
        x, y = rng.integers(0, width), rng.integers(0, height)
        box = [int(x), int(y), int(x + rng.integers(5, width)), int(y + rng.integers(5, height))]
        draw.ellipse(box, fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Train and test, of two classes with 12 and 3 photos each."""
    seeds = iter(range(100))
    for split, each in (("train", 12), ("test", 3)):
        for name in ("cat", "dog"):
            place = tmp_path / "pets" / split / name
            place.mkdir(parents=True)
            for number in range(each):
                photo(next(seeds)).save(place / f"{number:02}.jpg", quality=90)
    return tmp_path / "pets"


def by_kind(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    assert [SEVERITIES.index(one.severity) for one in findings] == sorted(
        SEVERITIES.index(one.severity) for one in findings
    )
    assert len({one.kind for one in findings}) == len(findings)
    for text in (text for one in findings for text in (one.sentence, one.advice)):
        assert text.endswith(".")
        assert text[0].isupper() or text[0].isdigit()
    return {one.kind: one for one in findings}


def names(finding: Finding) -> list[str]:
    return [str(Path(*Path(row.path).parts[-3:])) for row in finding.rows]


def test_good_photos(folder: Path) -> None:
    whole = Dataset.open(folder)
    assert check_cheap(whole) == ()
    assert check(whole) == ()


def test_the_quick_check_decodes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(folder / "test" / "cat" / "00.jpg", folder / "train" / "cat" / "copy.jpg")
    shutil.copy(folder / "train" / "dog" / "00.jpg", folder / "train" / "cat" / "mistaken.jpg")
    (folder / "train" / "cat" / "bad.jpg").write_bytes(b"no image")
    whole = Dataset.open(folder)

    def read(*_: object) -> None:
        raise AssertionError("an image was read")

    monkeypatch.setattr(FileImages, "read", read)
    found = by_kind(check_cheap(whole))
    assert {kind: names(one) for kind, one in found.items()} == {
        "leak": ["train/cat/copy.jpg"],
        "two-labels": ["train/cat/mistaken.jpg", "train/dog/00.jpg"],
    }


def test_the_full_check_finds_all(folder: Path) -> None:
    cat = folder / "train" / "cat"
    (cat / "bad.jpg").write_bytes((cat / "01.jpg").read_bytes()[:800])
    photo(200).save(cat / "png.jpg", format="png")
    Image.new("RGB", (120, 90), (9, 9, 9)).save(cat / "blank.jpg")
    photo(201, 400, 80).save(cat / "long.jpg")
    photo(202, 24, 30).save(cat / "small.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    photo(203).save(cat / "turned.jpg", exif=turned)
    photo(204).save(cat / "moving.gif", save_all=True, append_images=[photo(205)])
    Image.open(folder / "test" / "dog" / "02.jpg").resize((200, 150)).save(cat / "near.jpg", quality=60)
    found = by_kind(check(Dataset.open(folder)))
    assert {kind: names(one) for kind, one in found.items()} == {
        "near-leak": ["train/cat/near.jpg"],
        "unreadable": ["train/cat/bad.jpg"],
        "blank": ["train/cat/blank.jpg"],
        "odd-size": ["train/cat/small.jpg"],
        "odd-shape": ["train/cat/long.jpg"],
        "animated": ["train/cat/moving.gif"],
        "exif-rotated": ["train/cat/turned.jpg"],
        "wrong-extension": ["train/cat/png.jpg"],
    }
    leak = found["near-leak"].rows[0]
    assert (leak.label, leak.suggested, Path(leak.other).name) == ("cat", "dog", "02.jpg")


def test_a_class_of_unreadable_files_is_empty(folder: Path) -> None:
    for file in (folder / "test" / "dog").iterdir():
        file.write_bytes(b"no image")
    found = by_kind(check(Dataset.open(folder)))
    assert found["missing-class"].sentence == "The test split has no image of dog."
    assert found["unreadable"].count == 3


def test_what_a_person_marked_is_not_found_again(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "test" / "cat" / "00.jpg", folder / "train" / "cat" / "copy.jpg")
    (leak,) = check_cheap(Dataset.open(folder))
    table = tmp_path / "findings.csv"
    write_findings_csv([leak], table)
    table.write_text(table.read_text().replace("\n,leak", "\nx,leak"))
    whole = Dataset.open(folder, ReadOptions(skip=table))
    assert [one.reason for one in whole.skipped] == ["left out by findings.csv, line 2 (leak)"]
    assert check(whole) == ()


def test_small_images_in_arrays() -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)
    array[5] = 0
    array[7] = array[6]
    found = by_kind(check(Dataset("drawn", ("a", "b"), {"all": array_split(array, np.arange(40) // 20)})))
    assert {kind: one.count for kind, one in found.items()} == {"copies": 1, "blank": 1}


@pytest.fixture
def featured(monkeypatch: pytest.MonkeyPatch) -> list[Dataset]:
    """Stand in for what is found from a backbone's features, and tell of which data sets it was asked."""
    from tellapart.checking.findings import label_errors

    asked: list[Dataset] = []

    def from_features(dataset: Dataset, _: str) -> tuple[Finding, ...]:
        asked.append(dataset)
        return (Finding("label-error", "warning", 1, "It is.", "Look.", (Row("a", "d", "train", "cat", "dog"),)),)

    monkeypatch.setattr(label_errors, "feature_findings", from_features)
    monkeypatch.setattr(label_errors, "features_by_digest", lambda *_: {})
    return asked


def test_features_are_asked_of_readable_images_only(folder: Path, featured: list[Dataset]) -> None:
    (folder / "train" / "cat" / "bad.jpg").write_bytes(b"no image")
    found = by_kind(check(Dataset.open(folder), "xception"))
    assert set(found) == {"label-error", "unreadable"}
    assert len(featured[0].splits["train"]) == 24
