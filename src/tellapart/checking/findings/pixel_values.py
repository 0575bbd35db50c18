"""Find images whose stored values do not become visible by themselves: unused bits, and white on a clear background."""

from tellapart.checking.finding import Finding, Row
from tellapart.checking.image_facts import ImageFacts, measure_facts
from tellapart.checking.locations import Examined, Location, Locations, row_at
from tellapart.data.dataset import Dataset
from tellapart.data.decoding.conversion import Conversion
from tellapart.data.levels import Levels
from tellapart.errors import ImageError
from tellapart.text import counted

FAINT = 10.0  # grey levels of 255, as a standard deviation on white; a photo has 40 to 80
CLEARER = 3.0  # times the standard deviation on white that an image has on black, where only its alpha has its shape


def unused_bits_findings(dataset: Dataset, locations: Locations, levels: Levels | None) -> list[Finding]:
    """Find images of 16 bits whose high byte alone would be nearly black, or of nearly one brightness."""
    if levels is None or levels.range is None:
        return []
    low, high = levels.range
    rows = tuple(
        row_at(dataset, location, detail=f"{low:,} to {high:,} of 65,535")
        for digest in dict.fromkeys(levels.digests)
        for location in locations.get(digest, ())
    )
    return [
        Finding(
            "unused-bits",
            "note",
            len(rows),
            f"{levels.sentence}: by their high byte they would be {_darkness(low >> 8, high >> 8)}, {low >> 8} to "
            f"{high >> 8} of 255.",
            f"Training takes {low:,} as black and {high:,} as white, and the bundle keeps that; --range {low}:{high} "
            f"says it by hand.",
            rows,
        )
    ]


def clear_background_findings(dataset: Dataset, examined: Examined) -> list[Finding]:
    """Find images that vanish on white, on which clear pixels are laid, but not on black."""
    faint = [item for item in examined if item[1].spread < FAINT and item[1].format]
    rows = tuple(row for location, facts in faint if (row := _row_if_clear(dataset, location, facts)))
    if not rows:
        return []
    return [
        Finding(
            "clear-background",
            "warning",
            len(rows),
            f"{counted(len(rows), 'image has its', 'images have their')} shape in the transparency alone: laid on "
            f"white, as usual, next to nothing of it is left.",
            "Train with --alpha black, or checker where other images are dark.",
            rows,
        )
    ]


def _row_if_clear(dataset: Dataset, location: Location, facts: ImageFacts) -> Row | None:
    images = dataset.splits[location.split].images
    try:
        black = measure_facts(images.read(location.number, Conversion(alpha="black"))).spread
    except ImageError:  # removed since it was examined
        return None
    if black < FAINT or black < CLEARER * facts.spread:
        return None
    return row_at(dataset, location, detail=f"spread {facts.spread:.1f} on white, {black:.1f} on black")


def _darkness(low: int, high: int) -> str:
    return "nearly black" if high < 64 else "of nearly one brightness" if high - low < 64 else "dark"
