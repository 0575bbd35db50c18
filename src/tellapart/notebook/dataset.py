"""How a data set shows itself in a notebook: some of its images, and how many each split has of each class."""

from collections.abc import Sequence

from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.pipeline import prefetch_map
from tellapart.data.preprocessing import to_image
from tellapart.data.splits.round_robin import round_robin
from tellapart.errors import ImageError
from tellapart.notebook.html import Html, block, heading, image, row, sentence, table

EXAMPLES = 10  # images that are read, however many there are
CLASSES = 20  # rows of the table; the other classes share one more
NAMED = 3  # images that cannot be had, of which a sentence names so many


def dataset_html(dataset: Dataset) -> Html:
    """Examples of its first split, and a table of counts."""
    total = sum(len(split) for split in dataset.splits.values())
    parts = [heading(f"{dataset.name}: {total:,} images in {len(dataset.classes):,} classes")]
    for name, split in list(dataset.splits.items())[:1]:
        parts += _examples(name, split, dataset.classes)
    parts.append(_counts(dataset))
    if dataset.skipped:
        parts.append(_unread(f"{len(dataset.skipped):,} files were left out", dataset.skipped))
    return block(*parts)


def _examples(name: str, split: Split, classes: tuple[str, ...]) -> list[Html]:
    """The images that can be read, and a sentence on those that cannot."""

    def drawn(index: int) -> Html | Skipped:
        title = split.images.name(index)
        try:
            return image(to_image(split.images.read(index)), name=title, caption=classes[split.labels[index]])
        except ImageError as error:
            return Skipped(title, str(error))

    chosen = round_robin(split.labels)[:EXAMPLES].tolist()
    found = list(prefetch_map(drawn, chosen, depth=EXAMPLES))
    shown = [one for one in found if not isinstance(one, Skipped)]
    unread = [one for one in found if isinstance(one, Skipped)]
    parts = [sentence(f"{len(shown)} of the images in {name}:"), row(*shown)]
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
