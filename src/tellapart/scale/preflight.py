"""Checks before joining a Ray cluster: that it answers, requires a token, and accepts ours.

Ray itself would retry for a minute and then print twenty lines.
"""

import os
import socket
from pathlib import Path
from typing import Any

from tellapart.errors import ClusterError, require
from tellapart.read_files import ContentError, read_text

TOKEN_FILE = Path(".ray") / "auth_token"  # in the home folder, where Ray looks for it
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
TIMEOUT_S = 5.0
CLUSTER_ID_METHOD = "/ray.rpc.NodeInfoGcsService/GetClusterId"  # the first call of Ray itself; it has no argument
UNAUTHENTICATED = "UNAUTHENTICATED"  # a gRPC status
TOKEN_ADVICE = f"set {TOKEN}, or copy ~/.ray/auth_token from a machine of the cluster to this one"


def require_ours(address: str) -> None:
    """Raise ClusterError unless a cluster answers at HOST:PORT and requires the token that is known here.

    A cluster that requires none is refused too, unless RAY_AUTH_MODE allows it: everyone who can reach it could run
    programs on it.
    """
    if reason := connection_error(address):
        raise ClusterError(
            f"the Ray cluster at {address} cannot be joined: {reason}. Check the address, and that ray start --head "
            f"runs"
        )
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return  # certificates decide, and only Ray has them
    status = _status(address, None)
    if status not in ("OK", UNAUTHENTICATED):
        raise _no_cluster(address, status)
    if os.environ.get(MODE, "token").lower() != "token":
        if status == UNAUTHENTICATED:
            raise ClusterError(
                f"the Ray cluster at {address} requires a token, but {MODE} is {os.environ[MODE]}: unset it"
            )
        return
    if status == "OK":
        raise ClusterError(
            f"the Ray cluster at {address} requires no token: everyone who can reach it can run programs on its "
            f"machines. Start it with {MODE}=token, or set {MODE}=disabled here to use it anyway"
        )
    _require_known(address)


def known_token() -> str | None:
    """Return the token that Ray would send, if there is one. Raises ClusterError if its file is missing."""
    if token := os.environ.get(TOKEN, "").strip():
        return token
    named = os.environ.get(TOKEN_PATH)
    try:
        return read_text(Path(named or Path.home() / TOKEN_FILE)).strip() or None
    except (OSError, ContentError) as error:
        if named:
            raise ClusterError(f"{TOKEN_PATH} is {named}, which cannot be read: {error}") from error
        return None


def _require_known(address: str) -> None:
    token = known_token()
    if token is None:
        raise ClusterError(f"the Ray cluster at {address} requires a token, and none is known here: {TOKEN_ADVICE}")
    status = _status(address, token)
    if status == UNAUTHENTICATED:
        raise ClusterError(f"the Ray cluster at {address} has another token than the one known here: {TOKEN_ADVICE}")
    if status != "OK":
        raise _no_cluster(address, status)


def _no_cluster(address: str, status: str) -> ClusterError:
    return ClusterError(
        f"what answers at {address} is not a Ray cluster's own port ({status}): name that, 6379 unless ray start "
        f"--port chose another. Ray Client's, 10001, cannot be used"
    )


def connection_error(address: str) -> str | None:
    """Return why nothing answers at HOST:PORT; None if something does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        return str(error)
    return None


def _status(address: str, token: str | None) -> str:
    """Return the gRPC status with which a cluster answers a call that has this token."""
    grpc: Any = require("grpc", extra="ray")
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(CLUSTER_ID_METHOD)(b"", metadata=metadata, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"
