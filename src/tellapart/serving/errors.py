"""Every error as JSON: `{"error": "what was found, what was expected, what to do"}`."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from tellapart.errors import ImageError
from tellapart.serving.headers import SECURITY_HEADERS

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]
SHOWN = 80  # characters of what was found; a hostile request does not get all of itself back


class RequestError(Exception):
    """A request that is refused, with the HTTP status and the sentence that say why."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


def handlers() -> dict[int | type[Exception], Handler]:
    """Who answers which error. The last one is for our own mistakes."""
    return {
        RequestError: _refused,
        ImageError: _undecodable,
        RequestValidationError: _invalid,
        HTTPException: _unroutable,
        ClientDisconnect: _gone,
        Exception: _failed,
    }


def _problem(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)


async def _refused(_: Request, error: RequestError) -> Response:
    return _problem(error.status, str(error), error.headers)


async def _undecodable(_: Request, error: ImageError) -> Response:
    return _problem(415, f"{error}; send another image, or save this one anew as a JPEG or PNG")


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    found = str(first["input"])[:SHOWN]
    sentence = f"the parameter {first['loc'][-1]} is {found!r}: {first['msg']}; correct it or leave it out"
    return _problem(422, sentence)


async def _unroutable(request: Request, error: HTTPException) -> Response:
    path, help_ = request.url.path[:SHOWN], "POST an image to /v1/predict, or open / in a browser"
    if error.status_code == 405:
        takes = (error.headers or {}).get("Allow", "another method")
        return _problem(405, f"{path} takes {takes}, not {request.method}: {help_}", error.headers)
    return _problem(error.status_code, f"there is nothing at {path}: {help_}")


async def _gone(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=400)  # nobody is there to read it; an answer keeps the log quiet


async def _failed(_: Request, __: Exception) -> Response:
    sentence = "the service failed on this request and wrote why into its log: try again, or report it"
    return _problem(500, sentence, SECURITY_HEADERS)  # answered outside the middleware that adds them
