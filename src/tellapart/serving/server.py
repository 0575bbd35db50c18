"""The HTTP server, which runs until Ctrl-C or SIGTERM."""

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn

from tellapart.errors import TellapartError
from tellapart.progress import notify
from tellapart.serving.admission import Admission
from tellapart.serving.app import app_for, local_service
from tellapart.serving.connections import connection_class
from tellapart.serving.interfaces import PredictorLike
from tellapart.serving.overlays import OverlayRenderer
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings

DRAIN_S = 1.0  # after SIGTERM, for load balancers that poll /ready to notice and send requests elsewhere
DRAIN_CHECK_S = 0.05
GRACE_S = 15  # for requests in flight after that
END_S = 25  # after a signal, however long a prediction takes: a graph may never end, and supervisors kill after 30
KEEP_ALIVE_S = 15  # longer than clients keep their idle connections, so that none is closed while it is used
MAX_OPEN_FILES = 16_384  # each connection is one


class Server(uvicorn.Server):
    """uvicorn's server, which reports that it is shutting down before it stops."""

    def __init__(self, config: uvicorn.Config, admission: Admission) -> None:
        super().__init__(config)
        self._admission = admission
        self._terminated = False
        self._forced_end = threading.Timer(END_S, _end_process)
        self._forced_end.daemon = True

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal. A prediction that does not end cannot prevent the end of the process."""
        try:
            super().run(sockets)
        finally:
            self._forced_end.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start draining on a signal."""
        if self._forced_end.ident is None:
            self._forced_end.start()
        self._admission.draining = True
        self._terminated = self._terminated or sig == signal.SIGTERM
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer the accepted requests, and stop; without a pause if nobody was asking."""
        self._admission.draining = True
        if self._terminated and not self._admission.idle:
            await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Wait for load balancers to notice; not after a second Ctrl-C."""
        started = time.monotonic()
        while time.monotonic() - started < DRAIN_S and not self.force_exit:
            await asyncio.sleep(DRAIN_CHECK_S)


def serve(
    predictor: PredictorLike, *, host: str = "127.0.0.1", port: int = 8000, settings: Settings | None = None
) -> None:
    """Serve a predictor over HTTP until Ctrl-C or SIGTERM. Port 0 picks a free one. Raises TellapartError."""
    with open_listener(host, port) as listener:
        service = local_service(predictor, settings)  # here SIGTERM ends the process at once
        with _handle_sigterm():
            _run(service, listener)


def serve_service(service: Service, listener: socket.socket) -> None:
    """Serve on a listening socket until Ctrl-C or SIGTERM."""
    with _handle_sigterm():
        _run(service, listener)


def _run(service: Service, listener: socket.socket) -> None:
    server = server_for(service)
    notify(f"{service.bundle.name} is served at {_address(listener)}; press Ctrl-C to stop")
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def local_server(
    predictor: PredictorLike, settings: Settings | None = None, *, overlays: OverlayRenderer | None = None
) -> Server:
    """Build the server of a predictor that runs in this process."""
    return server_for(local_service(predictor, settings, overlays=overlays))


def server_for(service: Service) -> Server:
    """Build the server of a service. It logs failures only."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a malformed form is the client's fault
    _raise_file_limit()
    config = uvicorn.Config(
        app_for(service),
        http=connection_class(service.admission, service.request_log),
        ws="none",
        lifespan="on",
        log_config=None,  # uvicorn's own would close the log handlers of the calling program
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on the client's address
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config, service.admission)


def _end_process() -> None:
    notify(f"a prediction has not ended {END_S} s after the signal: the service ends without it")
    os._exit(1)


@contextmanager
def _handle_sigterm() -> Iterator[None]:
    """Make SIGTERM a normal end: once uvicorn has stopped, it raises the signal again for the previous handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _raise_file_limit() -> None:
    """Raise the limit of open files on systems whose default is low."""
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def open_listener(host: str, port: int) -> socket.socket:
    """Listen on an address of this machine. Port 0 picks a free one. Raises TellapartError."""
    if not 0 <= port <= 65535:
        raise TellapartError(f"the port is {port}, expected a number from 0 to 65535: choose one with --port")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:  # including an unknown name (gaierror)
        raise TellapartError(_listen_error(host, port, error)) from error


def _listen_error(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is already in use: stop the program that uses it, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} requires privileges that you do not have: choose one from 1024 up with --port"
    reason = error.strerror or os.strerror(error.errno or 0)
    return f"cannot listen on {host} ({reason}), expected an address of this machine: try --host 127.0.0.1"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
