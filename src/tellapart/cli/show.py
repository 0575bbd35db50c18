"""`tellapart show`."""

from pathlib import Path

from tellapart.cli.drawing import array_text, save_or_draw
from tellapart.cli.options import READ_DEFAULTS, ReadAs
from tellapart.data.dataset import Dataset
from tellapart.data.decoding.conversion import MAX_VALUE, Conversion, ImageArray
from tellapart.data.decoding.decode import decode, read_wide
from tellapart.data.image_grid import draw_grid
from tellapart.data.levels import levels_of, visible_conversion
from tellapart.data.preprocessing import to_image
from tellapart.data.read_image import read_bytes
from tellapart.data.sources.open_source import is_one_file
from tellapart.data.sources.references import find_image, is_reference
from tellapart.errors import DatasetError

COUNT = 10


def show(
    source: str,
    /,
    *,
    read_options: ReadAs = READ_DEFAULTS,
    count: int | None = None,
    image: int | None = None,
    save: Path | None = None,
) -> None:
    """Show an image as the array it is, or the first images of a data set with their labels.

        tellapart show photo.jpg
        tellapart show photos --count 20 --save first.png

    Parameters
    ----------
    source
        An image file; a data set as for train; or an image of one, such as "mnist:test[7388]", in quotes.
    count
        Number of images of a data set; 10 by default.
    image
        One image of a data set, by its index from 0.
    save
        Write a PNG file instead of drawing in the terminal.
    """
    if is_reference(source):
        labelled = find_image(source)
        print(f"label: {labelled.label}")
        _show_array(labelled.read(visible_conversion([labelled.images.take([labelled.index])])), save)
        return
    if Path(source).is_file() and not is_one_file(source):
        if image is not None or count is not None:
            raise DatasetError(f"{source} is one image: leave out --count and --image, which choose from a data set")
        _show_file(source, save)
        return
    if image is not None and count is not None:
        raise DatasetError("--image shows one image and --count several: leave one out")
    count = COUNT if count is None else count
    dataset = Dataset.open(source, read_options)
    split = next(iter(dataset.splits.values()))
    conversion = visible_conversion([split.images])
    if image is not None:
        if not 0 <= image < len(split):
            raise DatasetError(f"there is no image {image}: {dataset.name} has 0 to {len(split) - 1}")
        print(f"label: {dataset.classes[split.labels[image]]}")
        _show_array(split.images.read(image, conversion), save)
        return
    if count < 1:
        raise DatasetError(f"count is {count}; expected 1 or more")
    indices = range(min(count, len(split)))
    labels = [dataset.classes[split.labels[i]] for i in indices]
    for i, label in zip(indices, labels, strict=True):
        print(f"{i}: {label}  {split.images.name(i)}")
    save_or_draw(draw_grid([split.images.read(i, conversion) for i in indices], labels), save)


def _show_file(path: str, save: Path | None) -> None:
    """Show an image file; of 16 bits, as training on it alone would take its values."""
    content = read_bytes(path)
    wide = read_wide(content)
    if wide is None:
        _show_array(decode(content), save)
        return
    levels = levels_of(wide)
    low, high = levels.range or (0, MAX_VALUE)
    print(f"stored: 16 bits, {int(wide.min()):,} to {levels.highest:,}; below, {low:,} is black and {high:,} white")
    _show_array(decode(content, conversion=Conversion(levels.range)), save)


def _show_array(array: ImageArray, save: Path | None) -> None:
    print(array_text(array))
    save_or_draw(to_image(array), save)
