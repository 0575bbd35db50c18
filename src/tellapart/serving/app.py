"""The routes."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.requests import ClientDisconnect

from tellapart.serving.admission import RETRY
from tellapart.serving.backend import Answer, LocalBackend
from tellapart.serving.errors import RequestError, handlers
from tellapart.serving.headers import SecurityHeaders
from tellapart.serving.hosts import HostMiddleware
from tellapart.serving.interfaces import Answering
from tellapart.serving.metrics import CONTENT_TYPE, Counted
from tellapart.serving.openapi import DRAINING, GUARDS, IMAGES, ONE_IMAGE, PROBLEMS, require_token_in
from tellapart.serving.overlays import Overlays
from tellapart.serving.schemas import Answer as AnswerShape
from tellapart.serving.schemas import Answers, Model, Status
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings
from tellapart.serving.tokens import TokenMiddleware
from tellapart.serving.upload import ADVICE, uploaded
from tellapart.version import __version__

PAGE = Path(__file__).parent / "page"
Result = TypeVar("Result")
Top = Annotated[int, Query(description="How many classes to list, the likeliest first.", examples=[3])]
Explain = Annotated[bool, Query(description="Whether to draw where the classifier looked.")]


def build_app(predictor: Answering, settings: Settings | None = None, *, overlays: Overlays | None = None) -> FastAPI:
    """Build the API and the page of one predictor, which works in this process."""
    return app_of(service_here(predictor, settings, overlays=overlays))


def service_here(
    predictor: Answering, settings: Settings | None = None, *, overlays: Overlays | None = None
) -> Service:
    """Make the service of one predictor, which works in this process."""
    settings = settings or Settings()
    return Service(predictor.bundle, settings, LocalBackend(predictor, settings, overlays))


def app_of(service: Service) -> FastAPI:
    """Build the API and the page of a service, which stands in `app.state.service`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="tellapart",
        version=__version__,
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=handlers(),
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    _add_guards(app, service)
    _add_answers(app, service)
    _add_facts(app, service)
    _add_state(app, service)
    _add_page(app)
    if service.settings.token is not None:
        require_token_in(app.openapi())
    return app


def _add_guards(app: FastAPI, service: Service) -> None:
    """From the inside out: what is added last sees a request first."""
    if service.settings.token is not None:
        app.add_middleware(TokenMiddleware, token=service.settings.token)
    app.add_middleware(HostMiddleware, allowed=service.settings.hosts)
    app.add_middleware(Counted, metrics=service.metrics)
    app.add_middleware(SecurityHeaders)


def _add_answers(app: FastAPI, service: Service) -> None:
    async def told(request: Request, top: int, *, explain: bool = False, most: int | None = None) -> list[Answer]:
        service.admission.check()
        with service.admission.body() as count:
            with service.metrics.timed("body"):
                uploads = await uploaded(request, service.settings, count)
            if most is not None and len(uploads) > most:
                raise RequestError(400, f"the form has {len(uploads)} files, one was expected: {ADVICE}")
            wanted = min(max(top, 1), len(service.bundle.classes))
            return await _unless_gone(request, service.answers(uploads, top=wanted, explain=explain))

    @app.post("/v1/predict", response_model=Answers, responses=PROBLEMS, openapi_extra=IMAGES)
    async def predict(request: Request, top: Top = 3, explain: Explain = False) -> Response:
        """Classify the images in the form's field `image`, or the one whose bytes are the body.

        An image that cannot be read has an `error` in place of an answer; a request without any that can is refused.
        """
        return JSONResponse({"answers": await told(request, top, explain=explain)})

    @app.post("/predict", response_model=AnswerShape, responses=PROBLEMS, openapi_extra=ONE_IMAGE)
    async def predict_one(request: Request, top: Top = 3) -> Response:
        """Classify one image; the answer is what `tellapart predict --json` prints."""
        return JSONResponse((await told(request, top, most=1))[0])


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work while the caller waits for it. Raises ClientDisconnect."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # after the body there is nothing but the end to be received
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


def _add_facts(app: FastAPI, service: Service) -> None:
    bundle, settings = service.bundle, service.settings

    @app.get("/v1/model", responses=GUARDS)
    async def model() -> Model:
        """Tell what the classifier is."""
        reject = getattr(bundle, "reject", None)
        return Model(
            name=bundle.name,
            classes=bundle.classes,
            preprocessing=asdict(bundle.preprocessing),
            metrics=dict(bundle.metrics),
            reject=None if reject is None else asdict(reject),
            hashes=dict(bundle.hashes),
            max_body_bytes=settings.max_body_bytes,
            max_pixels=settings.max_pixels,
            can_explain=service.work.explains,
            needs_token=settings.token is not None,
        )


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/health", responses={421: GUARDS[421]})
    async def health() -> Status:
        """Say that the service is alive."""
        return Status(status="ok")

    @app.get("/ready", response_model=Status, responses=DRAINING)
    async def ready() -> Response:
        """Say whether to send requests: not once the service was asked to stop."""
        if service.admission.draining:
            return JSONResponse({"error": "the service is about to stop: ask another"}, 503, RETRY)
        return JSONResponse({"status": "ready"})

    @app.get("/metrics", response_class=Response, responses=GUARDS)
    async def metrics() -> Response:
        """Give what was counted, for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _add_page(app: FastAPI) -> None:
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))
