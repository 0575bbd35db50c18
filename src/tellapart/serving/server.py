"""Serving until Ctrl-C."""

import errno
import logging
import os
import socket
from contextlib import suppress

import uvicorn

from tellapart.errors import TellapartError
from tellapart.progress import say
from tellapart.serving.answering import Answering
from tellapart.serving.app import build_app

GRACE_S = 10  # what requests under way may still take after Ctrl-C


def serve(predictor: Answering, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve a predictor over HTTP until Ctrl-C. Port 0 takes a free one. Raises TellapartError."""
    with _listening(host, port) as listener:
        say(f"{predictor.bundle.name} is served at {_address(listener)}; press Ctrl-C to stop")
        with suppress(KeyboardInterrupt):
            server(predictor).run(sockets=[listener])


def server(predictor: Answering) -> uvicorn.Server:
    """Build the server, which speaks only when something fails."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a bad form is its sender's news, not ours
    return uvicorn.Server(
        uvicorn.Config(
            build_app(predictor),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,  # uvicorn's own would close the log handlers of whoever runs it
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise TellapartError(f"the port is {port}, a number from 0 to 65535 was expected: choose one with --port")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:  # an unknown name (gaierror) is one of them
        raise TellapartError(_refusal(host, port, error)) from error


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use already: stop what uses it, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs rights that you do not have: choose one from 1024 on with --port"
    why = error.strerror or os.strerror(error.errno or 0)
    return f"cannot listen at {host} ({why}), an address of this machine was expected: try --host 127.0.0.1"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
