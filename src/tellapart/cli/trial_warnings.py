"""Warnings about the trials of a study, or its folds, on standard error."""

from collections.abc import Mapping, Sequence

from tellapart.progress import notify
from tellapart.text import counted, printable
from tellapart.training.training_warnings import TrainingWarning

MAX_NAMED = 5  # trials: most of a search may be bad, and are expected to be


def notify_warnings(warnings: Mapping[str, Sequence[TrainingWarning]]) -> None:
    """Print the warnings about what each key names, such as `trial 3 (size 64)`; of many the first."""
    named = [(name, reasons) for name, reasons in warnings.items() if reasons]
    for name, reasons in named[:MAX_NAMED]:
        for reason in reasons:
            notify(f"warning: {printable(f'{name}: {reason}')}")
    if (more := len(named) - MAX_NAMED) > 0:
        notify(f"warning: {counted(more, 'other has', 'others have')} such warnings: --json lists them")
