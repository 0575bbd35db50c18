"""Access control: the token and the host names."""

import logging
from pathlib import Path

import httpx
import pytest

from tellapart.errors import TellapartError
from tellapart.serving.access import ENVIRONMENT_VARIABLE, is_local, read_token, require_token
from tellapart.serving.settings import Settings

from .conftest import running

TOKEN = "0123456789abcdef" * 2


def test_the_token_is_read_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token", {ENVIRONMENT_VARIABLE: "x" * 20}) == TOKEN
    assert read_token(None, {ENVIRONMENT_VARIABLE: "x" * 20}) == "x" * 20
    assert read_token(None, {}) is None


@pytest.mark.parametrize("content", [b"", b"short", b"with a space in the middle", b"\xff\xfe" * 20, b"\n" * 20])
def test_a_weak_or_invalid_token_is_refused_and_not_printed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(TellapartError, match="expected at least 16 letters") as error:
        read_token(tmp_path / "token", {})
    assert not content.strip() or content.decode("latin-1").strip() not in str(error.value)


def test_an_unreadable_token_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match="cannot be read"):
        read_token(tmp_path / "none", {})
    with pytest.raises(TellapartError, match="cannot be read"):
        read_token(tmp_path, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_a_local_address_needs_no_token(host: str) -> None:
    assert is_local(host)
    require_token(host, None, waived=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])  # noqa: S104  on purpose
def test_a_public_address_needs_a_token_or_a_waiver(host: str) -> None:
    with pytest.raises(TellapartError, match="--token-file"):
        require_token(host, None, waived=False)
    require_token(host, TOKEN, waived=False)
    require_token(host, None, waived=True)


def test_only_requests_with_the_token_are_answered(reddish: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = Settings(workers=1, token=TOKEN)
    with running(settings=settings) as service, httpx.Client(base_url=service.address) as client:
        invalid = [{}, {"authorization": "Bearer"}, {"authorization": f"Bearer {TOKEN[:-1]}"}]
        invalid += [
            {"authorization": TOKEN},
            {"authorization": f"Basic {TOKEN}"},
            {"authorization": f"Bearer {TOKEN}x"},
        ]
        for headers in invalid:
            for method, path in (("POST", "/v1/predict"), ("GET", "/v1/model"), ("GET", "/metrics"), ("GET", "/x")):
                answer = client.request(method, path, headers=headers, content=reddish)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "requires a token" in answer.json()["error"]
                assert answer.headers["x-content-type-options"] == "nosniff"
        for path in ("/", "/page/page.css", "/health", "/ready"):
            assert client.get(path).status_code == 200
        for scheme in ("Bearer", "bearer"):
            answer = client.post(
                "/predict", files={"image": ("a.png", reddish)}, headers={"authorization": f"{scheme} {TOKEN}"}
            )
            assert answer.json()["label"] == "red"
        assert client.get("/v1/model", headers={"authorization": f"Bearer {TOKEN}"}).json()["needs_token"] is True
    assert TOKEN not in caplog.text


def test_a_header_that_is_not_ascii_is_refused() -> None:
    with running(settings=Settings(workers=1, token=TOKEN)) as service:
        answer = httpx.get(f"{service.address}/v1/model", headers={b"authorization": b"Bearer \xff\xfe"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("LOCALHOST.", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8000", 200),
        ("192.168.1.7:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8000", 421),
        ("localhost:x", 421),
        ("", 421),
    ],
)
def test_an_unknown_host_is_refused(client: httpx.Client, host: str, status: int) -> None:
    answer = client.get("/health", headers={"host": host})
    assert answer.status_code == status
    assert (status == 200) or "is not allowed" in answer.json()["error"]


def test_a_host_can_be_allowed() -> None:
    with running(settings=Settings(workers=1, hosts=("Images.example",))) as service:
        for host in ("images.example", "IMAGES.example:80"):
            assert httpx.get(f"{service.address}/health", headers={"host": host}).status_code == 200
        assert httpx.get(f"{service.address}/health", headers={"host": "other.example"}).status_code == 421


def test_forwarded_headers_change_nothing(client: httpx.Client) -> None:
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    assert client.get("/health", headers=forwarded).status_code == 200
    hidden = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    assert client.get("/health", headers=hidden).status_code == 421
