"""Small data sets in folders, for several tests."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from PIL import Image

from tellapart.data.sources.open_source import open_source

numbers = count()


def put(*paths: Path) -> None:
    """Put a small image, unlike every other, at each path."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 3), (next(numbers) % 256, next(numbers) // 256 % 256, 7)).save(path, "PNG")


def classes(root: Path, names: Iterable[str] = ("cat", "dog"), *, each: int = 2) -> Path:
    for name in names:
        put(*(root / name / f"{number}.png" for number in range(each)))
    return root


def names_of(source: Path, split: str = "all") -> list[str]:
    images = open_source(str(source)).splits[split].images
    return [str(Path(images.name(i)).relative_to(source)) for i in range(len(images))]
