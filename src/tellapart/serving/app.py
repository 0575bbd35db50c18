"""The routes."""

import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from tellapart.serving.answering import Answering
from tellapart.serving.answers import PROBLEMS, UPLOAD_FORM, Answer, Health, Model
from tellapart.serving.headers import SecurityHeaders
from tellapart.serving.problems import handlers
from tellapart.serving.upload import MAX_BODY_BYTES, uploaded

PAGE = Path(__file__).parent / "page"


def build_app(predictor: Answering) -> FastAPI:
    """Build the service of one predictor: an API and a page."""
    app = FastAPI(
        title="tellapart",
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=handlers(),
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(SecurityHeaders)
    _add_answers(app, predictor)
    _add_facts(app, predictor)
    _add_page(app)
    return app


def _add_answers(app: FastAPI, predictor: Answering) -> None:
    # Off the event loop, and no more at once than there are cores: more would only hold more memory.
    limiter = CapacityLimiter(os.cpu_count() or 1)

    @app.post("/predict", response_model=Answer, responses=PROBLEMS, openapi_extra=UPLOAD_FORM)
    async def predict(request: Request, top: int = 3) -> Response:
        """Classify the picture in the form's field `image`; `top` is how many classes to list."""
        upload = await uploaded(request)
        wanted = min(max(top, 1), len(predictor.bundle.classes))
        work = partial(predictor.predict_one, upload.content, path=upload.name, top=wanted)
        prediction = await to_thread.run_sync(work, limiter=limiter)
        return JSONResponse(prediction.as_json())


def _add_facts(app: FastAPI, predictor: Answering) -> None:
    @app.get("/health")
    async def health() -> Health:
        """Say that the service is alive."""
        return Health(status="ok")

    @app.get("/model")
    async def model() -> Model:
        """Tell what the classifier is."""
        bundle = predictor.bundle
        return Model(
            name=bundle.name,
            classes=bundle.classes,
            preprocessing=asdict(bundle.preprocessing),
            metrics=dict(bundle.metrics),
            max_body_bytes=MAX_BODY_BYTES,
        )


def _add_page(app: FastAPI) -> None:
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))
