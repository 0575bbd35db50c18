"""Faults planted into the clothing photos, and how many of them `tellapart check` finds.

    python benchmarks/planted.py PHOTOS [--seeds 0 1 2] [--features xception] [--cache FOLDER]

Into a copy of the photos go 30 exact copies and 60 near copies, each in another split than its original: 15 resized to
between 40 and 80 % of the side, 15 re-encoded at quality 60, 15 flipped, 15 with 3 % cut off each side. Of the photos,
20 are damaged (cut short, emptied, a page of HTML, zeros), 10 get the extension of another format, and 5 % move to a
wrong class. No photo has two faults. Each copy is checked without and with the features of a frozen backbone. A false
pair is one whose images are neither planted copies of each other nor called similar in the photos as they were: how
many pairs those hold is printed first. Wrong labels are looked for among the first 8 % of the images, as they are
ranked.
"""

import argparse
import csv
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from measuring import TELLAPART, Table, measured

COPIES, NEAR_EACH, DAMAGED, RENAMED, WRONG = 30, 15, 20, 10, 0.05
EXAMINED = 0.08  # of the images: so many are examined for wrong labels
FALSE_PAIRS = 2.0  # asked, at most, of 1,000 images
NEAR = ("resized", "re-encoded", "flipped", "cropped")
ASKED = {
    "exact copies": "100 %", "resized": "95 % of both", "re-encoded": "95 % of both", "flipped": "", "cropped": "",
    "near copies": "80 %", "damaged": "100 %", "wrong extensions": "100 %", "wrong labels": "60 %",
}  # fmt: skip
Pair = frozenset[str]
"""The SHA-256 of two files, or of one where they are the same bytes."""


@dataclass
class Planted:
    """What was planted: by fault the files, and for each copy the file it was made of. Lives while it is planted."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    originals: dict[Path, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What a check found: files by kind of finding, the worst first, and the files it calls similar."""

    files: Mapping[str, list[str]]
    pairs: frozenset[tuple[str, str]]


