"""Say in one plain sentence why words make no command; names are suggested by meaning and by letters."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import cyclopts

from tellapart.cli.commands import COMMANDS

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "--augment": ("--aug", "--augmentation", "--augmentations", "--transform", "--transforms"),
    "--batch-size": ("--batch", "--bs", "-b"),
    "--budget": ("--effort", "--preset", "--quality"),
    "--class-weight": ("--class-weights", "--balanced", "--weighting"),
    "--epochs": ("--epoch", "--n-epochs", "--num-epochs", "--max-epochs", "-e"),
    "--features": ("--embedding", "--embeddings", "--extractor"),
    "--folds": ("--k", "--kfold", "--n-folds", "--n-splits"),
    "--inner": ("--hidden", "--dense"),
    "--label-smoothing": ("--smoothing",),
    "--learning-rate": ("--lr", "--rate", "--alpha-rate", "--step-size"),
    "--mirror": ("--tta", "--flip-test"),
    "--mixed-precision": ("--amp", "--fp16", "--half", "--bf16"),
    "--model": ("--arch", "--architecture", "--backbone", "--network", "--net", "-m"),
    "--neighbours": ("--neighbors", "--n-neighbors", "--n-neighbours"),
    "--optimizer": ("--opt", "--optim", "--optimiser"),
    "--out": ("--output", "--output-dir", "--save-dir", "--dir", "--folder", "-o"),
    "--patience": ("--early-stopping", "--early-stop"),
    "--save": ("--output", "--file", "--html", "--png"),
    "--schedule": ("--scheduler", "--lr-schedule", "--lr-scheduler"),
    "--size": ("--image-size", "--img-size", "--imgsz", "--input-size", "--resolution", "--width", "--height"),
    "--test": ("--test-split", "--test-size", "--holdout"),
    "--time": ("--duration", "--max-time", "--minutes", "--seconds", "--timeout", "--hours"),
    "--to": ("--format", "--as", "--type"),
    "--top": ("--topk", "--top-k", "-k"),
    "--trees": ("--n-estimators", "--estimators", "--n-trees"),
    "--unfreeze": ("--trainable", "--fine-tune", "--finetune", "--unfreeze-layers"),
    "--units": ("--hidden", "--hidden-size", "--neurons"),
    "--validation": ("--val", "--val-split", "--validation-split", "--val-size"),
    "--weights": ("--pretrained", "--checkpoint", "--ckpt"),
}
"""Options, each with what other programs and people call it."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "calibrate": ("threshold", "reject"),
    "check": ("clean", "dedupe", "duplicates", "inspect", "validate", "lint"),
    "compare": ("diff",),
    "cross-validate": ("cv", "crossval", "kfold"),
    "evaluate": ("eval", "test", "score", "judge", "metrics"),
    "explain": ("gradcam", "saliency", "heatmap"),
    "export": ("convert", "onnx"),
    "features": ("embed", "extract"),
    "import": ("load",),
    "package": ("docker", "deploy"),
    "predict": ("classify", "infer", "inference", "label"),
    "search": ("tune", "optimize", "hyperband", "hpo"),
    "serve": ("server", "run", "api", "start"),
    "show": ("view", "display"),
    "summary": ("models", "list", "info"),
    "train": ("fit", "learn", "finetune", "fine-tune"),
}
"""Commands, each with what other programs and people call it."""
SOURCES = ("--data", "--dataset", "--source", "--input", "--images", "--path")
TYPES: Mapping[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}


NO_OPTION = re.compile(r"There is no option ([^;\s]+)")
"""How `predict` refuses an option among its images."""


def usage_error(error: cyclopts.CycloptsError) -> str:
    """Return the sentence for words that make no command."""
    error.verbose = False
    command = " ".join(["tellapart", *(error.command_chain or ())])
    if isinstance(error, cyclopts.UnknownOptionError):
        options = [name for argument in error.argument_collection if argument.parse for name in argument.names]
        return unknown_option(error.token.keyword or error.token.value, options, command)
    if isinstance(error, cyclopts.UnknownCommandError) and error.unused_tokens:
        word = error.unused_tokens[0]
        return f"there is no command {word!r}: {_suggestion(word, NAMES, COMMANDS) or 'tellapart --help lists them'}"
    if isinstance(error, cyclopts.UnusedCliTokensError) and error.unused_tokens:
        return f"{error.unused_tokens[0]!r} is one argument too many: {command} --help lists what it takes"
    if isinstance(error, cyclopts.ValidationError) and (refused := NO_OPTION.match(error.exception_message)):
        sentence = unknown_option(refused[1], _options_of(error), command)
        return f"{sentence}; a file of that name is ./{refused[1]}"
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        return f"{error.keyword or error.argument.name} is missing: {command} --help shows the command as a whole"
    if isinstance(error, cyclopts.CoercionError) and error.token and error.target_type and error.target_type in TYPES:
        name = error.token.keyword or (error.argument.name if error.argument else "the value")
        return f"{name} is {error.token.value!r}; expected {TYPES[error.target_type]}"
    return " ".join(str(error).split()).rstrip(".")


def unknown_option(word: str, options: Sequence[str], command: str) -> str:
    """Return the sentence for an option that a command does not have; `options` are those it has."""
    name = word.split("=")[0]
    if name in SOURCES:
        return f"there is no option {name}: what is read comes without one, after the command, as in {command} PHOTOS"
    return f"there is no option {name}: {_suggestion(name, OPTIONS, options) or f'{command} --help lists them'}"


def _suggestion(word: str, meanings: Mapping[str, tuple[str, ...]], known: Iterable[str]) -> str:
    """Suggest the known names that mean what a word does, else the one nearest in letters; "" without any."""
    bare = {name.lstrip("-"): name for name in known}  # dashes, which all options share, bring none nearer
    known = bare.values()
    meant = [name for name, others in meanings.items() if word.lower() in others and name in known]
    names = meant or [bare[near] for near in get_close_matches(word.lower().lstrip("-"), bare, n=1, cutoff=0.6)]
    return f"did you mean {' or '.join(names)}?" if names else ""


def _options_of(error: cyclopts.CycloptsError) -> list[str]:
    """Return the options of a command by its function's parameters."""
    parameters = inspect.signature(error.target).parameters if error.target else ()
    return [f"--{name.replace('_', '-')}" for name in parameters]
