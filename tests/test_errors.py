"""The exception tree, optional packages, and suggestions for mistyped names."""

import importlib
import inspect
import sys
from pathlib import Path

import pytest

from tellapart import errors
from tellapart.errors import MissingPackageError, TellapartError, did_you_mean, first_line, require


def exceptions() -> set[type[Exception]]:
    return {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)}


def test_every_exception_is_in_the_tree_and_drawn_in_the_docstring() -> None:
    drawn = errors.__doc__ or ""
    assert len(exceptions()) == 11
    for cls in exceptions():
        assert issubclass(cls, TellapartError)
        summary = (inspect.getdoc(cls) or "").rstrip(".")
        assert cls is TellapartError or f"{cls.__name__:<21} {summary[0].lower()}{summary[1:]}" in drawn


def test_the_former_name_of_image_error_is_an_alias() -> None:
    assert errors.PictureError is errors.ImageError


def test_an_installed_module_is_imported() -> None:
    assert require("json.decoder", extra="train") is importlib.import_module("json.decoder")


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.inner"])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(module: str) -> None:
    with pytest.raises(MissingPackageError, match=rf"this needs {module}, .*pip install 'tellapart\[gpu\]'"):
        require(module, extra="gpu")


def test_a_package_that_fails_on_another_import_reports_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To advise installing what is installed would not help.
    (tmp_path / "half_installed.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("half_installed", extra="train")


def test_a_blocked_module_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match="sklearn"):
        require("sklearn", extra="train")


KNOWN = ("mnist", "fashion-mnist", "cifar10", "digits")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("mnits", "mnist"), ("MNIST", "mnist"), ("fashion_mnist", "fashion-mnist"), ("cifar-10", "cifar10")],
)
def test_a_misspelled_name_suggests_the_intended_one_first(typed: str, meant: str) -> None:
    assert did_you_mean(typed, KNOWN).startswith(f"did you mean {meant}")


def test_a_name_close_to_none_lists_all() -> None:
    assert did_you_mean("zzzz", iter(KNOWN)) == "known: cifar10, digits, fashion-mnist, mnist"


def test_a_quoted_error_never_advises_unsafe_loading() -> None:
    advice = "You can override this error by calling `keras.config.enable_unsafe_deserialization()`."
    quoted = first_line(ValueError(f"A Lambda layer is refused. {advice} Pass `safe_mode=False`. It is what it is."))
    assert quoted == "A Lambda layer is refused. It is what it is"
    assert first_line(ValueError(advice)) == "ValueError"
