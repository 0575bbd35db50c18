"""`tellapart import`, with a model from elsewhere."""

from pathlib import Path

import keras
import pytest

from .conftest import Said

layers = keras.layers


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    network = keras.Sequential([keras.Input((20, 20, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    network.save(tmp_path / "theirs.keras")
    (tmp_path / "names.txt").write_text("blue\ngreen\nred\n")
    return tmp_path


def test_a_model_is_adopted_and_predicts_and_is_judged(said: Said, theirs: Path, tiny: Path) -> None:
    words = (theirs / "theirs.keras", "--classes", theirs / "names.txt", "--preprocess", "unit")
    answer = said("import", *words, "--out", theirs / "bundle")
    assert (answer.status, answer.out) == (0, f"bundle: {theirs / 'bundle'}\n")
    assert "images of 20 x 20, colour; its last layer is softmax" in answer.err
    assert f"tellapart evaluate {theirs / 'bundle'}" in answer.err
    predicted = said("predict", theirs / "bundle", tiny / "blue" / "00.png")
    assert (predicted.status, predicted.out.count("%")) == (0, 3)
    judged = said("evaluate", theirs / "bundle", tiny)
    assert "n = 36" in judged.out
    again = said("import", *words, "--out", theirs / "bundle")
    assert "is there already and not empty" in again.error


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"model": "gone.keras"}, "gone.keras does not exist"),
        ({"model": "."}, "is a folder"),
        ({"model": "names.txt"}, "neither a .keras nor an .h5 file"),
        ({"--classes": "gone.txt"}, "No such file"),
        ({"--classes": "theirs.keras"}, "Write a name on each line"),
        ({"--preprocess": "xceptoin"}, "did you mean xception"),
        ({"--size": "40"}, "takes 20 x 20 pixels"),
    ],
)
def test_bad_luck_is_one_sentence(
    said: Said, theirs: Path, change: dict[str, str], phrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(theirs)
    words = {"--classes": "names.txt", "--preprocess": "unit", "--out": "bundle", **change}
    model = words.pop("model", "theirs.keras")
    answer = said("import", model, *(word for pair in words.items() for word in pair))
    assert phrase in answer.error
    assert not (theirs / "bundle").exists()


def test_a_model_that_holds_code_is_refused_without_loading_keras(said: Said, theirs: Path) -> None:
    layer = layers.Lambda(lambda x: x, name="sneaky")
    keras.Sequential([keras.Input((8, 8, 3)), layer, layers.Flatten(), layers.Dense(3)]).save(theirs / "evil.keras")
    words = ("--classes", theirs / "names.txt", "--preprocess", "unit", "--out", theirs / "bundle")
    assert "'sneaky' is made by 'Lambda'" in said("import", theirs / "evil.keras", *words).error
