"""The service keeps to its own OpenAPI description, whatever schemathesis makes of it."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tellapart.serving.settings import Settings

from .conftest import running

TOKEN = "0123456789" * 2
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

# No schema can say that bytes are an image, so those that are none may be refused.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 413, 415]
"""


def checked(folder: Path, *, examples: int) -> subprocess.CompletedProcess[str]:
    """Run all of schemathesis's checks against a guarded service."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    with running(settings=Settings(workers=1, token=TOKEN)) as service:
        words = [str(SCHEMATHESIS), "--config-file", "schemathesis.toml", "run", f"{service.address}/openapi.json"]
        words += ["--header", f"Authorization: Bearer {TOKEN}", "--checks", "all", "--max-examples", str(examples)]
        words += ["--seed", "1", "--generation-database", "none", "--no-color", "--request-timeout", "5"]
        return subprocess.run(words, capture_output=True, text=True, cwd=folder, timeout=300)


def test_every_answer_is_as_described(tmp_path: Path) -> None:
    done = checked(tmp_path, examples=30)
    assert done.returncode == 0, done.stdout
    assert "Tested: 6" in done.stdout


@pytest.mark.long
def test_every_answer_to_very_many_is_as_described(tmp_path: Path) -> None:
    done = checked(tmp_path, examples=2000)
    assert done.returncode == 0, done.stdout


def test_the_token_is_part_of_the_description_where_it_is_needed() -> None:
    with running(settings=Settings(workers=1, token=TOKEN)) as service:
        headers = {"authorization": f"Bearer {TOKEN}"}
        paths = httpx.get(f"{service.address}/openapi.json", headers=headers).json()["paths"]
    assert paths["/v1/predict"]["post"]["security"] == [{"token": []}]
    assert paths["/health"]["get"]["security"] == []
