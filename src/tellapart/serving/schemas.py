"""OpenAPI schemas: the JSON responses with examples, the errors, the uploads and the token."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from tellapart.serving.access import PUBLIC_PATHS
from tellapart.serving.request_log import BUNDLE_HEADER, REQUEST_ID_HEADER


class ClassProbability(BaseModel):
    """A class and its probability, in [0, 1]; on request its logit, the softmax of which is the probability."""

    label: str
    probability: float
    logit: float | None = None


class Explanation(BaseModel):
    """A saliency map over the photo, a PNG as a data: URL, and the method that computed it."""

    overlay: str
    method: str


BUNDLE_ID = "3f9c01d27ab4"
EXAMPLE: dict[str, Any] = {
    "path": "boots.jpg",
    "label": "shoes",
    "probability": 0.96,
    "unknown": False,
    "top": [{"label": "shoes", "probability": 0.96}, {"label": "hat", "probability": 0.02}],
}


class Answer(BaseModel):
    """The prediction for one image. `path` is the uploaded file's name; `unknown` is true if the image is rejected."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    path: str
    label: str
    probability: float
    unknown: bool = False
    top: list[ClassProbability]
    explanation: Explanation | None = None


class OneAnswer(Answer):
    """The prediction for the one image of a request, and the id of the bundle that made it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**EXAMPLE, "bundle": BUNDLE_ID}]})

    bundle: str


class Unreadable(BaseModel):
    """The reason why one of several images has no prediction."""

    path: str
    error: str


class Answers(BaseModel):
    """A prediction or an error for each image of the request, in order, and the id of the bundle that made them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answers": [EXAMPLE], "bundle": BUNDLE_ID}]})

    answers: list[Answer | Unreadable]
    bundle: str


class Status(BaseModel):
    """The state of the service."""

    status: str


class Model(BaseModel):
    """Description of the classifier, and the limits of the service. `bundle` is its id, as on every response."""

    name: str
    bundle: str
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
    """An error: what was found, what was expected, what to do."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "the form has no files in the field 'image', expected at least one"}]}
    )

    error: str


RETRY_AFTER = {"headers": {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}}
ACCESS_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The request is malformed"},
    401: {"model": Problem, "description": "The token is missing or wrong"},
    421: {"model": Problem, "description": "The host is not allowed"},
}
PREDICT_ERRORS: dict[int | str, dict[str, Any]] = {
    **ACCESS_ERRORS,
    400: {"model": Problem, "description": "No image in the request"},
    408: {"model": Problem, "description": "The body arrived too slowly"},
    413: {"model": Problem, "description": "The body is too large or has too many images"},
    415: {"model": Problem, "description": "No image that can be decoded, or an unsupported content type"},
    422: {"model": Problem, "description": "A parameter has the wrong type, or is out of range"},
    503: {"model": Problem, "description": "The service is busy: retry later", **RETRY_AFTER},
}
READY_ERRORS: dict[int | str, dict[str, Any]] = {
    **ACCESS_ERRORS,
    503: {"model": Problem, "description": "Shutting down: use another instance", **RETRY_AFTER},
}

TEXT = {"type": "string"}
NAMES = {
    REQUEST_ID_HEADER: {
        "description": "The request's id, as in the log: the caller's own or a new one",
        "schema": TEXT,
    },
    BUNDLE_HEADER: {"description": "The id of the bundle", "schema": TEXT},
}
BINARY = {"type": "string", "format": "binary"}


def _upload(images: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "required": ["image"], "properties": {"image": images}}
    file = {"schema": BINARY}
    encoded = {"type": "string", "description": "The image as base64, or as a data: URL"}
    in_json = {"type": "array", "items": encoded} if images.get("type") == "array" else encoded
    json_body = {"schema": {"type": "object", "required": ["image"], "properties": {"image": in_json}}}
    content = {
        "multipart/form-data": {"schema": form},
        "application/json": json_body,
        "application/octet-stream": file,
        "image/jpeg": file,
    }
    return {"requestBody": {"required": True, "content": content}}


# Written by hand because bodies are parsed by hand: FastAPI's own parser would write uploads to the disk.
ONE_IMAGE_BODY = _upload(BINARY)
IMAGES_BODY = _upload({"type": "array", "minItems": 1, "items": BINARY})


def declare_names(description: dict[str, Any]) -> None:
    """Add the headers that name request and bundle to every response of an OpenAPI description."""
    for operations in description["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                response["headers"] = {**response.get("headers", {}), **NAMES}


def declare_token(description: dict[str, Any]) -> None:
    """Add the token to an OpenAPI description, for all routes except the public ones."""
    description["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in description["paths"].items():
        for operation in operations.values():
            operation["security"] = [] if path in PUBLIC_PATHS else [{"token": []}]
