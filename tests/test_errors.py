"""The exception tree, optional packages, and suggestions for mistyped names."""

import importlib
import inspect
import sys
from pathlib import Path

import pytest

from tellapart import errors
from tellapart.errors import MissingPackageError, TellapartError, did_you_mean, require


def kinds() -> list[type[Exception]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


def test_every_error_is_in_the_tree_and_drawn_in_its_docstring() -> None:
    drawn = errors.__doc__ or ""
    assert len(kinds()) == 10
    for kind in kinds():
        assert issubclass(kind, TellapartError)
        says = (inspect.getdoc(kind) or "").rstrip(".")
        assert kind is TellapartError or f"{kind.__name__:<21} {says[0].lower()}{says[1:]}" in drawn


def test_an_installed_module_is_imported() -> None:
    assert require("json.decoder", extra="train") is importlib.import_module("json.decoder")


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.inner"])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(module: str) -> None:
    with pytest.raises(MissingPackageError, match=rf"this needs {module}, .*pip install 'tellapart\[gpu\]'"):
        require(module, extra="gpu")


def test_a_package_that_breaks_on_something_else_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Telling the person to install what is installed would send them in circles.
    (tmp_path / "half_installed.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("half_installed", extra="train")


def test_a_module_that_is_barred_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match="sklearn"):
        require("sklearn", extra="train")


KNOWN = ("mnist", "fashion-mnist", "cifar10", "digits")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("mnits", "mnist"), ("MNIST", "mnist"), ("fashion_mnist", "fashion-mnist"), ("cifar-10", "cifar10")],
)
def test_a_typing_error_suggests_what_was_meant_first(typed: str, meant: str) -> None:
    assert did_you_mean(typed, KNOWN).startswith(f"did you mean {meant}")


def test_a_name_like_none_lists_them_all() -> None:
    assert did_you_mean("zzzz", iter(KNOWN)) == "known: cifar10, digits, fashion-mnist, mnist"
