"""Help is quick, complete and light."""

import re
import statistics
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from tellapart import __version__
from tellapart.cli import max_pixels, run_command
from tellapart.cli.commands import COMMANDS
from tellapart.data.dataset import ReadOptions
from tellapart.recipe import Recipe

from .conftest import Said

PARAMETERS = {
    "check": ["SOURCE", "--features", "--save", "--findings", "--json"],
    "split": ["SOURCE", "--fractions", "--save", "--group-by", "--seed", "--json"],
    "train": [
        *(f"--{field.name.replace('_', '-')}" for field in fields(Recipe)),
        "--time",
        "--budget",
        "--from",
        "--out",
        "--resume",
        "--report",
        "--forbid",
        "--strict",
        "--json",
        "SOURCE",
    ],
    "sweep": [
        *(f"--{field.name.replace('_', '-')}" for field in fields(Recipe)),
        "--vary",
        "--grid",
        "--on",
        "--workers",
        "--out",
        "--json",
        "SOURCE",
    ],
    "search": [
        *(f"--{field.name.replace('_', '-')}" for field in fields(Recipe)),
        "--space",
        "--max-epochs",
        "--factor",
        "--workers",
        "--on",
        "--out",
        "--fresh",
        "--json",
        "SOURCE",
    ],
    "cross-validate": [
        *(f"--{field.name.replace('_', '-')}" for field in fields(Recipe)),
        "--folds",
        "--on",
        "--workers",
        "--out",
        "--json",
        "SOURCE",
    ],
    "lr-find": [
        *(f"--{field.name.replace('_', '-')}" for field in fields(Recipe)),
        "--steps",
        "--out",
        "--save",
        "--json",
        "SOURCE",
    ],
    "evaluate": ["BUNDLE", "SOURCE", "--split", "--cost", "--mistakes", "--figures", "--json"],
    "compare": ["RUNS", "--save", "--json"],
    "explain": ["BUNDLE", "IMAGES", "--method", "--label", "--save", "--json"],
    "report": ["RUN", "--data", "--json"],
    "calibrate": ["BUNDLE", "SOURCE", "--reject-for", "--out", "--json"],
    "predict": [
        "BUNDLE",
        "IMAGES",
        "--top",
        "--json",
        "--csv",
        "--logits",
        "--save",
        "--out",
        "--fresh",
        "--on",
        "--workers",
    ],
    "features": ["SOURCE", "--model", "--save", "--on", "--workers", "--json"],
    "serve": [
        "BUNDLE",
        *("--host", "--port", "--token-file", "--no-token", "--allow-host", "--allow-origin"),
        *("--log-format", "--workers", "--queue", "--deadline", "--max-body", "--max-pixels", "--on", "--replicas"),
    ],
    "package": ["BUNDLE", "--as", "--out", "--token", "--allow-host", "--base-image"],
    "summary": [
        "MODEL",
        "--size",
        "--channels",
        "--classes",
        "--units",
        "--inner",
        "--optimizer",
        "--json",
        "--recipe-schema",
    ],
    "show": ["SOURCE", "--count", "--image", "--save"],
    "augment": ["SOURCE", "--augment", "--count", "--views", "--size", "--seed", "--save"],
    "import": [
        "MODEL",
        "--classes",
        "--preprocess",
        "--out",
        "--size",
        "--fit",
        "--resize",
        "--scale-twice",
        "--name",
        "--json",
    ],
    "export": ["BUNDLE", "--to", "--check", "--out", "--input", "--int8", "--float16", "--checkpoint", "--json"],
    "imagenet": ["IMAGES", "--model", "--weights", "--top", "--json"],
    "lessons": ["--json"],
    "lesson": ["NAME", "--all", "--small", "--show-code", "--save", "--json"],
    "cache": ["--limit", "--json"],
    "doctor": ["--json"],
}
READING = [f"--{field.name.replace('_', '-')}" for field in fields(ReadOptions)]
READERS = (
    "check", "split", "train", "sweep", "search", "cross-validate", "lr-find", "evaluate", "calibrate", "show",
    "augment", "features",
)  # fmt: skip
for reader in READERS:
    PARAMETERS[reader] += READING


