"""Reading what is done at random to training images."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.augmentation.augmentation import ELSEWHERE, FLIPS, KINDS, MAX_STRENGTH, Augmentation
from tellapart.errors import RecipeError

NUMBERS = [name for name in KINDS if name not in ("flip", "randaugment")]


@st.composite
def augmentations(draw: st.DrawFn) -> Augmentation:
    """Any that can be asked for."""
    asked: dict[str, Any] = {"flip": draw(st.sampled_from(["", *FLIPS]))}
    for name in draw(st.sets(st.sampled_from(NUMBERS))):
        asked[name] = draw(st.floats(max(KINDS[name].low, 1e-6), KINDS[name].high))
    if draw(st.booleans()):
        asked |= {"randaugment": draw(st.integers(1, 10)), "strength": draw(st.integers(1, MAX_STRENGTH))}
    return Augmentation(**asked)


@given(augmentations())
def test_what_is_written_is_read_back_to_the_same(augmentation: Augmentation) -> None:
    assert Augmentation.parse(str(augmentation)) == augmentation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Augmentation()),
        ("  ", Augmentation()),
        ("flip", Augmentation(flip="horizontal")),
        ("flip=vertical", Augmentation(flip="vertical")),
        (
            " rotate = 30 ,flip=both,shift=.1,shear=10,zoom=1e-1",
            Augmentation(flip="both", rotate=30, shift=0.1, shear=10, zoom=0.1),
        ),
        (
            "brightness=0.2,contrast=0.3,erase=0.2,crop=0.8",
            Augmentation(brightness=0.2, contrast=0.3, erase=0.2, crop=0.8),
        ),
        ("randaugment=2", Augmentation(randaugment=2)),
        ("randaugment=3:30,mixup=0.2,cutmix=1.0", Augmentation(randaugment=3, strength=30, mixup=0.2, cutmix=1)),
    ],
)
def test_the_line_of_a_recipe_is_read(text: str, expected: Augmentation) -> None:
    assert Augmentation.parse(text) == expected


@pytest.mark.parametrize("written", sorted({*ELSEWHERE.values()}))
def test_what_is_named_for_other_libraries_words_is_understood(written: str) -> None:
    assert str(Augmentation.parse(written)) == written


def test_one_augmentation_is_written_in_one_way() -> None:
    line = "zoom=0.10,randaugment=2:9,flip=horizontal,rotate=30.0,cutmix=1,shift=0.1"
    assert str(Augmentation.parse(line)) == "flip,rotate=30,shift=0.1,zoom=0.1,randaugment=2,cutmix=1"
    assert str(Augmentation()) == ""


def test_each_example_of_the_table_is_read() -> None:
    for name, kind in KINDS.items():
        assert str(Augmentation.parse(kind.example)).startswith(name)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("rotation=30", "no augmentation 'rotation': write rotate=30"),
        ("vflip", "no augmentation 'vflip': write flip=vertical"),
        ("Horizontal-Flip", "write flip"),
        ("rotat=30", "did you mean rotate"),
        ("shift=10px", "shift is '10px', which is not a number; expected more than 0 to 0.5, a share of the side"),
        ("flip,,rotate=30", "no augmentation ''"),
        ("flip=diagonal", "flip is 'diagonal': did you mean horizontal"),
        ("flip=", "flip= has no value; expected horizontal, vertical or both"),
        ("rotate", "rotate has no value; expected more than 0 to 180, degrees, such as rotate=30"),
        ("rotate=", "rotate has no value"),
        ("rotate=much", "rotate is 'much', which is not a number; expected more than 0 to 180"),
        ("rotate=nan", "rotate is 'nan', which is not a number"),
        ("zoom=inf", "zoom is 'inf', which is not a number"),
        ("rotate=300", "rotate is 300; expected more than 0 to 180"),
        ("shift=-0.1", "shift is -0.1; expected more than 0 to 0.5, a share of the side"),
        ("rotate=0", "rotate is 0, which does nothing: leave it out"),
        ("crop=1", "crop is 1, which does nothing: leave it out, or give 0.1 to 1"),
        ("crop=0", "crop is 0; expected 0.1 to 1"),
        ("rotate=3,flip,rotate=3", "names rotate twice"),
        ("randaugment=0", "randaugment is '0'; expected 1 to 10"),
        ("randaugment=2.5", "randaugment is '2.5'"),
        ("randaugment=11", "randaugment is 11; expected 1 to 10"),
        ("randaugment=2:", "randaugment is ''"),
        ("randaugment=2:31", "randaugment's strength is 31; expected a whole number, 1 to 30"),
        ("mixup=11", "mixup is 11; expected 0.01 to 10, alpha"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_was_expected(text: str, phrase: str) -> None:
    with pytest.raises(RecipeError) as refused:
        Augmentation.parse(text)
    assert phrase in str(refused.value)


@given(st.text(alphabet="fliprotate=0.1,:- xé²", max_size=30))
def test_any_other_text_is_read_or_refused(text: str) -> None:
    with suppress(RecipeError):
        assert Augmentation.parse(str(Augmentation.parse(text))) == Augmentation.parse(text)


@pytest.mark.parametrize(
    ("text", "distorts", "mixes"),
    [("", False, False), ("flip", True, False), ("mixup=1", False, True), ("crop=0.8,cutmix=1", True, True)],
)
def test_it_says_whether_it_changes_images_and_whether_it_mixes_them(text: str, distorts: bool, mixes: bool) -> None:
    augmentation = Augmentation.parse(text)
    assert (augmentation.distorts, augmentation.mixes) == (distorts, mixes)
    assert not augmentation.per_image.mixes
    assert augmentation.per_image.distorts is distorts
