"""A data set in a notebook: example images, and the number of images of each class in each split."""

from collections.abc import Sequence

from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.pipeline import prefetch_map
from tellapart.data.preprocessing import to_image
from tellapart.data.splits.grouping import round_robin
from tellapart.errors import ImageError
from tellapart.notebook.html import Html, block, heading, image, row, sentence, table

MAX_EXAMPLES = 10  # images that are read
MAX_CLASSES = 20  # rows of the table; the other classes share one more
MAX_NAMED = 3  # unreadable images in a sentence


def dataset_html(dataset: Dataset) -> Html:
    """Render examples of the first split, and a table of counts."""
    total = sum(len(split) for split in dataset.splits.values())
    parts = [heading(f"{dataset.name}: {total:,} images in {len(dataset.classes):,} classes")]
    for name, split in list(dataset.splits.items())[:1]:
        parts += _examples(name, split, dataset.classes)
    parts.append(_counts(dataset))
    if dataset.skipped:
        parts.append(_skipped(f"{len(dataset.skipped):,} files were left out", dataset.skipped))
    return block(*parts)


def _examples(name: str, split: Split, classes: tuple[str, ...]) -> list[Html]:
    """Render the images that can be read, and a sentence about those that cannot."""

    def show(index: int) -> Html | Skipped:
        title = split.images.name(index)
        try:
            return image(to_image(split.images.read(index)), name=title, caption=classes[split.labels[index]])
        except ImageError as error:
            return Skipped(title, str(error))

    chosen = round_robin(split.labels)[:MAX_EXAMPLES].tolist()
    results = list(prefetch_map(show, chosen, depth=MAX_EXAMPLES))
    shown = [result for result in results if not isinstance(result, Skipped)]
    unreadable = [result for result in results if isinstance(result, Skipped)]
    parts = [sentence(f"{len(shown)} of the images in {name}:"), row(*shown)]
    if unreadable:
        parts.append(_skipped(f"{len(unreadable)} of {len(chosen)} examples cannot be read", unreadable))
    return parts


def _counts(dataset: Dataset) -> Html:
    """Tabulate the counts: a row for each class and a column for each split."""
    splits = {name: dataset.counts(name) for name in dataset.splits}
    rows = [
        [name, *(f"{counts[i]:,}" for counts in splits.values())]
        for i, name in enumerate(dataset.classes[:MAX_CLASSES])
    ]
    if (more := len(dataset.classes) - MAX_CLASSES) > 0:
        rows.append([f"{more:,} more classes", *(f"{counts[MAX_CLASSES:].sum():,}" for counts in splits.values())])
    rows.append(["all classes", *(f"{counts.sum():,}" for counts in splits.values())])
    return table(["class", *splits], rows)


def _skipped(lead: str, skipped: Sequence[Skipped]) -> Html:
    named = "; ".join(f"{file.path}: {file.reason}" for file in skipped[:MAX_NAMED])
    return sentence(f"{lead}: {named}{'; …' if len(skipped) > MAX_NAMED else ''}")
