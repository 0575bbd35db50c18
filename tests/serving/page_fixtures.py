"""A fake of the service behind the page, which can be busy, guarded, gone or unable to explain."""

import base64
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import tellapart.serving
from tellapart.data.decoding.decode import decode
from tellapart.errors import ImageError
from tellapart.serving.headers import SecurityHeadersMiddleware
from tellapart.style import TOKENS

PAGE = Path(tellapart.serving.__file__).parent / "page"
CLASSES = ("red", "<b>green</b>", "blue")  # a class name is text, whatever it looks like
PASSWORD = "-".join(["open", "sesame"])
REJECT_BELOW = 0.35  # no colour stands out then
MODEL: dict[str, Any] = {
    "name": "colours",
    "classes": CLASSES,
    "preprocessing": {"width": 32, "height": 24, "channels": 3, "fit": "crop"},
    "metrics": {"test": {"n": 372, "accuracy": {"value": 0.812, "low": 0.769, "high": 0.848}}},
    "max_body_bytes": 10_000_000,
    "max_pixels": 1_000_000,
}


@dataclass
class FakeService:
    """Predicts each channel's share of the mean colour, once its `refusals`, each (status, headers), are used up."""

    guarded: bool = False  # by PASSWORD
    explains: bool = True
    extra: dict[str, str] = field(default_factory=dict)  # further fields of an explanation
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)  # of all predict requests
    prefix: str = ""  # of the page's address, which a proxy in front strips
    address: str = ""

    def app(self) -> Starlette:
        """Build the routes that the page uses."""
        routes = [
            Route("/", self._page),
            Route("/v1/model", self._model),
            Route("/v1/predict", self._predict, methods=["POST"]),
            Route("/page/tokens.css", lambda _: FileResponse(TOKENS)),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
        app = Starlette(routes=routes)
        app.add_middleware(SecurityHeadersMiddleware)
        return Starlette(routes=[Mount(self.prefix, app)]) if self.prefix else app

    async def _page(self, _: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    async def _model(self, request: Request) -> Response:
        if not self._has_token(request):
            return _refusal(HTTPStatus.UNAUTHORIZED, {})
        return JSONResponse({**MODEL, "can_explain": self.explains, "needs_token": self.guarded})

    async def _predict(self, request: Request) -> Response:
        self.queries.append(request.url.query)
        if not self._has_token(request):
            return _refusal(HTTPStatus.UNAUTHORIZED, {})
        if self.refusals:
            return _refusal(*self.refusals.pop(0))
        async with request.form() as form:
            upload: Any = form["image"]
            content = await upload.read()
        try:
            answer = self._answer(content, upload.filename)
        except ImageError as error:
            return JSONResponse({"error": f"{error}; send another image"}, 415)
        if "explain=true" in request.url.query:
            answer["explanation"] = {"overlay": _overlay(), "method": "cam", **self.extra}
        return JSONResponse({"answers": [answer]})

    def _has_token(self, request: Request) -> bool:
        return not self.guarded or request.headers.get("authorization") == f"Bearer {PASSWORD}"

    def _answer(self, content: bytes, path: str) -> dict[str, Any]:
        mean = decode(content).astype(float).reshape(-1, 3).mean(axis=0) + 1e-6
        shares = zip(CLASSES, (mean / mean.sum()).tolist(), strict=True)
        top = [{"label": label, "probability": share} for label, share in sorted(shares, key=lambda share: -share[1])]
        return {"path": path, **top[0], "unknown": top[0]["probability"] < REJECT_BELOW, "top": top}


def _refusal(status: int, headers: dict[str, str]) -> Response:
    return JSONResponse({"error": f"refused with status {status}"}, status, headers)


def _overlay() -> str:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (253, 231, 37)).save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


@contextmanager
def serve_fake(service: FakeService) -> Iterator[FakeService]:
    """Serve on a free port, in a thread, and set the address."""
    config = uvicorn.Config(service.app(), port=0, lifespan="off", log_config=None, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the fake service did not start within 10 s"
            time.sleep(0.01)
        service.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}{service.prefix}"
        yield service
    finally:
        server.should_exit = True
        thread.join(timeout=10)
