"""Settings that make no sense are refused with a sentence."""

from typing import Any

import pytest

from tellapart.errors import TellapartError
from tellapart.serving.settings import Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue": 0},
        {"deadline_s": 0.0},
        {"deadline_s": float("nan")},
        {"max_body_bytes": 0},
        {"max_pixels": -1},
        {"workers": 0},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    name = next(iter(wrong)).removesuffix("_s").removesuffix("_bytes").replace("_", "-")
    with pytest.raises(TellapartError, match=f"--{name} is .*, expected"):
        Settings(**wrong)
