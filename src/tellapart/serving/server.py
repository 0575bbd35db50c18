"""Serving until Ctrl-C or SIGTERM."""

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn

from tellapart.errors import TellapartError
from tellapart.progress import notify
from tellapart.serving.admission import Admission
from tellapart.serving.app import app_of, service_here
from tellapart.serving.connections import connections_of
from tellapart.serving.interfaces import Answering
from tellapart.serving.overlays import Overlays
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings

LEAVE_S = 1.0  # after SIGTERM, for those who ask /ready to see it and to send their requests elsewhere
GRACE_S = 15  # what requests under way may still take after that
KEEP_S = 15  # a quiet connection stays open: longer than callers keep theirs, so that none is closed while it is used
FILES = 16_384  # open at once: each connection is one


class Server(uvicorn.Server):
    """uvicorn's server, which says that it is about to stop before it stops."""

    def __init__(self, config: uvicorn.Config, admission: Admission) -> None:
        super().__init__(config)
        self._admission = admission
        self._told = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note that the service is to stop."""
        self._admission.draining = True
        self._told = self._told or sig == signal.SIGTERM
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer what was accepted, end."""
        self._admission.draining = True
        if self._told:
            await asyncio.sleep(LEAVE_S)
        await super().shutdown(sockets)


def serve(predictor: Answering, *, host: str = "127.0.0.1", port: int = 8000, settings: Settings | None = None) -> None:
    """Serve a predictor over HTTP until Ctrl-C or SIGTERM. Port 0 takes a free one. Raises TellapartError."""
    with listening(host, port) as listener, _ended_by_sigterm():
        _attend(service_here(predictor, settings), listener)


def attend(service: Service, listener: socket.socket) -> None:
    """Serve at what listens until Ctrl-C or SIGTERM."""
    with _ended_by_sigterm():
        _attend(service, listener)


def _attend(service: Service, listener: socket.socket) -> None:
    ready = server_of(service)
    notify(f"{service.bundle.name} is served at {_address(listener)}; press Ctrl-C to stop")
    with suppress(KeyboardInterrupt):
        ready.run(sockets=[listener])


def server(predictor: Answering, settings: Settings | None = None, *, overlays: Overlays | None = None) -> Server:
    """Build the server of a predictor, which works in this process."""
    return server_of(service_here(predictor, settings, overlays=overlays))


def server_of(service: Service) -> Server:
    """Build the server of a service, which speaks only when something fails."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a bad form is its sender's news, not ours
    _allow_files()
    config = uvicorn.Config(
        app_of(service),
        http=connections_of(service.admission),
        ws="none",
        lifespan="on",
        log_config=None,  # uvicorn's own would close the log handlers of whoever runs it
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who asks
        timeout_keep_alive=KEEP_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config, service.admission)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Make SIGTERM an end like any other: uvicorn, once done, raises it again for whoever handled it before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _allow_files() -> None:
    """Raise the number of files that may be open, where the system starts low."""
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listening(host: str, port: int) -> socket.socket:
    """Listen at an address of this machine. Port 0 takes a free one. Raises TellapartError."""
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
