"""The command line: one file per command, each of which parses its options, calls one function, and prints.

`GROUPS` lists the commands. `tellapart` and `tellapart --help` are printed from this file alone, without heavy imports.
"""

import io
import sys
from collections.abc import Mapping

from tellapart.version import __version__

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Data": {
        "check": "Find duplicates, leaks, odd files and likely wrong labels.",
        "split": "Divide images into train, validation and test.",
        "show": "Show an image as an array, or a data set's first images.",
        "augment": "Preview what an augmentation does to images.",
    },
    "Train": {
        "train": "Train a classifier and write a report.",
        "sweep": "Try values of options one after the other; keep the best.",
        "search": "Search the best values of the options with Hyperband.",
        "lr-find": "Find a learning rate with a range test.",
        "features": "Compute and cache a pre-trained network's features.",
        "import": "Make a bundle of a Keras model trained elsewhere, safely.",
    },
    "Judge": {
        "evaluate": "Measure a bundle on labelled images it has not seen.",
        "cross-validate": "Judge a recipe by k-fold cross-validation.",
        "compare": "Compare runs: metrics, paired tests, curves.",
        "report": "Write a run's report as one HTML file.",
        "explain": "Show which parts of an image a prediction depends on.",
        "calibrate": 'Choose a threshold below which a bundle says "I don\'t know".',
    },
    "Use": {
        "predict": "Classify images: files, folders, globs, or a list of paths.",
        "serve": "Serve predictions over HTTP, with a web page.",
        "export": "Convert a bundle to ONNX, LiteRT, Keras or OpenVINO.",
        "package": "Make a container or a Hugging Face Space that serves a bundle.",
        "imagenet": "Classify images among ImageNet's 1,000 classes.",
    },
    "Learn": {
        "lessons": "List the lessons, in the order to read them.",
        "lesson": "Run a lesson: an experiment that checks its own claims.",
        "summary": "List the models, or show a model's layers, size and speed.",
        "doctor": "Show what this machine has, and what to install.",
    },
}
"""The commands, by what they are for, each with a sentence."""

COMMANDS: Mapping[str, str] = {name: text for commands in GROUPS.values() for name, text in commands.items()}

FIRST_STEPS = """\
tellapart trains, judges, explains, exports and serves image classifiers.

With your own photos, one folder per class (photos/cat/1.jpg, photos/dog/2.jpg):

  tellapart check photos                          find duplicates, wrong labels
  tellapart train photos --time 10m --out runs/1  train for up to 10 minutes
  tellapart predict runs/1/bundle new.jpg         classify a new photo
  tellapart serve runs/1/bundle                   the same in the browser

Without data, on the handwritten digits of scikit-learn, in under a minute:

  tellapart train digits --model mlp --out runs/demo
  tellapart evaluate runs/demo/bundle digits

Next:

  tellapart --help          all commands
  tellapart train --help    all options of a command
  tellapart lessons         what the figures mean, by experiments you can run
  tellapart doctor          what this machine has, and what to install
"""

OPTIONS = """\
Options
  --help                Show this text; after a command, that command's options.
  --version             Print the version.
  --install-completion  Install completion of commands, options and choices for
                        your shell; --shell bash, zsh or fish chooses another.
"""


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    if not words:
        sys.stdout.write(FIRST_STEPS)
    elif words in (["--help"], ["-h"]):
        sys.stdout.write(overview())
    elif words == ["--version"]:
        sys.stdout.write(f"tellapart {__version__}\n")
    else:
        from tellapart.cli.run_command import run

        _accept_any_file_name()
        sys.exit(run(words))


def overview() -> str:
    """Return the text of `tellapart --help`: every command with its sentence, by group."""
    lines = ["tellapart trains, judges, explains, exports and serves image classifiers.", ""]
    lines += ["Usage: tellapart COMMAND [OPTIONS]", ""]
    for group, commands in GROUPS.items():
        lines += [group, *(f"  {name:<14}  {sentence}" for name, sentence in commands.items()), ""]
    return "\n".join([*lines, OPTIONS])


def _accept_any_file_name() -> None:
    """Read and print file names that are not valid text: as their bytes on input, as escapes on output."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
