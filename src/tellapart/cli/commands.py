"""The commands, by what they are for. Free of heavy imports: `tellapart --help` prints this table."""

from collections.abc import Mapping

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
        "cache": "List what the cache holds; make room.",
        "doctor": "Show what this machine has, and what to install.",
    },
}
"""The commands, by what they are for, each with a sentence."""

COMMANDS: Mapping[str, str] = {name: text for commands in GROUPS.values() for name, text in commands.items()}
