"""Access control: the token that callers send, and the host names under which the service answers.

A hostile web page can point a domain name of its own at this machine (DNS rebinding) and read the answers as its own.
Requests whose Host header is neither localhost, nor an IP address, nor an allowed name are therefore refused.
"""

import hmac
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tellapart.errors import TellapartError
from tellapart.serving.errors import MAX_ECHOED, error_response

ENVIRONMENT_VARIABLE = "TELLAPART_TOKEN"
MIN_TOKEN_LENGTH = 16  # characters; fewer can be guessed
MAX_TOKEN_FILE_BYTES = 10_000
PUBLIC_PATHS = ("/", "/health", "/ready")  # the page has to load to ask for the token; the others reveal nothing
PUBLIC_FOLDER = "/page/"


def read_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Read the token from a file, else from the environment; None if neither is given. Raises TellapartError."""
    if file is None:
        token = environment.get(ENVIRONMENT_VARIABLE)
        return None if token is None else _checked(token, ENVIRONMENT_VARIABLE)
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_TOKEN_FILE_BYTES)
    except OSError as error:
        raise TellapartError(f"the token cannot be read from {file}: {error.strerror}") from error
    return _checked(content.decode("latin-1").strip(), str(file))


def _checked(token: str, source: str) -> str:
    if len(token) < MIN_TOKEN_LENGTH or not all("!" <= character <= "~" for character in token):
        raise TellapartError(
            f"the token in {source} has {len(token)} characters, expected at least {MIN_TOKEN_LENGTH} letters, digits "
            f"or punctuation marks without spaces: generate one with  openssl rand -hex 32"
        )
    return token


def require_token(host: str, token: str | None, *, waived: bool) -> None:
    """Refuse to listen beyond this machine without a token. Raises TellapartError."""
    if token is None and not waived and not is_local(host):
        raise TellapartError(
            f"{host} is reachable from other machines, and no token is set: pass a file with --token-file, "
            f"set {ENVIRONMENT_VARIABLE}, or allow everyone with --no-token"
        )


def is_local(host: str) -> bool:
    """Return True if an address is reachable from this machine only."""
    return host == "localhost" or (_is_ip_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class TokenMiddleware:
    """ASGI middleware that requires the token before anything else of a request is read."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward requests with the token and those for public paths; answer 401 otherwise."""
        if scope["type"] != "http" or self._is_public(scope["path"]) or self._has_token(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        refusal = error_response(
            401,
            "this service requires a token: send it in the header Authorization: Bearer TOKEN",
            {"WWW-Authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)

    def _is_public(self, path: str) -> bool:
        return path in PUBLIC_PATHS or path.startswith(PUBLIC_FOLDER)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        # In constant time: how long the comparison takes must not reveal how much of the token was right.
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), self._expected)


class HostMiddleware:
    """ASGI middleware that refuses requests for an unknown host."""

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...]) -> None:
        self.app = app
        self._allowed = {"localhost", *(name.lower().rstrip(".") for name in allowed)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward requests for an allowed host; answer 421 (Misdirected Request) otherwise."""
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else ""
        if scope["type"] != "http" or self._is_allowed(host):
            await self.app(scope, receive, send)
            return
        sentence = (
            f"the host {host[:MAX_ECHOED]!r} is not allowed: use localhost or an IP address, or start the service "
            f"with --allow-host"
        )
        await error_response(421, sentence)(scope, receive, send)

    def _is_allowed(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return name.lower().rstrip(".") in self._allowed or _is_ip_address(name.strip("[]"))
