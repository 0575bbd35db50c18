"""The names that people import, and what importing them costs."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tellapart

HEAVY = ("tensorflow", "keras", "sklearn", "scipy")
LIGHT = (
    "tellapart",
    "tellapart.bundles.predictor",
    "tellapart.serving.app",
    "tellapart.cli",
    "tellapart.data.sources.open_source",
)


def test_the_public_names_are_these() -> None:
    assert tellapart.__all__ == [
        "Bundle", "Dataset", "Evaluation", "Prediction", "Predictor", "Recipe", "Run", "TellapartError", "Unreadable",
        "__version__", "calibrate", "check", "compare", "cross_validate", "evaluate", "explain", "export", "features",
        "import_model", "judge", "lr_find", "report", "search", "sweep", "train",
    ]  # fmt: skip


@pytest.mark.parametrize("name", tellapart.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    thing = getattr(tellapart, name)
    if name != "__version__":
        assert thing.__name__ == name
        assert len(inspect.getdoc(thing) or "") > 20


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tellapart' has no attribute 'nonsense'"):
        tellapart.nonsense  # noqa: B018


@pytest.mark.parametrize(
    ("old", "new"), [("adopt", "import_model"), ("find_rate", "lr_find"), ("folds", "cross_validate")]
)
def test_an_old_name_still_works_and_names_the_new_one(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"{old} is now tellapart.{new}"):
        assert getattr(tellapart, old) is getattr(tellapart, new)


@pytest.mark.parametrize("module", LIGHT)
def test_importing_is_light(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
    assert run.stderr == ""


def test_using_every_public_name_imports_nothing_heavy() -> None:
    code = (
        f"import sys, tellapart\nfor name in tellapart.__all__: getattr(tellapart, name)\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def modules() -> list[str]:
    root = Path(tellapart.__file__).parent
    files = (path.relative_to(root.parent).with_suffix("") for path in root.rglob("*.py"))
    return [".".join(file.parts) for file in sorted(files) if file.name not in ("__init__", "__main__")]


@pytest.mark.parametrize("module", [name for name in modules() if ".data." in name or name.count(".") == 1])
def test_every_public_thing_of_the_lower_layers_is_documented(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__doc__
    for name, thing in vars(loaded).items():
        mine = (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == module
        if mine and not name.startswith("_"):
            assert inspect.getdoc(thing), f"{module}.{name}"
