"""Error responses: `{"error": "what was found, what was expected, what to do"}`."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from tellapart.errors import ImageError
from tellapart.serving.headers import SECURITY_HEADERS
from tellapart.serving.request_log import BUNDLE_HEADER, REQUEST_ID_HEADER, record_of

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]
DISCONNECTED = 499  # as nginx logs a caller who closed the connection before the answer
MAX_ECHOED = 80  # characters of a request that an error quotes; a hostile request does not get all of itself back


class RequestError(Exception):
    """A refused request: the HTTP status, and the sentence that explains it."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


def error_response(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Build the response for an error."""
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)


def exception_handlers(bundle: str) -> dict[int | type[Exception], Handler]:
    """Map each exception to its handler. The last one, for bugs in the service, names the bundle with this id."""

    async def handle_failure(request: Request, _: Exception) -> Response:
        sentence = "the service failed on this request; its log has the details: try again, or report it"
        names = {REQUEST_ID_HEADER: record_of(request.scope).id, BUNDLE_HEADER: bundle}
        return error_response(500, sentence, {**SECURITY_HEADERS, **names})  # outside the middleware that adds them

    return {
        RequestError: _handle_refusal,
        ImageError: _handle_unreadable,
        RequestValidationError: _handle_invalid,
        HTTPException: _handle_unroutable,
        ClientDisconnect: _handle_disconnect,
        Exception: handle_failure,
    }


async def _handle_refusal(_: Request, error: RequestError) -> Response:
    return error_response(error.status, str(error), error.headers)


async def _handle_unreadable(_: Request, error: ImageError) -> Response:
    return error_response(415, f"{error}; send another image, or save this one again as a JPEG or PNG")


async def _handle_invalid(_: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    value = str(first["input"])[:MAX_ECHOED]
    sentence = f"the parameter {first['loc'][-1]} is {value!r}: {first['msg']}; correct it or leave it out"
    return error_response(422, sentence)


async def _handle_unroutable(request: Request, error: HTTPException) -> Response:
    path, advice = request.url.path[:MAX_ECHOED], "POST an image to /v1/predict, or open / in a browser"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return error_response(405, f"{path} accepts {allowed}, not {request.method}: {advice}", error.headers)
    return error_response(error.status_code, f"there is nothing at {path}: {advice}")


async def _handle_disconnect(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=DISCONNECTED)  # nobody will read it; a response keeps the error output quiet
