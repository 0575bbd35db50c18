"""The shapes of the JSON answers, with examples, as the service's OpenAPI description states them."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Share(BaseModel):
    """One class and its probability, in [0, 1]."""

    label: str
    probability: float


class Explanation(BaseModel):
    """Where the classifier looked: the photo under its map, a PNG as a data: address, and by which method."""

    overlay: str
    method: str


EXAMPLE: dict[str, Any] = {
    "path": "boots.jpg",
    "label": "shoes",
    "probability": 0.96,
    "unknown": False,
    "top": [{"label": "shoes", "probability": 0.96}, {"label": "hat", "probability": 0.02}],
}


class Answer(BaseModel):
    """One image's answer; `path` is the name of the uploaded file, `unknown` that the classifier does not know."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    path: str
    label: str
    probability: float
    unknown: bool = False
    top: list[Share]
    explanation: Explanation | None = None


class Unreadable(BaseModel):
    """Why one image of several has no answer."""

    path: str
    error: str


class Answers(BaseModel):
    """An answer for each image of the request, in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answers": [EXAMPLE]}]})

    answers: list[Answer | Unreadable]


class Status(BaseModel):
    """How the service is."""

    status: str


class Model(BaseModel):
    """What is known about the classifier, and what may be sent to it."""

    name: str
    classes: tuple[str, ...]
    preprocessing: dict[str, Any]
    metrics: dict[str, Any]
    reject: dict[str, Any] | None
    hashes: dict[str, str]
    max_body_bytes: int
    max_pixels: int
    can_explain: bool
    needs_token: bool


class Problem(BaseModel):
    """Why a request was refused: what was found, what was expected, what to do."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "the form has no files in the field 'image', one was expected"}]}
    )

    error: str
