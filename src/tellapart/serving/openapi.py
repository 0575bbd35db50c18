"""What the OpenAPI description says beyond the answers' shapes: refusals, uploads, the token."""

from typing import Any

from tellapart.serving.schemas import Problem
from tellapart.serving.tokens import OPEN

LATER = {"headers": {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}}
GUARDS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The request cannot be understood"},
    401: {"model": Problem, "description": "The token is missing or wrong"},
    421: {"model": Problem, "description": "The service is not called so"},
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    **GUARDS,
    400: {"model": Problem, "description": "No image in the request"},
    408: {"model": Problem, "description": "The body came too slowly"},
    413: {"model": Problem, "description": "The body is too large, or has too many images"},
    415: {"model": Problem, "description": "Not an image that can be decoded, or another content type"},
    422: {"model": Problem, "description": "A parameter has another type"},
    503: {"model": Problem, "description": "Too much to do: send it again later", **LATER},
}
DRAINING: dict[int | str, dict[str, Any]] = {
    **GUARDS,
    503: {"model": Problem, "description": "About to stop: ask another", **LATER},
}

BINARY = {"schema": {"type": "string", "format": "binary"}}


def _upload(images: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "required": ["image"], "properties": {"image": images}}
    content = {"multipart/form-data": {"schema": form}, "application/octet-stream": BINARY, "image/jpeg": BINARY}
    return {"requestBody": {"required": True, "content": content}}


# Stated by hand, since bodies are parsed by hand: FastAPI's own parsing would write uploads to the disk.
ONE_IMAGE = _upload({"type": "string", "format": "binary"})
IMAGES = _upload({"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}})


def require_token_in(description: dict[str, Any]) -> None:
    """State in a service's description that its routes need the token, apart from those open to all."""
    description["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in description["paths"].items():
        for operation in operations.values():
            operation["security"] = [] if path in OPEN else [{"token": []}]
