"""The token: where it is read, whom it lets in, and that it shows nowhere."""

import logging
from pathlib import Path

import httpx
import pytest

from tellapart.errors import TellapartError
from tellapart.serving.settings import Settings
from tellapart.serving.tokens import VARIABLE, is_local, read_token, require_token

from .conftest import running

TOKEN = "0123456789abcdef" * 2


def test_a_token_is_read_from_a_file_or_else_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token", {VARIABLE: "x" * 20}) == TOKEN
    assert read_token(None, {VARIABLE: "x" * 20}) == "x" * 20
    assert read_token(None, {}) is None


@pytest.mark.parametrize("content", [b"", b"short", b"with a space in the middle", b"\xff\xfe" * 20, b"\n" * 20])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(TellapartError, match="expected at least 16 letters") as refused:
        read_token(tmp_path / "token", {})
    assert not content.strip() or content.decode("latin-1").strip() not in str(refused.value)


def test_a_file_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match="cannot be read"):
        read_token(tmp_path / "none", {})
    with pytest.raises(TellapartError, match="cannot be read"):
        read_token(tmp_path, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert is_local(host)
    require_token(host, None, waived=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])  # noqa: S104  that is the point
def test_others_need_a_token_or_the_word_that_they_need_none(host: str) -> None:
    with pytest.raises(TellapartError, match="--token-file"):
        require_token(host, None, waived=False)
    require_token(host, TOKEN, waived=False)
    require_token(host, None, waived=True)


def test_only_who_knows_the_token_is_answered(reddish: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = Settings(workers=1, token=TOKEN)
    with running(settings=settings) as service, httpx.Client(base_url=service.address) as client:
        wrong = [{}, {"authorization": "Bearer"}, {"authorization": f"Bearer {TOKEN[:-1]}"}]
        wrong += [{"authorization": TOKEN}, {"authorization": f"Basic {TOKEN}"}, {"authorization": f"Bearer {TOKEN}x"}]
        for headers in wrong:
            for method, path in (("POST", "/v1/predict"), ("GET", "/v1/model"), ("GET", "/metrics"), ("GET", "/x")):
                answer = client.request(method, path, headers=headers, content=reddish)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "only those who know its token" in answer.json()["error"]
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


def test_a_header_that_is_no_ascii_is_only_wrong() -> None:
    with running(settings=Settings(workers=1, token=TOKEN)) as service:
        answer = httpx.get(f"{service.address}/v1/model", headers={b"authorization": b"Bearer \xff\xfe"})
        assert answer.status_code == 401
