"""`tellapart --install-completion`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.cli.commands import COMMANDS
from tellapart.cli.run_command import app

from .conftest import Said

PLACES = {
    "bash": ".local/share/bash-completion/completions/tellapart",
    "zsh": ".zsh/completions/_cyclopts_tellapart",
    "fish": ".config/fish/completions/tellapart.fish",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ZSH", "ZSH_CUSTOM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("shell", PLACES)
def test_the_script_is_written_where_the_shell_looks_for_it(shell: str, home: Path, said: Said) -> None:
    answer = said("--install-completion", "--shell", shell)
    assert answer.status == 0, answer.err
    script = home / PLACES[shell]
    written = {line.split(": ", 1)[1].removesuffix(", which loads it") for line in answer.out.splitlines()[:-1]}
    assert str(script) in written
    assert written == {str(path) for path in home.rglob("*") if path.is_file()}
    text = script.read_text()
    for word in (*COMMANDS, "--learning-rate", "one-cycle", "--json", "openvino"):
        assert word.lstrip("-") in text, word
    again = said("--install-completion", f"--shell={shell}")
    assert "changed" not in again.out


def test_bash_reads_its_script(home: Path) -> None:
    script = home / "tellapart"
    script.write_text(app.generate_completion(shell="bash"))  # noqa: S604  names a kind of shell
    subprocess.run(["bash", "-n", script], check=True)
    words = "COMP_WORDS=(tellapart tr); COMP_CWORD=1; COMP_LINE='tellapart tr'; COMP_POINT=12; _tellapart"
    done = subprocess.run(["bash", "-c", f". {script}; complete -p tellapart; {words}; echo ${{COMPREPLY[@]}}"],
                          capture_output=True, text=True)  # fmt: skip
    assert "train" in done.stdout, done


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (("--shell", "tcsh"), "there is no completion for tcsh: choose bash, zsh or fish"),
        (("bash",), "expected nothing, or --shell bash, zsh or fish"),
        (("--shell",), "expected nothing, or --shell bash, zsh or fish"),
    ],
)
def test_another_shell_is_refused(words: tuple[str, ...], phrase: str, home: Path, said: Said) -> None:
    assert phrase in said("--install-completion", *words).error
    assert list(home.iterdir()) == []


def test_a_home_that_cannot_be_written_is_a_sentence(home: Path, said: Said) -> None:
    (home / ".config").touch()
    assert said("--install-completion", "--shell", "fish").error.startswith("cannot write the completion script")


def test_it_loads_no_tensorflow(home: Path) -> None:
    code = (
        "import sys; from tellapart.cli.run_command import run; run(['--install-completion', '--shell', 'zsh']);"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'plotly', 'ray'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
