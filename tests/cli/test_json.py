"""`--json` prints one object on standard output, with the fields that docs/json.md lists."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import pytest

from tellapart import Dataset, Recipe, train
from tellapart.cli.commands import COMMANDS
from tellapart.training.run import Run

from .conftest import Said

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
FAST = ("--model", "mlp", "--size", 20, "--batch-size", 8, "--epochs", 2, "--precision", "float32")
LINES = ("predict", "imagenet", "lessons")
"""Commands that print an object per line, and are tested where they are."""
NONE = ("show", "augment", "serve", "package")


def documented() -> Mapping[str, Mapping[str, bool]]:
    """For each command of the page its fields, and whether each is always there."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    rows = {
        section.split("\n", 1)[0].strip(): re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|$", section, re.MULTILINE)
        for section in sections
    }
    return {name: {field: not text.startswith("Only") for field, text in found} for name, found in rows.items()}


FIELDS = documented()


@pytest.fixture
def arguments(tiny: Path, trained: Run, tmp_path: Path) -> Mapping[str, Callable[[], tuple[object, ...]]]:
    """For each command the words of a small example."""
    bundle = trained.bundle.folder
    image = tiny / "red" / "00.png"

    def import_words() -> tuple[object, ...]:
        layers = keras.layers
        network = keras.Sequential([keras.Input((20, 20, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
        network.save(tmp_path / "theirs.keras")
        (tmp_path / "names.txt").write_text("blue\ngreen\nred\n")
        names = ("--classes", tmp_path / "names.txt", "--preprocess", "unit")
        return (tmp_path / "theirs.keras", *names, "--out", tmp_path / "imported")

    def compare_words() -> tuple[object, ...]:
        recipe = Recipe(model="mlp", size=20, epochs=2, batch_size=8, seed=1, precision="float32")
        return (trained.folder, train(Dataset.open(tiny), recipe, out=tmp_path / "other").folder)

    def report_words() -> tuple[object, ...]:
        recipe = Recipe(model="mlp", size=20, epochs=1, batch_size=8, precision="float32")
        return (train(Dataset.open(tiny), recipe, out=tmp_path / "reported").folder,)

    out = ("--out", tmp_path / "out")
    return {
        "check": lambda: (tiny, "--findings", tmp_path / "findings.csv"),
        "split": lambda: (tiny, "--fractions", "0.6,0.2,0.2", "--save", tmp_path / "split.csv"),
        "train": lambda: (tiny, *FAST, *out),
        "sweep": lambda: (tiny, *FAST, "--vary", "units=4,8", *out),
        "search": lambda: (tiny, *FAST[:-4], "--space", "units=4,8", "--max-epochs", 3, *out),
        "lr-find": lambda: (tiny, *FAST[:6], "--steps", 40),
        "cross-validate": lambda: (tiny, "--model", "knn", "--features", "pixels", "--size", 20, "--folds", 3, *out),
        "features": lambda: (tiny, "--model", "mobilenet"),
        "import": import_words,
        "evaluate": lambda: (bundle, tiny),
        "compare": compare_words,
        "report": report_words,
        "explain": lambda: (bundle, image, "gone.png"),
        "calibrate": lambda: (bundle, tiny, "--reject-for", "coverage=0.8", *out),
        "export": lambda: (bundle, "--to", "openvino", "--check", tiny, *out),
        "lesson": lambda: ("image-as-array", "--small", "--save", tmp_path / "page.html"),
        "summary": lambda: ("mlp", "--size", 20),
        "cache": lambda: (),
        "doctor": lambda: (),
    }


COMMAND_NAMES = [name for name in COMMANDS if name not in (*LINES, *NONE)]


@pytest.mark.usefixtures("mean_mobilenet")
@pytest.mark.parametrize("command", COMMAND_NAMES)
def test_one_object_with_the_documented_fields_is_printed(
    command: str, arguments: Mapping[str, Callable[[], tuple[object, ...]]], said: Said
) -> None:
    answer = said(command, *arguments[command](), "--json")
    assert answer.status in (0, 1), answer.err
    result: dict[str, Any] = json.loads(answer.out)
    fields = FIELDS[command]
    assert result.keys() <= fields.keys(), "a field is not documented"
    assert {name for name, always in fields.items() if always} <= result.keys(), "a documented field is missing"


def test_every_command_is_documented() -> None:
    assert set(FIELDS) == {*COMMAND_NAMES, *LINES, "summary without a model", "lesson --all"}


def test_a_list_of_the_models_is_one_object_too(said: Said) -> None:
    assert json.loads(said("summary", "--json").out).keys() == FIELDS["summary without a model"].keys()


def test_the_schema_of_recipes_is_one_object(said: Said) -> None:
    schema = json.loads(said("summary", "--recipe-schema").out)
    assert "learning_rate" in schema["properties"]


def test_the_book_is_one_object(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.cli import lesson
    from tellapart.lessons.lesson import lesson_named

    monkeypatch.setattr(lesson, "all_lessons", lambda: (lesson_named("image-as-array"),))
    book = json.loads(said("lesson", "--all", "--small", "--save", tmp_path / "book", "--json").out)
    assert book.keys() == FIELDS["lesson --all"].keys()
    assert book["lessons"][0].keys() < FIELDS["lesson"].keys()


def test_a_failure_is_a_sentence_on_standard_error_as_without_json(said: Said) -> None:
    assert "there is no folder nowhere" in said("train", "nowhere", "--json").error
