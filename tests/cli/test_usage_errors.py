"""Suggestions by meaning and by letters; each is an option or a command that exists."""

from pathlib import Path

import pytest

from tellapart.cli.commands import COMMANDS
from tellapart.cli.usage_errors import NAMES, OPTIONS, unknown_option

from .conftest import Said
from .test_help import PARAMETERS

KNOWN = ["--learning-rate", "--root", "--size", "--inner", "--units", "--top"]


@pytest.mark.parametrize(
    ("word", "suggested"),
    [
        ("--lr", "did you mean --learning-rate?"),
        ("--lr=0.1", "did you mean --learning-rate?"),
        ("--imgsz", "did you mean --size?"),
        ("--hidden", "did you mean --inner or --units?"),
        ("--learnin-rate", "did you mean --learning-rate?"),
        ("--amp", "tellapart train --help lists them"),  # --mixed-precision is none of this command's
        ("--zzz", "tellapart train --help lists them"),
        ("--dataset", "what is read comes without one, after the command, as in tellapart train PHOTOS"),
    ],
)
def test_an_option_is_suggested_by_meaning_first(word: str, suggested: str) -> None:
    name = word.partition("=")[0]
    assert unknown_option(word, KNOWN, "tellapart train") == f"there is no option {name}: {suggested}"


def test_all_that_is_suggested_exists_and_what_it_stands_for_does_not() -> None:
    options = {name for names in PARAMETERS.values() for name in names}
    assert OPTIONS.keys() <= options
    assert NAMES.keys() <= COMMANDS.keys()
    assert not {word for words in NAMES.values() for word in words} & COMMANDS.keys()


def test_options_without_effect_on_the_model_are_refused_by_name(said: Said) -> None:
    answer = said("train", "digits", "--model", "knn", "--learning-rate", 0.1, "--epochs", 3)
    assert answer.error.startswith("--learning-rate and --epochs would have no effect on knn, only on networks")
    assert "--trees would have no effect on the model that the images decide" in said("train", "x", "--trees", 9).error


def test_a_range_in_a_space_is_shown_as_it_is_written(said: Said) -> None:
    error = said("search", "digits", "--model", "mlp", "--space", "units=256-512").error
    assert "a range is written units=256:512" in error


def test_two_limits_of_one_training_are_refused(said: Said) -> None:
    assert "--time and --budget are two limits" in said("train", "digits", "--time", "10m", "--budget", "quick").error
    assert "without a unit: give 10s, 10m or 10h" in said("train", "digits", "--time", 10).error


def test_options_of_another_kind_of_source_are_refused(said: Said, bundle: Path, images: list[Path]) -> None:
    assert "is one image: leave out --count and --image" in said("show", images[0], "--count", 3).error
    assert "--image shows one image and --count several" in said("show", "digits", "--count", 3, "--image", 1).error
    assert "--workers is for predictions that are written" in said("predict", bundle, images[0], "--workers", 2).error
