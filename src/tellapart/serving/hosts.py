"""By which names the service may be called.

A page of a stranger may point a name of its own at this machine, and then read our answers as if they were its own.
The name that it used stands in the header Host; an address in numbers cannot be misused so.
"""

import ipaddress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tellapart.serving.errors import SHOWN

LOCAL = "localhost"
MISDIRECTED = 421


class HostMiddleware:
    """ASGI middleware that refuses requests for another host."""

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...]) -> None:
        self.app = app
        self._allowed = {LOCAL, *(name.lower().rstrip(".") for name in allowed)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that names us; answer 421 to the rest."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if self._ours(host):
            await self.app(scope, receive, send)
            return
        sentence = (
            f"this service is not called {host[:SHOWN]!r}: use localhost or its address, or serve --allow-host it"
        )
        await JSONResponse({"error": sentence}, MISDIRECTED)(scope, receive, send)

    def _ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return name.lower().rstrip(".") in self._allowed or _is_address(name.strip("[]"))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
