"""`tellapart serve`."""

import re
from pathlib import Path

from tellapart.bundles.predictor import Predictor
from tellapart.errors import ClusterError, TellapartError
from tellapart.scale.ray_serve import ReplicaCount
from tellapart.scale.replicas import serve_on as serve_on_ray
from tellapart.serving.server import serve as serve_predictor
from tellapart.serving.settings import Settings
from tellapart.serving.tokens import read_token, require_token

UNITS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


def serve(
    bundle: Path,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: Path | None = None,
    no_token: bool = False,
    allow_host: tuple[str, ...] = (),
    workers: int | None = None,
    queue: int = Settings.queue,
    deadline: str = "5s",
    max_body: str = "10MB",
    max_pixels: float = Settings.max_pixels,
    on: str | None = None,
    replicas: str | None = None,
) -> None:
    """Answer over HTTP: POST /v1/predict, GET /v1/model, /health, /ready, /metrics, and a page at /.

    Parameters
    ----------
    bundle
        The bundle's folder.
    host
        The address to listen on. Anything but this machine's own lets others in, and needs a token.
    port
        The port to listen on.
    token_file
        A file with the token that callers must send; without it, the environment's TELLAPART_TOKEN.
    no_token
        Let everyone in who can reach the address.
    allow_host
        A name by which the service may be called, besides localhost and addresses in numbers.
    workers
        Processes that decode images; one for each core, up to 4, unless stated. The engine, which uses all cores, is
        in one process.
    queue
        Images that may be under way at once; beyond, a request is answered 503 and may come again.
    deadline
        How long an answer may take, such as 5s.
    max_body
        The largest request, such as 10MB.
    max_pixels
        The largest image, such as 50e6.
    on
        Who answers: ray, or a Ray cluster's ray://HOST:PORT; this process when left out. The address and the page are
        this machine's all the same. --workers and --queue are then for each replica.
    replicas
        How many processes of the cluster answer, with a core each: a number, or the fewest and the most, such as 2..8,
        between which they are as many as there is work for. One for each core when left out.
    """
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
    found = re.fullmatch(r"(\d{1,4})(?:\.\.(\d{1,4}))?", text.strip())
    if found is None:
        raise ClusterError(f"--replicas is {text!r}, expected a number such as 3, or the fewest and the most: 2..8")
    return ReplicaCount(int(found[1]), int(found[2] or found[1]))


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?s?", text.strip())
    if found is None:
        raise TellapartError(f"--deadline is {text!r}, expected seconds such as 5s")
    return float(found[1])


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmg]?b|)", text.strip().lower())
    if found is None:
        raise TellapartError(f"--max-body is {text!r}, expected a size such as 10MB")
    return round(float(found[1]) * UNITS[found[2]])


def _whole(pixels: float) -> int:
    if not 1 <= pixels <= 2**31:  # what is no number is not
        raise TellapartError(f"--max-pixels is {pixels:g}, expected 1 to 2e9 pixels, such as 50e6")
    return round(pixels)
