"""Functions that are called by name exist under that name."""

import pytest

from tellapart.late_binding import TARGETS, late_bound


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_is_a_function_of_its_module(name: str) -> None:
    function = late_bound(name)
    assert (function.__name__, function.__module__) == (name, TARGETS[name])


def test_other_names_are_refused() -> None:
    with pytest.raises(KeyError, match="system"):
        late_bound("system")