def test_the_overview_names_every_command_and_loads_next_to_nothing() -> None:
    code = (
        "import sys; sys.argv = ['tellapart', '--help']; from tellapart.cli import main; main();"
        "heavy = {'numpy', 'cyclopts', 'rich', 'pydantic', 'PIL', 'openvino', 'keras'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_the_overview_takes_no_more_than_three_tenths_of_a_second() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tellapart", "--help"], check=True, capture_output=True)
        return time.perf_counter() - started

    assert statistics.median(seconds() for _ in range(5)) <= 0.3


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_help_is_the_overview_and_no_word_at_all_shows_first_steps(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tellapart.cli import main

    monkeypatch.setattr(sys, "argv", ["tellapart", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert ("Usage: tellapart COMMAND" in text) == bool(words)
    assert ("With your own photos" in text) == (not words)
    assert max(map(len, text.splitlines())) <= 80


def test_first_steps_name_commands_that_exist() -> None:
    from tellapart.cli import FIRST_STEPS

    commands = re.findall(r"^  tellapart (\S+)", FIRST_STEPS, re.MULTILINE)
    assert len(commands) >= 8
    assert {command for command in commands if command != "--help"} <= COMMANDS.keys()


def test_train_shows_first_what_people_need_most(said: Said) -> None:
    panels = re.findall(r"^╭─ (.+?) ─", said("train", "--help").out, re.MULTILINE)
    assert panels == [
        "Arguments", "Common options", "Data", "Model", "Training", "Fine-tuning", "Budget", "Output",
    ]  # fmt: skip
    first = said("train", "--help").out.partition("─ Common options ─")[2].partition("╰")[0]
    assert re.findall(r"--[a-z]+", first)[:5] == ["--model", "--size", "--time", "--out", "--resume"]


@pytest.mark.parametrize(("old", "new"), run_command.RENAMED_COMMANDS.items())
def test_a_command_s_old_name_is_another_name_for_it(old: str, new: str, said: Said) -> None:
    assert said(old, "--help") == said(new, "--help")
    assert old not in COMMANDS


def test_an_option_s_old_name_is_another_name_for_it(said: Said, tiny: Path) -> None:
    assert said("show", tiny, "--picture", 3) == said("show", tiny, "--picture=3") == said("show", tiny, "--image", 3)
    assert "standard" in said("train", "nowhere", "--effort", "much").err
    assert "there is no folder nowhere" in said("train", "nowhere", "--effort", "quick").error


OLD_OPTIONS = {
    "train": (
        "--model --weights --size --fit --features --cut --unfreeze --then --augment --views --mirror --inner --units "
        "--dropout --neighbours --trees --loss --class-weight --label-smoothing --optimizer --learning-rate --schedule "
        "--ema --mixed-precision --batch-size --epochs --patience --min-delta --monitor --keep --validation --test "
        "--split-seed --seed --precision --time --effort --from --out --resume --report --forbid --strict "
        "--path-column --label-column --split-column --group-column --exclude-label --skip"
    ),
    "check": "--features --save --findings --json",
    "split": "--fractions --save --group-by --seed",
    "sweep": "--vary --grid --on --workers --out",
    "search": "--space --max-epochs --factor --workers --on --out --fresh",
    "folds": "--folds --on --workers --out",
    "find-rate": "--steps --out --save",
    "evaluate": "--split --cost --figures --json",
    "compare": "--save --json",
    "report": "--data",
    "calibrate": "--reject-for --out",
    "predict": "--top --json --csv --out --fresh --on --workers",
    "features": "--model --on --workers",
    "explain": "--method --label --save",
    "serve": (
        "--host --port --token-file --no-token --allow-host --workers --queue --deadline --max-body --max-pixels --on "
        "--replicas"
    ),
    "package": "--as --out --token --allow-host",
    "summary": "--size --channels --classes",
    "show": "--count --picture --save",
    "augment": "--augment --count --views --size --seed --save",
    "adopt": "--classes --preprocess --out --size --fit --name",
    "export": "--to --check --out --int8",
    "imagenet": "--model --weights --top --json",
    "lessons": "--json",
    "lesson": "--all --small --show-code --save",
    "doctor": "--json",
}


@pytest.mark.parametrize(("command", "options"), OLD_OPTIONS.items())
def test_every_option_of_the_first_version_is_still_there(command: str, options: str, said: Said) -> None:
    renamed = run_command.renamed([command, *options.split()])
    assert set(renamed[1:]) <= set(re.findall(r"--[a-z0-9-]+", said(command, "--help").out))


def test_the_version_is_the_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tellapart.cli import main

    monkeypatch.setattr(sys, "argv", ["tellapart", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == f"tellapart {__version__}\n"


def test_the_parameters_of_every_command_are_checked_here() -> None:
    assert PARAMETERS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_every_parameter_with_what_it_means(command: str, said: Said) -> None:
    answer = said(command, "--help")
    assert (answer.status, answer.err) == (0, "")
    text = " ".join(answer.out.split())
    for name in PARAMETERS[command]:
        assert re.search(rf"(?<![\w-]){name}(?![\w-])", text), f"{name} is not in the help"
    shown = re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", answer.out)
    known = {option for option in PARAMETERS[command] if option.startswith("--")}
    known |= {max_pixels.OPTION} if command in max_pixels.COMMANDS else set()
    assert {option for option in shown if not option.startswith(("--no-", "--help", "--version"))} <= known


def test_train_help_says_what_each_field_of_a_recipe_means(said: Said) -> None:
    text = " ".join(said("train", "--help").out.split())
    for phrase in ("Images per step", "Pre-trained weights", "leaves it out", "that is an improvement"):
        assert phrase in text


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["trian", "x"], "there is no command 'trian': did you mean train?"),
        (["infer", "x"], "did you mean predict?"),
        (["train", "x", "--lr", "3"], "there is no option --lr: did you mean --learning-rate?"),
        (["train", "x", "--imgsz=64"], "there is no option --imgsz: did you mean --size?"),
        (["train", "--data", "x"], "there is no option --data: what is read comes without one"),
        (["train", "x", "y"], "'y' is one argument too many"),
        (["train", "x", "--units", "256-512"], "--units is '256-512'; expected a whole number"),
        (["predict", "x", "a.png", "--topk", "3"], "did you mean --top?; a file of that name is ./--topk"),
        (["train"], "SOURCE"),
        (["train", "x", "--bogus", "3"], "--bogus"),
        (["train", "x", "--optimizer", "foo"], "adam"),
        (["train", "x", "--learning-rate", "fast"], "--learning-rate"),
        (["evaluate", "x", "y", "--split", "all"], "validation"),
        (["predict"], "BUNDLE"),
        (["predict", "x", "a.png", "--bogus"], "option --bogus"),
        (["predict", "x", "-x"], "option -x"),
        (["serve", "x", "--port", "http"], "--port"),
    ],
)
def test_words_that_make_no_command_are_refused_on_standard_error(words: list[str], phrase: str, said: Said) -> None:
    answer = said(*words)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("error: ")  # as every other refusal, without a box
    assert len(answer.err.splitlines()) == 1
    assert phrase in answer.err
    assert "Traceback" not in answer.err
