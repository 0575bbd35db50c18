"""A stored forest is opened only when it is made of what a forest is made of, and hangs together."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tellapart.errors import BundleError, require
from tellapart.models.classical.estimators import FOREST, Forest, read_estimator, read_forest
from tellapart.models.classical.fit import estimator_probabilities, random_forest

skops = require("skops.io", extra="train")
VECTORS = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
LABELS = (VECTORS[:, 0] > 0).astype(np.int32)


@pytest.fixture
def forest() -> Forest:
    return random_forest(VECTORS, LABELS, 3, trees=5, seed=0)


def stored(estimator: object, folder: Path) -> Path:
    skops.dump(estimator, folder / FOREST)
    return folder / FOREST


def test_a_stored_forest_predicts_the_same(forest: Forest, tmp_path: Path) -> None:
    forest.write(tmp_path)
    again = read_estimator(tmp_path, [FOREST], 3)
    assert again is not None
    assert (again.width, again.classes) == (4, 3)
    before, after = (estimator_probabilities(one, VECTORS) for one in (forest, again))
    np.testing.assert_array_equal(before, after)


def test_files_without_an_estimator_have_none(tmp_path: Path) -> None:
    assert read_estimator(tmp_path, ["model.xml"], 3) is None


class Harmful:
    """Leaves a trace when it is made again."""

    def __setstate__(self, state: object) -> None:
        Path(os.environ["TRACE"]).touch()


def outliers(forest: Forest) -> dict[str, tuple[Any, str]]:
    forest.model.estimator_params = Harmful()
    return {
        "class": (forest.model, "Harmful"),
        "estimator": (LogisticRegression().fit(VECTORS, LABELS), "LogisticRegression"),
        "function": (Pipeline([("call", FunctionTransformer(os.system))]), "system"),
        "ufunc": (FunctionTransformer(np.exp), "FunctionTransformer"),
        "object array": (np.array([{1: object()}, "x"], dtype=object), "object"),
    }


@pytest.mark.parametrize("kind", ["class", "estimator", "function", "ufunc", "object array"])
def test_an_untrusted_type_is_refused_by_name_and_not_built(
    kind: str, forest: Forest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    monkeypatch.setattr(skops, "load", None)
    outlier, name = outliers(forest)[kind]
    path = stored(outlier, tmp_path)
    with pytest.raises(BundleError, match=f"{name}.*which is not part of a forest.*it was not opened"):
        read_forest(path, 3)
    assert not (tmp_path / "trace").exists()


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the description inside a skops file."""
    content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "schema.json":
                schema = json.loads(data)
                change(schema)
                data = json.dumps(schema).encode()
            new.writestr(name, data)


@pytest.mark.parametrize(
    ("loader", "module", "kind"),
    [
        ("MethodNode", "sklearn.ensemble._forest", "RandomForestClassifier"),
        ("ObjectNode", "builtins", "str"),
        ("ObjectNode", "sklearn.tree._tree", "Tree"),
        ("FunctionNode", "os", "system"),
        ("OperatorFuncNode", "operator", "methodcaller"),
        ("NoSuchNode", "builtins", "dict"),
    ],
)
def test_a_known_type_with_another_loader_is_refused(
    loader: str, module: str, kind: str, forest: Forest, tmp_path: Path
) -> None:
    forest.write(tmp_path)
    hidden = {"__loader__": loader, "__module__": module, "__class__": kind, "content": {}}
    edited(tmp_path / FOREST, lambda schema: schema["content"].update(more=[{"deep": hidden}]))
    with pytest.raises(BundleError, match=f"contains {module}.{kind}"):
        read_forest(tmp_path / FOREST, 3)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(100)])
def test_an_invalid_skops_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FOREST).write_bytes(content)
    with pytest.raises(BundleError, match="is not a skops file"):
        read_forest(tmp_path / FOREST, 3)


def test_a_description_without_its_arrays_is_refused(forest: Forest, tmp_path: Path) -> None:
    forest.write(tmp_path)
    with zipfile.ZipFile(tmp_path / FOREST) as old:
        schema = old.read("schema.json")
    with zipfile.ZipFile(tmp_path / FOREST, "w") as new:
        new.writestr("schema.json", schema)
    with pytest.raises(BundleError, match="cannot be opened by the installed scikit-learn"):
        read_forest(tmp_path / FOREST, 3)


@pytest.mark.parametrize("change", ["loops", "leaves", "feature"])
def test_trees_that_lead_nowhere_are_refused(change: str, forest: Forest, tmp_path: Path) -> None:
    state = forest.model.estimators_[1].tree_.__getstate__()
    field, value = {"loops": ("left_child", 0), "leaves": ("right_child", 9999), "feature": ("feature", 4)}[change]
    state["nodes"] = state["nodes"].copy()
    state["nodes"][field][0] = value
    forest.model.estimators_[1].tree_.__setstate__(state)
    forest.write(tmp_path)
    with pytest.raises(BundleError, match="is not a forest for 3 classes"):
        read_forest(tmp_path / FOREST, 3)


def test_a_forest_of_more_classes_is_refused(tmp_path: Path) -> None:
    path = stored(RandomForestClassifier(2).fit(VECTORS, np.arange(50) % 4), tmp_path)
    with pytest.raises(BundleError, match="is not a forest for 3 classes"):
        read_forest(path, 3)
