"""The table of models."""

import subprocess
import sys

import pytest

from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS, lookup


def test_a_misspelt_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"there is no model 'xceptoin': did you mean xception"):
        lookup("xceptoin")


def test_an_unknown_name_is_refused_with_all_names() -> None:
    with pytest.raises(RecipeError) as refusal:
        lookup("zzz")
    assert all(name in str(refusal.value) for name in MODELS)


def test_reading_the_catalogue_loads_neither_keras_nor_tensorflow() -> None:
    code = "import sys, tellapart.models.catalogue; assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
