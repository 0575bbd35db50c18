"""The service conforms to its OpenAPI description, as tested by schemathesis."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tellapart.serving.settings import Settings

from .conftest import running

TOKEN = "0123456789" * 2
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

# A schema cannot express that bytes are an image, so other bytes may be refused.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 413, 415]
"""


def run_schemathesis(folder: Path, *, examples: int) -> subprocess.CompletedProcess[str]:
    """Run all of schemathesis's checks against a guarded service."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    with running(settings=Settings(workers=1, token=TOKEN)) as service:
        command = [str(SCHEMATHESIS), "--config-file", "schemathesis.toml", "run", f"{service.address}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {TOKEN}", "--checks", "all", "--max-examples", str(examples)]
        command += ["--seed", "1", "--generation-database", "none", "--no-color", "--request-timeout", "5"]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)


def test_every_response_matches_the_description(tmp_path: Path) -> None:
    process = run_schemathesis(tmp_path, examples=30)
    assert process.returncode == 0, process.stdout
    assert "Tested: 6" in process.stdout


@pytest.mark.long
def test_every_response_to_very_many_requests_matches_the_description(tmp_path: Path) -> None:
    process = run_schemathesis(tmp_path, examples=2000)
    assert process.returncode == 0, process.stdout


def test_the_description_states_where_the_token_is_needed() -> None:
    with running(settings=Settings(workers=1, token=TOKEN)) as service:
        headers = {"authorization": f"Bearer {TOKEN}"}
        paths = httpx.get(f"{service.address}/openapi.json", headers=headers).json()["paths"]
    assert paths["/v1/predict"]["post"]["security"] == [{"token": []}]
    assert paths["/health"]["get"]["security"] == []
