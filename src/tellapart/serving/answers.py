"""The shapes of the JSON answers, as the service's OpenAPI description states them."""

from typing import Any

from pydantic import BaseModel


class Share(BaseModel):
    """One class and its probability, in [0, 1]."""

    label: str
    probability: float


class Answer(BaseModel):
    """One picture's answer; `path` is the name of the uploaded file."""

    path: str
    label: str
    probability: float
    top: list[Share]


class Health(BaseModel):
    """The service is alive."""

    status: str


class Model(BaseModel):
    """What is known about the classifier, and what may be sent to it."""

    name: str
    classes: tuple[str, ...]
    preprocessing: dict[str, Any]
    metrics: dict[str, Any]
    max_body_bytes: int


class Problem(BaseModel):
    """Why a request was refused: what was found, what was expected, what to do."""

    error: str


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "No picture in the form"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "Not a picture that can be decoded"},
    422: {"model": Problem, "description": "A parameter has another type"},
}

# Stated by hand, since the form is parsed by hand: FastAPI's own parsing would write uploads to the disk.
UPLOAD_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {"image": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
