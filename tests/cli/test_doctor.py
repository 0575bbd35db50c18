"""`tellapart doctor`: the table and the JSON say the same."""

import json

import pytest

from tellapart.cli.doctor import doctor
from tellapart.doctor import probe


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "installed", lambda name: None if "tensorflow" in name else "1.0")


def test_the_table_shows_every_finding_and_the_advice(capsys: pytest.CaptureFixture[str]) -> None:
    doctor(json=True)
    told = json.loads(capsys.readouterr().out)
    doctor()
    shown = capsys.readouterr().out
    assert {"machine", "findings", "advice"} == set(told)
    assert all(finding["name"] in shown for finding in told["findings"])
    assert all(sentence in shown for sentence in told["advice"])


def test_brackets_are_shown_and_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    doctor()
    assert "pip install 'tellapart[train]'" in capsys.readouterr().out