def main() -> None:
    """Check the photos as they are, then each planted copy of them."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = options.cache or folder / "cache"
        for words in [(), ("--features", options.features)][: 1 + bool(options.features)]:
            before = check(options.photos, folder, cache, words)
            known = {pair_of(*pair) for pair in before.pairs}
            print(f"check {' '.join(words)}: {len(known)} pairs in the photos as they are")
            table = Table("planted", "asked", *(f"seed {seed}" for seed in options.seeds))
            results = [judged(options.photos, folder, cache, words, known, seed) for seed in options.seeds]
            for line in results[0]:
                asked = f"at most {FALSE_PAIRS:g}" if line.startswith("false") else ASKED[line]
                table.row(line, asked, *(result[line] for result in results))
            table.print()


def judged(
    photos: Path, folder: Path, cache: Path, words: Iterable[str], known: set[Pair], seed: int
) -> dict[str, str]:
    """Plant, check, and count: for each fault how many were found."""
    copy = folder / "planted"
    shutil.copytree(photos, copy)
    planted = plant(copy, np.random.default_rng(seed))
    found = check(copy, folder, cache, words)
    result = counted(planted, found, known, len(images(copy)))
    shutil.rmtree(copy)
    return result


def counted(planted: Planted, found: Found, known: set[Pair], count: int) -> dict[str, str]:
    """How many of each fault were found, and how many false pairs there are in 1,000 images."""
    ranked = found.files.get("label-error", [])
    lists = {
        "damaged": found.files.get("unreadable", []),
        "wrong extensions": found.files.get("wrong-extension", []),
        "wrong labels": ranked[: round(EXAMINED * count)],
    }
    together = families(found.pairs)
    result: dict[str, str] = {}
    near = []
    for fault, files in planted.files.items():
        if fault in lists:
            hits = [str(file) in {*lists[fault]} for file in files]
        else:
            hits = [together(str(file), str(planted.originals[file])) for file in files]
        if fault != "wrong labels" or ranked:
            result[fault] = _share(hits)
        near += hits if fault in NEAR else []
    true = families({(str(one), str(other)) for one, other in planted.originals.items()})
    false = [pair for pair in found.pairs if not true(*pair) and not _known(pair, planted, known)]
    return result | {
        "near copies": _share(near),
        "false pairs of 1,000": f"{1000 * len(false) / count:.2f} ({len(false)})",
    }


def _known(pair: tuple[str, str], planted: Planted, known: set[Pair]) -> bool:
    """Whether what a pair was made of is similar already in the photos as they were."""
    one, other = (str(planted.originals.get(Path(file), file)) for file in pair)
    return pair_of(one, other) in known


def families(pairs: Iterable[tuple[str, str]]) -> Callable[[str, str], bool]:
    """Say of two files whether a chain of pairs leads from one to the other."""
    parent: dict[str, str] = {}

    def first(file: str) -> str:
        while (above := parent.get(file, file)) != file:
            file = above
        return file

    for one, other in pairs:
        parent[first(one)] = first(other)
    return lambda one, other: first(one) == first(other)


def check(photos: Path, folder: Path, cache: Path, words: Iterable[str]) -> Found:
    """Run the check, and read the table that it leaves for a person."""
    findings = folder / "findings.csv"
    findings.unlink(missing_ok=True)
    command = [TELLAPART, "check", str(photos), "--findings", str(findings), *words]
    measured(command, allowed=(0, 1), TELLAPART_CACHE=str(cache))  # 1 says that it found problems
    files: dict[str, list[str]] = {}
    pairs = set()
    with findings.open(newline="", errors="surrogateescape") as stream:
        for row in csv.DictReader(stream):
            files.setdefault(row["finding"], []).append(row["path"])
            if row["finding"] in {"copies", "near-copies", "leak", "near-leak"} and row["other"]:
                pairs.add((min(row["path"], row["other"]), max(row["path"], row["other"])))
    return Found(files, frozenset(pairs))


def plant(photos: Path, rng: np.random.Generator) -> Planted:
    """Plant every fault into a copy of the photos: a folder of splits, of classes, of JPEG files."""
    planted = Planted()
    left = iter(rng.permutation(np.array(images(photos))).tolist())
    count = len(images(photos))
    for fault, number in (("exact copies", COPIES), *((kind, NEAR_EACH) for kind in NEAR)):
        copies = [_copied(next(left), fault, rng, planted) for _ in range(number)]
        planted.files[fault] = copies
    planted.files["damaged"] = [_damaged(next(left), number, rng) for number in range(DAMAGED)]
    planted.files["wrong extensions"] = [
        _moved(file, file.with_suffix((".png", ".webp", ".gif")[number % 3]))
        for number, file in zip(range(RENAMED), left, strict=False)
    ]
    planted.files["wrong labels"] = [
        _moved(file, _elsewhere(file.parent, rng) / f"moved {file.name}")
        for _, file in zip(range(round(WRONG * count)), left, strict=False)
    ]
    return planted


def images(photos: Path) -> list[Path]:
    """All the photos, in the order of their names."""
    return sorted(photos.glob("*/*/*.jpg"))


def _copied(file: Path, kind: str, rng: np.random.Generator, planted: Planted) -> Path:
    """Put a copy of a photo, exact or nearly, into another split."""
    class_folder = _elsewhere(file.parent.parent, rng) / file.parent.name
    copy = class_folder / f"{rng.integers(2**32):08x}.jpg"
    planted.originals[copy] = file
    if kind == "exact copies":
        shutil.copyfile(file, copy)
    else:
        with Image.open(file) as image:
            _changed(ImageOps.exif_transpose(image).convert("RGB"), kind, rng).save(
                copy, quality=60 if kind == "re-encoded" else 90
            )
    return copy


def _changed(image: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    width, height = image.size
    if kind == "resized":
        share = rng.uniform(0.4, 0.8)
        return image.resize((round(share * width), round(share * height)), Image.Resampling.LANCZOS)
    if kind == "flipped":
        return ImageOps.mirror(image)
    if kind == "cropped":
        across, down = round(0.03 * width), round(0.03 * height)
        return image.crop((across, down, width - across, height - down))
    return image


def _damaged(file: Path, number: int, rng: np.random.Generator) -> Path:
    """Damage a photo in one of four ways."""
    content = file.read_bytes()
    cut = int(rng.uniform(0.1, 0.9) * len(content))
    page = b"<!doctype html><title>404 Not Found</title>" + bytes(number)
    file.write_bytes((content[:cut], b"", page, bytes(len(content)))[number % 4])
    return file


def _moved(file: Path, goal: Path) -> Path:
    file.rename(goal)
    return goal


def _elsewhere(folder: Path, rng: np.random.Generator) -> Path:
    """Another folder beside this one: of another split, or of another class."""
    return Path(rng.choice(sorted(str(one) for one in folder.parent.iterdir() if one.is_dir() and one != folder)))


def _share(hits: list[bool]) -> str:
    return f"{sum(hits)} of {len(hits)}"


def pair_of(one: str, other: str) -> Pair:
    """Two files by their content: a photo may have another name by then."""
    return frozenset(hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in (one, other))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--features", default="xception", help="a backbone, or nothing ('') to check without one alone")
    parser.add_argument("--cache", type=Path, help="one that has the features already, so that they are not computed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
