"""The FastAPI application: its routes and middleware."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from tellapart.serving.access import HostMiddleware, TokenMiddleware
from tellapart.serving.admission import RETRY_HEADERS
from tellapart.serving.backend import Answer, LocalBackend
from tellapart.serving.errors import RequestError, error_response, exception_handlers
from tellapart.serving.headers import SecurityHeadersMiddleware
from tellapart.serving.interfaces import PredictorLike
from tellapart.serving.metrics import CONTENT_TYPE, MetricsMiddleware
from tellapart.serving.overlays import OverlayRenderer
from tellapart.serving.request_log import BUNDLE_HEADER, REQUEST_ID_HEADER, RequestLogMiddleware, record_of
from tellapart.serving.schemas import (
    ACCESS_ERRORS,
    IMAGES_BODY,
    ONE_IMAGE_BODY,
    PREDICT_ERRORS,
    READY_ERRORS,
    Answers,
    Model,
    OneAnswer,
    Status,
    declare_names,
    declare_token,
)
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings
from tellapart.serving.upload import UPLOAD_ADVICE, read_uploads
from tellapart.style import TOKENS
from tellapart.version import __version__

PAGE = Path(__file__).parent / "page"
Result = TypeVar("Result")
Top = Annotated[int, Query(ge=1, description="Number of classes to return, most likely first.", examples=[3])]
LOGITS = "Whether to add each class's logit: ln p minus the mean of ln p over all classes. Their softmax is p."
Logits = Annotated[bool, Query(description=LOGITS)]
Explain = Annotated[bool, Query(description="Whether to add a saliency map over the image.")]


def build_app(
    predictor: PredictorLike, settings: Settings | None = None, *, overlays: OverlayRenderer | None = None
) -> FastAPI:
    """Build the API and the page of a predictor that runs in this process."""
    return app_for(local_service(predictor, settings, overlays=overlays))


def local_service(
    predictor: PredictorLike, settings: Settings | None = None, *, overlays: OverlayRenderer | None = None
) -> Service:
    """Build the service of a predictor that runs in this process."""
    settings = settings or Settings()
    return Service(predictor.bundle, settings, LocalBackend(predictor, settings, overlays))


def app_for(service: Service) -> FastAPI:
    """Build the API and the page of a service, which becomes `app.state.service`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="tellapart",
        version=__version__,
        docs_url=None,  # these pages load their scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=exception_handlers(service.bundle.id),
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    _add_middleware(app, service)
    _add_predict(app, service)
    _add_model(app, service)
    _add_monitoring(app, service)
    _add_page(app)
    declare_names(app.openapi())
    if service.settings.token is not None:
        declare_token(app.openapi())
    return app


def _add_middleware(app: FastAPI, service: Service) -> None:
    """Add the middleware from the innermost out: what is added last sees a request first."""
    if service.settings.token is not None:
        app.add_middleware(TokenMiddleware, token=service.settings.token)
    if service.settings.origins:  # outside the token: a browser's question before the request has none
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", REQUEST_ID_HEADER],
            expose_headers=[REQUEST_ID_HEADER, BUNDLE_HEADER],
        )
    app.add_middleware(HostMiddleware, allowed=service.settings.hosts)
    app.add_middleware(MetricsMiddleware, metrics=service.metrics)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(RequestLogMiddleware, log=service.request_log)


def _add_predict(app: FastAPI, service: Service) -> None:
    async def answers(
        request: Request, top: int, *, explain: bool = False, logits: bool = False, max_files: int | None = None
    ) -> list[Answer]:
        service.admission.check()
        with service.admission.reserve_body() as reserve:
            record, started = record_of(request.scope), time.perf_counter()
            try:
                uploads = await read_uploads(request, service.settings, reserve)
            finally:
                record.add("body", time.perf_counter() - started)
                service.metrics.observe_stage("body", record.seconds["body"])
            if max_files is not None and len(uploads) > max_files:
                raise RequestError(400, f"the form has {len(uploads)} files, expected one: {UPLOAD_ADVICE}")
            top = min(top, len(service.bundle.classes))
            predictions = service.predict(uploads, record, top=top, explain=explain, logits=logits)
            return await _while_connected(request, predictions)

    @app.post(
        "/v1/predict",
        operation_id="predict",
        response_model=Answers,
        responses=PREDICT_ERRORS,
        openapi_extra=IMAGES_BODY,
    )
    async def predict(request: Request, top: Top = 3, explain: Explain = False, logits: Logits = False) -> Response:
        """Classify the images in the form field `image` or `file`, in JSON as base64, or the one that is the body.

        An image that cannot be read gets an `error` instead of an answer; a request with no readable image fails.
        """
        predictions = await answers(request, top, explain=explain, logits=logits)
        return JSONResponse({"answers": predictions, "bundle": service.bundle.id})

    @app.post(
        "/predict",
        operation_id="predict_one",
        response_model=OneAnswer,
        responses=PREDICT_ERRORS,
        openapi_extra=ONE_IMAGE_BODY,
    )
    async def predict_one(request: Request, top: Top = 3, logits: Logits = False) -> Response:
        """Classify one image. Returns what `tellapart predict --json` prints, and the bundle's id."""
        (answer,) = await answers(request, top, logits=logits, max_files=1)
        return JSONResponse({**answer, "bundle": service.bundle.id})


async def _while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Await the work, and cancel it if the client disconnects. Raises ClientDisconnect."""
    result = asyncio.ensure_future(work)
    disconnect = asyncio.ensure_future(request.receive())  # after the body, the only event left is the disconnect
    try:
        await asyncio.wait((result, disconnect), return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise ClientDisconnect
        return result.result()
    finally:
        result.cancel()
        disconnect.cancel()


def _add_model(app: FastAPI, service: Service) -> None:
    bundle, settings = service.bundle, service.settings

    @app.get("/v1/model", operation_id="get_model", responses=ACCESS_ERRORS)
    async def model() -> Model:
        """Describe the classifier and the limits of the service."""
        reject = getattr(bundle, "reject", None)
        return Model(
            name=bundle.name,
            bundle=bundle.id,
            classes=bundle.classes,
            preprocessing=bundle.preprocessing.as_json(),
            metrics=dict(bundle.metrics),
            reject=None if reject is None else asdict(reject),
            hashes=dict(bundle.hashes),
            max_body_bytes=settings.max_body_bytes,
            max_pixels=settings.max_pixels,
            can_explain=service.backend.explains,
            needs_token=settings.token is not None,
        )


def _add_monitoring(app: FastAPI, service: Service) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health", operation_id="get_health", responses={421: ACCESS_ERRORS[421]})
    async def health() -> Status:
        """Report that the service is alive."""
        return Status(status="ok")

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", operation_id="get_ready", response_model=Status, responses=READY_ERRORS)
    async def ready() -> Response:
        """Report whether to send requests; 503 once the service is shutting down."""
        if service.admission.draining:
            return error_response(503, "the service is shutting down: use another instance", RETRY_HEADERS)
        return JSONResponse({"status": "ready"})

    # The class of the response has no media type of its own, which would become that of the errors, too.
    @app.get(
        "/metrics",
        operation_id="get_metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **ACCESS_ERRORS},
    )
    async def metrics() -> Response:
        """Return the metrics in Prometheus' text format."""
        return Response(service.metrics.render(), media_type=CONTENT_TYPE)


def _add_page(app: FastAPI) -> None:
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html")

    @app.api_route("/page/tokens.css", methods=["GET", "HEAD"], include_in_schema=False)
    async def tokens() -> Response:
        return FileResponse(TOKENS)

    app.mount("/page", StaticFiles(directory=PAGE))
