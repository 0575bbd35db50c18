"""By which names the service answers."""

import httpx
import pytest

from tellapart.serving.settings import Settings

from .conftest import running


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
def test_a_name_of_a_strangers_choice_is_refused(client: httpx.Client, host: str, status: int) -> None:
    answer = client.get("/health", headers={"host": host})
    assert answer.status_code == status
    assert (status == 200) or "is not called" in answer.json()["error"]


def test_a_name_may_be_allowed() -> None:
    with running(settings=Settings(workers=1, hosts=("Images.example",))) as service:
        for host in ("images.example", "IMAGES.example:80"):
            assert httpx.get(f"{service.address}/health", headers={"host": host}).status_code == 200
        assert httpx.get(f"{service.address}/health", headers={"host": "other.example"}).status_code == 421
