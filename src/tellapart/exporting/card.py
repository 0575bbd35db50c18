"""What a package says of its bundle, in Markdown: what it tells apart, how well, and under which licence."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tellapart.bundles.bundle import Bundle

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "top_3": "right class among the first three",
    "log_loss": "log-loss (less is better)",
    "ece": "expected calibration error (less is better)",
}
SHOWN_CLASSES = 100


def about(bundle: Bundle) -> str:
    """Paragraphs and a table: classes, size, when it does not know, metrics on test images, licence."""
    return "\n\n".join([_classes(bundle), *_unknown(bundle), _metrics(bundle.metrics.get("test")), _licence(bundle)])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#|&~$])", r"\\\1", " ".join(text.split()))


def _classes(bundle: Bundle) -> str:
    names = ", ".join(escaped(name) for name in bundle.classes[:SHOWN_CLASSES])
    more = f" and {len(bundle.classes) - SHOWN_CLASSES:,} more" if len(bundle.classes) > SHOWN_CLASSES else ""
    size, model = bundle.preprocessing, bundle.facts.recipe.get("model")
    kind = f" It is tellapart's `{model}`." if model else ""
    return f"It tells {len(bundle.classes):,} classes apart, at {size.width} x {size.height} px: {names}{more}.{kind}"


def _unknown(bundle: Bundle) -> Iterator[str]:
    if (reject := bundle.reject) is not None:
        strange = " or where an image is unlike all that it was trained on" * (reject.strangeness is not None)
        yield f'It answers "I don\'t know" below a probability of {reject.probability:.3f}{strange}.'


def _metrics(test: Mapping[str, Any] | None) -> str:
    if not test:
        return "It has not been judged on test images: `tellapart evaluate` does."
    rows = [f"| {said} | {_estimate(test[name])} |" for name, said in METRICS.items() if test.get(name)]
    title = f"On {test['n']:,} test images, which neither training nor any choice saw (in brackets 95 % intervals):"
    return "\n".join([title, "", "| metric | value |", "|---|---|", *rows])


def _estimate(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _licence(bundle: Bundle) -> str:
    base = bundle.facts.licence
    weights = f"The pre-trained weights that it stands on are under {escaped(base)}. " if base else ""
    return (
        f"{weights}The licence of the images that it was trained on is not known to tellapart, which is under "
        f"Apache-2.0 itself: add it here before you pass the classifier on."
    )
