"""`tellapart serve` reads its options, and refuses what makes no sense before it opens the bundle."""

from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from tellapart.cli import serve as verb
from tellapart.scale.ray_serve import ReplicaCount
from tellapart.serving.settings import Settings

from .conftest import Said


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was to be served, in place of serving it."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(verb, "Predictor", lambda bundle: bundle)
    monkeypatch.setattr(verb, "serve_predictor", lambda bundle, **options: asked.append({"bundle": bundle, **options}))
    monkeypatch.setattr(verb, "serve_on_ray", lambda *what, **options: asked.append({"what": what, **options}))
    monkeypatch.delenv("TELLAPART_TOKEN", raising=False)
    return asked


USUAL = Settings(hosts=("127.0.0.1",), log_format="text")


def test_without_options_the_usual_settings_hold(served: list[dict[str, Any]], said: Said) -> None:
    assert said("serve", "b").status == 0
    (asked,) = served
    assert asked == {"bundle": Path("b"), "host": "127.0.0.1", "port": 8000, "settings": USUAL}


def test_options_become_settings(served: list[dict[str, Any]], said: Said, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * 20)
    words = ["--host", "0.0.0.0", "--port", "9", "--token-file", tmp_path / "token", "--workers", "3", "--queue", "5"]  # noqa: S104
    words += [
        "--max-pixels",
        "2e6",
        "--max-body",
        "1.5MB",
        "--deadline",
        "0.5s",
        "--allow-host",
        "a.b",
        "--allow-host",
        "c",
        "--log-format",
        "json",
    ]
    answer = said("serve", "b", *map(str, words))
    assert (answer.status, answer.err) == (0, "")
    (asked,) = served
    assert (asked["host"], asked["port"]) == ("0.0.0.0", 9)  # noqa: S104
    assert asked["settings"] == Settings(
        queue=5,
        deadline_s=0.5,
        max_body_bytes=1_500_000,
        max_pixels=2_000_000,
        workers=3,
        token="x" * 20,
        hosts=("0.0.0.0", "a.b", "c"),  # noqa: S104
        log_format="json",
    )


