"""`tellapart serve`."""

import inspect
import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.predictor import Predictor
from tellapart.cli.options import CLUSTER
from tellapart.cli.serve_variables import by_variable, warn_of_unknown
from tellapart.errors import ClusterError, TellapartError
from tellapart.scale.ray_serve import ReplicaCount
from tellapart.scale.replicas import serve_on as serve_on_ray
from tellapart.serving.access import read_token, require_token
from tellapart.serving.request_log import LogFormat
from tellapart.serving.server import serve as serve_predictor
from tellapart.serving.settings import Settings

UNITS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


def serve(
    bundle: Annotated[Path, by_variable("bundle")],
    /,
    *,
    host: Annotated[str, by_variable("host")] = "127.0.0.1",
    port: Annotated[int, by_variable("port")] = 8000,
    token_file: Annotated[Path | None, by_variable("token-file")] = None,
    no_token: Annotated[bool, by_variable("no-token")] = False,
    allow_host: Annotated[tuple[str, ...], by_variable("allow-host")] = (),
    allow_origin: Annotated[tuple[str, ...], by_variable("allow-origin")] = (),
    log_format: Annotated[LogFormat, by_variable("log-format")] = "text",
    workers: Annotated[int | None, by_variable("workers")] = None,
    queue: Annotated[int, by_variable("queue")] = Settings.queue,
    deadline: Annotated[str, by_variable("deadline")] = "5s",
    max_body: Annotated[str, by_variable("max-body")] = "10MB",
    max_pixels: Annotated[float, by_variable("max-pixels")] = Settings.max_pixels,
    on: Annotated[str | None, Parameter(group=CLUSTER), by_variable("on")] = None,
    replicas: Annotated[str | None, Parameter(group=CLUSTER), by_variable("replicas")] = None,
) -> None:
    """Serve predictions over HTTP, with a web page at / to drop images on.

    Paths: POST /v1/predict, GET /v1/model, /health, /ready, /metrics, and / for the page. docs/service.md is the guide.

    Each setting can also be given by an environment variable; several values are separated by spaces. An option on the
    command line comes before its variable.

        tellapart serve runs/photos/bundle
        curl -F image=@new.jpg http://127.0.0.1:8000/v1/predict

    Parameters
    ----------
    bundle
        Folder of the bundle.
    host
        Address to listen on. Any other than this machine's own admits other machines, and requires a token.
    port
        Port to listen on.
    token_file
        A file with the token that callers must send; by default the environment variable TELLAPART_TOKEN.
    no_token
        Admit everyone who can reach the address.
    allow_host
        A host name of the service, besides localhost and IP addresses. Once for each.
    allow_origin
        A web page elsewhere that may call the service from a browser, such as https://example.org, or * for all. Once
        for each.
    log_format
        The request log on standard output: a line for each request as text for people, as a JSON object, or none.
    workers
        Processes that decode images; by default one per core, up to 4. Prediction uses all cores in one process.
    queue
        Images in progress at once; beyond this number a request is answered 503, and may be repeated.
    deadline
        Longest time for a response, in seconds, such as 5s.
    max_body
        Largest request, such as 10MB.
    max_pixels
        Largest image in pixels, such as 50e6.
    on
        Predict on a Ray cluster: ray starts or joins one, ray://HOST:PORT names one. This machine still listens;
        --workers and --queue are then per replica.
    replicas
        Processes of the cluster that predict, with a core each: a number, or a range such as 2..8 that follows the
        load. By default one per core.
    """
    warn_of_unknown(inspect.signature(serve).parameters)
    count = _between(replicas, on)
    token = None if no_token else read_token(token_file)
    require_token(host, token, waived=no_token)
    settings = Settings(
        queue=queue,
        deadline_s=_seconds(deadline),
        max_body_bytes=_bytes(max_body),
        max_pixels=_whole(max_pixels),
        workers=workers,
        token=token,
        hosts=(host, *allow_host),
        origins=allow_origin,
        log_format=log_format,
    )
    if on is None:
        serve_predictor(Predictor(bundle), host=host, port=port, settings=settings)
    else:
        serve_on_ray(on, bundle, count, host=host, port=port, settings=settings)


def _between(text: str | None, on: str | None) -> ReplicaCount | None:
    if text is None:
        return None
    if on is None:
        raise ClusterError("--replicas is about a cluster, which is not named: add --on ray, or leave --replicas out")
    match = re.fullmatch(r"(\d{1,4})(?:\.\.(\d{1,4}))?", text.strip())
    if match is None:
        raise ClusterError(f"--replicas is {text!r}, expected a number such as 3, or the fewest and the most: 2..8")
    return ReplicaCount(int(match[1]), int(match[2] or match[1]))


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?s?", text.strip())
    if match is None:
        raise TellapartError(f"--deadline is {text!r}, expected seconds such as 5s")
    return float(match[1])


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmg]?b|)", text.strip().lower())
    if match is None:
        raise TellapartError(f"--max-body is {text!r}, expected a size such as 10MB")
    return round(float(match[1]) * UNITS[match[2]])


def _whole(pixels: float) -> int:
    if not 1 <= pixels <= 2**31:  # false for nan
        raise TellapartError(f"--max-pixels is {pixels:g}, expected 1 to 2e9 pixels, such as 50e6")
    return round(pixels)
