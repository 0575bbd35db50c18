"""Settings out of range are refused with a message."""

from typing import Any

import pytest

from tellapart.errors import TellapartError
from tellapart.serving.settings import Settings


@pytest.mark.parametrize(
    "invalid",
    [
        {"queue": 0},
        {"deadline_s": 0.0},
        {"deadline_s": float("nan")},
        {"max_body_bytes": 0},
        {"max_pixels": -1},
        {"workers": 0},
    ],
)
def test_a_value_out_of_range_is_refused(invalid: dict[str, Any]) -> None:
    name = next(iter(invalid)).removesuffix("_s").removesuffix("_bytes").replace("_", "-")
    with pytest.raises(TellapartError, match=f"--{name} is .*, expected"):
        Settings(**invalid)