def test_the_environment_may_hold_the_token_and_no_token_waives_it(
    served: list[dict[str, Any]], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_TOKEN", "y" * 16)
    said("serve", "b", "--host", "10.0.0.1")
    said("serve", "b", "--host", "10.0.0.1", "--no-token")
    assert [asked["settings"].token for asked in served] == ["y" * 16, None]


VARIABLES = {
    "BUNDLE": "b", "HOST": "10.0.0.1", "PORT": "9", "NO_TOKEN": "1", "TOKEN_FILE": "", "ALLOW_HOST": "a.b, c",
    "ALLOW_ORIGIN": "https://a.example https://b.example", "LOG_FORMAT": "none", "WORKERS": " 3 ", "QUEUE": "5",
    "DEADLINE": "2s", "MAX_BODY": "1MB", "MAX_PIXELS": "2e6", "ON": "ray", "REPLICAS": "2..8",
}  # fmt: skip


def test_every_setting_can_be_a_variable(
    served: list[dict[str, Any]], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {name.lower() for name in VARIABLES} == set(signature(verb.serve).parameters)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(f"TELLAPART_SERVE_{name}", value)
    answer = said("serve")
    assert (answer.status, answer.err) == (0, "")
    (asked,) = served
    assert asked == {
        "what": ("ray", Path("b"), ReplicaCount(2, 8)),
        "host": "10.0.0.1",
        "port": 9,
        "settings": Settings(
            queue=5,
            deadline_s=2.0,
            max_body_bytes=1_000_000,
            max_pixels=2_000_000,
            workers=3,
            hosts=("10.0.0.1", "a.b", "c"),
            origins=("https://a.example", "https://b.example"),
        ),
    }


def test_an_option_comes_before_its_variable_and_help_names_both(
    served: list[dict[str, Any]], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_SERVE_PORT", "9")
    monkeypatch.setenv("TELLAPART_SERVE_ALLOW_HOST", "a b")
    said("serve", "b", "--port", "10", "--allow-host", "c")
    (asked,) = served
    assert (asked["port"], asked["settings"].hosts) == (10, ("127.0.0.1", "c"))
    text = " ".join(said("serve", "--help").out.replace("│", " ").split())
    assert all(f"TELLAPART_SERVE_{name}]" in text for name in VARIABLES)


@pytest.mark.parametrize(
    ("name", "value", "phrase"),
    [
        ("PORT", "nine", "error: TELLAPART_SERVE_PORT is 'nine'; expected a whole number"),
        ("LOG_FORMAT", "xml", 'Invalid value "xml" for TELLAPART_SERVE_LOG_FORMAT from env. Choose from: "text", '),
        ("QUEUE", "0", "error: TELLAPART_SERVE_QUEUE is 0, expected 1 image or more"),
        ("DEADLINE", "soon", "error: TELLAPART_SERVE_DEADLINE is 'soon', expected seconds such as 5s"),
        ("MAX_PIXELS", "nan", "error: TELLAPART_SERVE_MAX_PIXELS is nan"),
        ("ALLOW_ORIGIN", "x", "error: TELLAPART_SERVE_ALLOW_ORIGIN is 'x', expected a scheme and a host"),
        ("REPLICAS", "2", "leave TELLAPART_SERVE_REPLICAS out"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(
    served: list[dict[str, Any]], said: Said, monkeypatch: pytest.MonkeyPatch, name: str, value: str, phrase: str
) -> None:
    monkeypatch.setenv(f"TELLAPART_SERVE_{name}", value)
    answer = said("serve", "b")
    assert answer.status == 2
    assert phrase in " ".join(answer.err.replace("│", " ").split())
    assert not served


def test_a_wrong_option_is_refused_by_its_own_name(
    served: list[dict[str, Any]], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_SERVE_QUEUE", "5")
    for words in (["--queue", "0"], ["--queue=0"]):
        assert said("serve", "b", *words).error.startswith("--queue is 0, expected 1 image or more")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("PROT", "did you mean TELLAPART_SERVE_PORT"), ("PORT_80_TCP_ADDR", "known: TELLAPART_SERVE_ALLOW_HOST, ")],
)
def test_a_variable_that_is_no_setting_is_noticed(
    served: list[dict[str, Any]], said: Said, monkeypatch: pytest.MonkeyPatch, name: str, suggestion: str
) -> None:
    monkeypatch.setenv(f"TELLAPART_SERVE_{name}", "9")
    answer = said("serve", "b")
    assert answer.status == 0
    assert answer.err.startswith(f"TELLAPART_SERVE_{name} is not a setting of serve and has no effect: {suggestion}")
    assert served


@pytest.mark.parametrize(
    ("words", "count"),
    [([], None), (["--replicas", "3"], ReplicaCount(3, 3)), (["--replicas", "2..8"], ReplicaCount(2, 8))],
)
def test_replicas_are_asked_for_with_the_same_settings(
    served: list[dict[str, Any]], said: Said, words: list[str], count: ReplicaCount | None
) -> None:
    assert said("serve", "b", "--on", "ray", "--queue", "5", *words).status == 0
    (asked,) = served
    settings = replace(USUAL, queue=5)
    assert asked == {"what": ("ray", Path("b"), count), "host": "127.0.0.1", "port": 8000, "settings": settings}


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--host", "10.0.0.1"], "10.0.0.1 is reachable from other machines, and no token is set"),
        (["--token-file", "none"], "the token cannot be read from none"),
        (["--deadline", "soon"], "--deadline is 'soon', expected seconds such as 5s"),
        (["--deadline", "0s"], "--deadline is 0.0"),
        (["--max-body", "10 apples"], "--max-body is '10 apples', expected a size such as 10MB"),
        (["--max-body", "5TB"], "--max-body is '5TB'"),
        (["--max-pixels", "nan"], "--max-pixels is nan"),
        (["--max-pixels", "0"], "--max-pixels is 0"),
        (["--queue", "0"], "--queue is 0, expected 1 image or more"),
        (["--workers", "0"], "--workers is 0"),
        (["--replicas", "2"], "--replicas is about a cluster, which is not named: add --on ray"),
        (["--on", "ray", "--replicas", "many"], "--replicas is 'many', expected a number such as 3"),
        (["--on", "ray", "--replicas", "2-8"], "--replicas is '2-8'"),
        (["--on", "ray", "--replicas", "2..8..9"], "--replicas is '2..8..9'"),
        (["--on", "ray", "--replicas", "0"], "--replicas is 0; expected 1 or more"),
        (["--on", "ray", "--replicas", "8..2"], "--replicas is 8..2; expected 1 or more, or a minimum and a maximum"),
        (["--on", "ray", "--host", "10.0.0.1"], "10.0.0.1 is reachable from other machines, and no token is set"),
    ],
)
def test_what_makes_no_sense_is_refused(
    served: list[dict[str, Any]], said: Said, words: list[str], phrase: str
) -> None:
    answer = said("serve", "b", *words)
    assert answer.status == 2
    assert phrase in answer.err
    assert not served
