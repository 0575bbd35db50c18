"""The token that callers must know where the service can be reached by others."""

import hmac
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tellapart.errors import TellapartError

VARIABLE = "TELLAPART_TOKEN"
SHORTEST = 16  # characters: fewer can be guessed
LARGEST_FILE = 10_000  # bytes of a file that is a token's
OPEN = ("/", "/health", "/ready")  # the page must come up to ask for the token; the others tell nothing
OPEN_FOLDER = "/page/"
ADVICE = "send it as the header Authorization: Bearer TOKEN"


def read_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Read the token from a file, or else from the environment; None when neither is there. Raises TellapartError."""
    if file is None:
        return _checked(environment[VARIABLE], VARIABLE) if VARIABLE in environment else None
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE)
    except OSError as error:
        raise TellapartError(f"the token cannot be read from {file}: {error.strerror}") from error
    return _checked(content.decode("latin-1").strip(), str(file))


def _checked(token: str, where: str) -> str:
    if len(token) < SHORTEST or not all("!" <= character <= "~" for character in token):
        raise TellapartError(
            f"the token in {where} has {len(token)} characters, expected at least {SHORTEST} letters, digits or signs "
            f"without a space: make one with  openssl rand -hex 32"
        )
    return token


def require_token(host: str, token: str | None, *, waived: bool) -> None:
    """Refuse to let others in unguarded. Raises TellapartError."""
    if token is None and not waived and not is_local(host):
        raise TellapartError(
            f"{host} can be reached by others, and there is no token: name a file that holds one with --token-file, "
            f"set {VARIABLE}, or let everyone in with --no-token"
        )


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class TokenMiddleware:
    """ASGI middleware that asks for the token, before anything else of a request is looked at."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who knows the token, and what is open to all; answer 401 to the rest."""
        if scope["type"] != "http" or self._open(scope["path"]) or self._known(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        refusal = {"error": f"this service answers only those who know its token: {ADVICE}"}
        await JSONResponse(refusal, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)

    def _open(self, path: str) -> bool:
        return path in OPEN or path.startswith(OPEN_FOLDER)

    def _known(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Compared in constant time: how long it takes does not tell how much of it was right.
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._expected)
