"""Files named wrongly, turned or animated, and images that are blank, small, enormous or long."""

from dataclasses import replace

import numpy as np
import pytest

from tellapart.checking.finding import Finding
from tellapart.checking.findings.odd_images import FORMATS_BY_EXTENSION, odd_format_findings, odd_image_findings
from tellapart.checking.image_facts import EMPTY_THUMBNAIL, ImageFacts
from tellapart.checking.locations import find_locations
from tellapart.data.dataset import Dataset, Split
from tellapart.data.decoding.formats import SUFFIXES
from tellapart.data.images import FileImages

PHOTO = ImageFacts("JPEG", 400, 300, turned=False, frames=1, spread=50.0, hash=0, mirrored=0, small=EMPTY_THUMBNAIL)


def found(*facts: ImageFacts, name: str = "{}.jpg", size: int | None = None) -> dict[str, Finding]:
    """What is found of images like these, called 0.jpg and so on."""
    numbers = range(len(facts))
    images = FileImages(tuple(map(name.format, numbers)), tuple(map(str, numbers)))
    whole = Dataset("set", ("cat", "dog"), {"all": Split(images, np.zeros(len(facts), np.int32))})
    seen = [(place, facts[int(digest)]) for digest, (place,) in find_locations(whole).items()]
    return {
        finding.kind: finding for finding in (*odd_format_findings(whole, seen), *odd_image_findings(whole, seen, size))
    }


def told(finding: Finding) -> list[tuple[str, str]]:
    return [(row.path, row.detail) for row in finding.rows]


def test_usual_photos() -> None:
    assert found(PHOTO, replace(PHOTO, width=300, height=400), size=299) == {}
    assert found() == {}


def test_each_ending_that_is_read_promises_a_format() -> None:
    assert set(FORMATS_BY_EXTENSION) >= set(SUFFIXES)


@pytest.mark.parametrize("name", ["{}.png", "{}.PNG"])
def test_wrong_extension(name: str) -> None:
    finding = found(PHOTO, replace(PHOTO, format="PNG"), name=name)["wrong-extension"]
    assert (finding.severity, told(finding)) == ("note", [(name.format(0), "JPEG, not PNG")])
    assert finding.sentence == "1 file has another format than the extension says: JPEG, not PNG (1)."


@pytest.mark.parametrize("name", ["{}", "{}.jpe", "{}.JFIF", "{}.photo"])
def test_endings_that_promise_jpeg_or_nothing(name: str) -> None:
    assert found(PHOTO, name=name) == {}


def test_turned_photos_are_a_note() -> None:
    finding = found(PHOTO, replace(PHOTO, turned=True))["exif-rotated"]
    assert (finding.severity, told(finding)) == ("note", [("1.jpg", "rotated upright when read")])


def test_of_an_animation_the_first_frame_counts() -> None:
    finding = found(replace(PHOTO, format="GIF", frames=12), name="{}.gif")["animated"]
    assert (finding.severity, told(finding)) == ("note", [("0.gif", "12 frames")])


def test_blank_images_the_blankest_first() -> None:
    finding = found(replace(PHOTO, spread=2.9), replace(PHOTO, spread=0.0), replace(PHOTO, spread=3.1))["blank"]
    assert (finding.severity, [row.path for row in finding.rows]) == ("warning", ["1.jpg", "0.jpg"])


def small(side: int) -> ImageFacts:
    return replace(PHOTO, width=side, height=2 * side)


def test_small_images_among_large_ones() -> None:
    finding = found(PHOTO, small(31), PHOTO, small(32), small(8), PHOTO, PHOTO)["odd-size"]
    assert (finding.severity, told(finding)) == ("warning", [("4.jpg", "8 x 16 pixels"), ("1.jpg", "31 x 62 pixels")])
    assert finding.sentence == "2 images are less than 32 pixels high or wide."


def test_where_all_are_small_that_is_how_the_data_set_is() -> None:
    assert found(small(28), small(28), small(20)) == {}


def test_small_beside_the_size_they_are_seen_at() -> None:
    finding = found(PHOTO, small(74), small(75), size=299)["odd-size"]
    assert told(finding) == [("1.jpg", "74 x 148 pixels")]
    assert finding.sentence == ("1 image is less than 75 pixels high or wide, a quarter of the input size 299.")


def test_enormous_images_are_a_note() -> None:
    huge = replace(PHOTO, width=8000, height=6000)
    finding = found(PHOTO, huge)["odd-size"]
    assert (finding.severity, told(finding)) == ("note", [("1.jpg", "8,000 x 6,000 pixels")])
    assert finding.sentence == "1 image has more than 24 million pixels."
    both = found(PHOTO, PHOTO, huge, small(20))["odd-size"]
    assert (both.severity, both.count) == ("warning", 2)


def test_sizes_in_arrays_are_known_to_their_owner() -> None:
    assert found(replace(PHOTO, format="", width=8, height=8), size=299) == {}


def test_long_images_the_longest_first() -> None:
    finding = found(replace(PHOTO, width=901), replace(PHOTO, width=900), replace(PHOTO, height=4000))["odd-shape"]
    assert (finding.severity, [row.path for row in finding.rows]) == ("warning", ["2.jpg", "0.jpg"])
    assert finding.sentence.endswith("the centre crop of the most elongated one is 10% of it.")
