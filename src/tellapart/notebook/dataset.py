"""How a data set shows itself in a notebook: some of its pictures, and how many each split has of each class."""

from collections.abc import Sequence

from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.pipeline import ahead
from tellapart.data.preprocessing import to_image
from tellapart.data.splits.round_robin import in_turn
from tellapart.errors import PictureError
from tellapart.notebook.html import Html, block, heading, picture, row, sentence, table

EXAMPLES = 10  # pictures that are read, however many there are
CLASSES = 20  # rows of the table; the other classes share one more
NAMED = 3  # pictures that cannot be had, of which a sentence names so many


def dataset_html(dataset: Dataset) -> Html:
    """Examples of its first split, and a table of counts."""
    total = sum(len(split) for split in dataset.splits.values())
    parts = [heading(f"{dataset.name}: {total:,} pictures in {len(dataset.classes):,} classes")]
    for name, split in list(dataset.splits.items())[:1]:
        parts += _examples(name, split, dataset.classes)
    parts.append(_counts(dataset))
    if dataset.skipped:
        parts.append(_unread(f"{len(dataset.skipped):,} files were left out", dataset.skipped))
    return block(*parts)


def _examples(name: str, split: Split, classes: tuple[str, ...]) -> list[Html]:
    """The pictures that can be read, and a sentence on those that cannot."""

    def drawn(index: int) -> Html | Skipped:
        title = split.pictures.name(index)
        try:
            return picture(to_image(split.pictures.read(index)), name=title, caption=classes[split.labels[index]])
        except PictureError as error:
            return Skipped(title, str(error))

    chosen = in_turn(split.labels)[:EXAMPLES].tolist()
    found = list(ahead(drawn, chosen, depth=EXAMPLES))
    shown = [one for one in found if not isinstance(one, Skipped)]
    unread = [one for one in found if isinstance(one, Skipped)]
    parts = [sentence(f"{len(shown)} of the pictures in {name}:"), row(*shown)]
    return [*parts, _unread(f"{len(unread)} of {len(chosen)} examples cannot be read", unread)] if unread else parts


def _counts(dataset: Dataset) -> Html:
    """A row for each class and a column for each split."""
    splits = {name: dataset.counts(name) for name in dataset.splits}
    rows = [
        [name, *(f"{counts[i]:,}" for counts in splits.values())] for i, name in enumerate(dataset.classes[:CLASSES])
    ]
    if (more := len(dataset.classes) - CLASSES) > 0:
        rows.append([f"{more:,} more classes", *(f"{counts[CLASSES:].sum():,}" for counts in splits.values())])
    rows.append(["all classes", *(f"{counts.sum():,}" for counts in splits.values())])
    return table(["class", *splits], rows)


def _unread(lead: str, skipped: Sequence[Skipped]) -> Html:
    named = "; ".join(f"{one.path}: {one.reason}" for one in skipped[:NAMED])
    return sentence(f"{lead}: {named}{'; …' if len(skipped) > NAMED else ''}")
