"""A Ray cluster that runs already: whether it answers, and asks for our token, is found out before Ray is asked.

Ray itself tries again for a minute, and says why in twenty lines of its own.
"""

import os
import socket
from pathlib import Path
from typing import Any

from tellapart.errors import ClusterError, require

TOKEN_FILE = Path(".ray") / "auth_token"  # below the home folder, where Ray looks for it by itself
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
TIMEOUT_S = 5.0
CLUSTER_ID_METHOD = "/ray.rpc.NodeInfoGcsService/GetClusterId"  # Ray's own first; without an argument
UNAUTHENTICATED = "UNAUTHENTICATED"  # a gRPC status
TOKEN_ADVICE = f"set {TOKEN}, or copy ~/.ray/auth_token from a machine of the cluster to this one"


def require_ours(address: str) -> None:
    """Raise ClusterError unless a cluster answers at HOST:PORT and asks for the token that is known here.

    One that asks for none is refused too, unless RAY_AUTH_MODE says that this is meant: whoever reaches it runs what
    he likes on it.
    """
    if why := connection_error(address):
        raise ClusterError(
            f"the Ray cluster at {address} cannot be joined: {why}. Check the address, and that ray start --head runs"
        )
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return  # certificates say who may come, and Ray alone has them
    unasked = _answer(address, None)
    if unasked not in ("OK", UNAUTHENTICATED):
        raise _no_cluster(address, unasked)
    if os.environ.get(MODE, "token").lower() != "token":
        if unasked == UNAUTHENTICATED:
            raise ClusterError(
                f"the Ray cluster at {address} asks for a token, but {MODE} is {os.environ[MODE]}: unset it"
            )
        return
    if unasked == "OK":
        raise ClusterError(
            f"the Ray cluster at {address} asks for no token: whoever reaches it can run programs on its machines. "
            f"Start it with {MODE}=token, or set {MODE}=disabled here to use it all the same"
        )
    _require_known(address)


def known_token() -> str | None:
    """The token that Ray would send, found where Ray looks for it. Raises ClusterError for a file that is not there."""
    if word := os.environ.get(TOKEN, "").strip():
        return word
    named = os.environ.get(TOKEN_PATH)
    try:
        return Path(named or Path.home() / TOKEN_FILE).read_text().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        if named:
            raise ClusterError(f"{TOKEN_PATH} is {named}, which cannot be read: {error}") from error
        return None


def _require_known(address: str) -> None:
    token = known_token()
    if token is None:
        raise ClusterError(f"the Ray cluster at {address} asks for a token, and none is known here: {TOKEN_ADVICE}")
    answer = _answer(address, token)
    if answer == UNAUTHENTICATED:
        raise ClusterError(f"the Ray cluster at {address} has another token than is known here: {TOKEN_ADVICE}")
    if answer != "OK":
        raise _no_cluster(address, answer)


def _no_cluster(address: str, answer: str) -> ClusterError:
    return ClusterError(
        f"what answers at {address} is not a Ray cluster's own port ({answer}): name that, 6379 unless ray start "
        f"--port chose another. Ray Client's, 10001, cannot be used"
    )


def connection_error(address: str) -> str | None:
    """Why nothing answers at HOST:PORT; None where something does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        return str(error)
    return None


def _answer(address: str, token: str | None) -> str:
    """What a cluster says to who comes with this token: the name of a gRPC status."""
    grpc: Any = require("grpc", extra="ray")
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(CLUSTER_ID_METHOD)(b"", metadata=metadata, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"
