"""The command line: one file per verb, each of which parses, calls one function, and prints.

`COMMANDS` lists them. `tellapart --help` is printed from that table alone, so that it takes no import.
"""

import io
import sys
from collections.abc import Mapping

from tellapart.version import __version__

COMMANDS: Mapping[str, str] = {
    "check": "Look at labelled images before training: copies, leaks, odd files, wrong labels, uneven classes.",
    "split": "Divide labelled images into train, validation and test, as a table to train from.",
    "train": "Train a classifier from a folder of class folders, an .npz file or a named data set.",
    "sweep": "Try values of a recipe's fields, one after the other, and leave the winner's bundle.",
    "search": "Find the best values of a recipe by Hyperband, and leave the winner's bundle.",
    "folds": "Judge a recipe by cross-validation: the mean over folds, its spread, and every image's probabilities.",
    "find-rate": "Find a learning rate: the loss while the rate grows from step to step.",
    "evaluate": "Judge a bundle on labelled images it has not seen.",
    "compare": "Set runs side by side: metrics, paired tests, curves over each other.",
    "report": "Write a run's report: one HTML file that opens without a network.",
    "calibrate": 'Let a bundle say "I don\'t know": below a threshold for an accuracy or a coverage.',
    "predict": "Name the category of images: files, folders, globs, or a list on standard input.",
    "features": "Run a pre-trained network once over images and keep what it sees, for whatever trains on it.",
    "explain": "Show where in an image a bundle looks, and check that it matters.",
    "serve": "Answer over HTTP, with a page to drop images on.",
    "package": "Make a folder that serves a bundle: to build a container of, or to push as a Hugging Face Space.",
    "summary": "A model's layers, parameters, multiply-adds and what it will cost on this machine.",
    "show": "Show an image as the array it is, or the first images of a data set with their labels.",
    "augment": "Show what an augmentation makes of a data set's images, before anything is trained.",
    "adopt": "Make a bundle of a Keras model trained elsewhere; nothing in it that could run code is loaded.",
    "export": "Write a bundle as ONNX, LiteRT, SavedModel, .keras, .h5 or OpenVINO, and compare the two at once.",
    "imagenet": "Name what images show among ImageNet's 1,000 classes.",
    "lessons": "List the lessons: questions about telling images apart, in the order to read them.",
    "lesson": "Answer a question by an experiment that checks its own claims; or write the book of all.",
    "doctor": "Say what this machine has, what tellapart uses of it, and what to install.",
}


def main() -> None:
    """Run the command line; the only place where an error becomes a sentence and an exit status."""
    if sys.argv[1:] in ([], ["--help"], ["-h"]):
        sys.stdout.write(_overview())
        return
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"tellapart {__version__}\n")
        return
    from tellapart.cli.run_command import run

    _let_names_pass()
    sys.exit(run(sys.argv[1:]))


def _let_names_pass() -> None:
    """A file's name may be bytes that are no text: they are taken as they are, and printed as escapes of JSON."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _overview() -> str:
    lines = [f"  {name:<10} {sentence}" for name, sentence in COMMANDS.items()]
    return "\n".join(
        [
            "tellapart learns to tell images apart.",
            "",
            "Usage: tellapart COMMAND ...        (tellapart COMMAND --help says more)",
            "",
            *lines,
            "",
            "Begin with:  tellapart train PHOTOS     where PHOTOS holds one folder of images per class",
            "",
        ]
    )
