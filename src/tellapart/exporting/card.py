"""Model card of a packaged bundle, in Markdown: its classes, metrics and licence."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tellapart.bundles.bundle import Bundle

METRIC_TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "top_3": "top-3 accuracy",
    "log_loss": "log-loss (lower is better)",
    "ece": "expected calibration error (lower is better)",
}
MAX_CLASSES = 100


def model_card(bundle: Bundle) -> str:
    """Return paragraphs and a table: classes, input size, reject option, metrics on test images, licence."""
    return "\n\n".join(
        [_classes(bundle), *_reject_option(bundle), _metrics(bundle.metrics.get("test")), _licence(bundle)]
    )


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it literally, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#|&~$])", r"\\\1", " ".join(text.split()))


def _classes(bundle: Bundle) -> str:
    names = ", ".join(escape_markdown(name) for name in bundle.classes[:MAX_CLASSES])
    more = f" and {len(bundle.classes) - MAX_CLASSES:,} more" if len(bundle.classes) > MAX_CLASSES else ""
    size, model = bundle.preprocessing, bundle.manifest.recipe.get("model")
    kind = f" It is tellapart's `{model}`." if model else ""
    return (
        f"It predicts {len(bundle.classes):,} classes from {size.width} x {size.height} px images: {names}{more}.{kind}"
    )


def _reject_option(bundle: Bundle) -> Iterator[str]:
    if (reject := bundle.reject) is not None:
        outlier = " or for images unlike its training images" * (reject.strangeness is not None)
        yield f'It answers "I don\'t know" below a confidence of {reject.probability:.3f}{outlier}.'


def _metrics(test: Mapping[str, Any] | None) -> str:
    if not test:
        return "It has not been evaluated on test images: use `tellapart evaluate`."
    rows = [f"| {title} | {_estimate(test[name])} |" for name, title in METRIC_TITLES.items() if test.get(name)]
    lead = f"On {test['n']:,} test images, unseen in training and model selection (95% intervals in parentheses):"
    return "\n".join([lead, "", "| metric | value |", "|---|---|", *rows])


def _estimate(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _licence(bundle: Bundle) -> str:
    licence = bundle.manifest.licence
    weights = f"Its pre-trained weights are licensed under {escape_markdown(licence)}. " if licence else ""
    return (
        f"{weights}The licence of its training images is not known to tellapart, which is itself under Apache-2.0: add "
        f"it here before you share the classifier."
    )
