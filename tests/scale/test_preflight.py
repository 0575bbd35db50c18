"""What is found out about a cluster before Ray is asked: a server that answers as one stands for it."""

import socket
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, Protocol

import pytest

from tellapart.errors import ClusterError, require
from tellapart.scale import preflight
from tellapart.scale.preflight import CLUSTER_ID_METHOD, known_token, require_ours

Served = Callable[..., str]


class Context(Protocol):
    """What gRPC tells a server of a call."""

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """What came with it."""

    def abort(self, code: object, details: str) -> None:
        """Refuse it."""


@pytest.fixture(autouse=True)
def _no_token_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def served() -> Iterator[Served]:
    """Serve as a cluster with this token, None for one that asks for none; gives HOST:PORT."""
    grpc: Any = require("grpc", extra="ray")
    servers = []

    def serve(token: str | None = None, question: str = CLUSTER_ID_METHOD) -> str:
        def answer(_: bytes, context: Context) -> bytes:
            said = dict(context.invocation_metadata()).get("authorization")
            if token is not None and said != f"Bearer {token}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
            return b""

        service, method = question.removeprefix("/").split("/")
        handler = grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(answer)})
        server = grpc.server(futures.ThreadPoolExecutor(1), handlers=(handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield serve
    for server in servers:
        server.stop(grace=None)


def test_the_token_is_read_from_where_ray_looks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert known_token() is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("home\n")
    assert known_token() == "home"
    (tmp_path / "named").write_text("named")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "named"))
    assert known_token() == "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "word")
    assert known_token() == "word"


def test_a_missing_token_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "absent"))
    with pytest.raises(ClusterError, match=r"RAY_AUTH_TOKEN_PATH is .*absent, which cannot be read"):
        known_token()


def test_the_right_token_is_accepted(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "ours")
    require_ours(served("ours"))


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "requires a token, and none is known here: set RAY_AUTH_TOKEN, or copy"),
        ("wrong", "has another token than the one known here: set RAY_AUTH_TOKEN, or copy"),
    ],
)
def test_a_wrong_or_missing_token_is_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch, token: str, said: str
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    with pytest.raises(ClusterError, match=said):
        require_ours(served("ours"))


def test_a_cluster_without_a_token_is_used_only_if_the_environment_allows_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "ours")
    address = served(None)
    with pytest.raises(ClusterError, match="requires no token: everyone who can reach it can run programs"):
        require_ours(address)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    require_ours(address)
    with pytest.raises(ClusterError, match="requires a token, but RAY_AUTH_MODE is disabled: unset it"):
        require_ours(served("ours"))


def test_another_service_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "ours")
    monkeypatch.setattr(preflight, "TIMEOUT_S", 0.3)
    with pytest.raises(ClusterError, match=r"is not a Ray cluster's own port \(UNIMPLEMENTED\): name that, 6379"):
        require_ours(served(None, question="/ray.rpc.RayletDriver/ClusterInfo"))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(ClusterError, match="is not a Ray cluster's own port"):
            require_ours(f"127.0.0.1:{mute.getsockname()[1]}")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "127.0.0.1:99999"])
def test_an_unreachable_address_is_refused_immediately(address: str) -> None:
    with pytest.raises(ClusterError, match=r"cannot be joined: .* Check the address, and that ray start --head runs"):
        require_ours(address)
