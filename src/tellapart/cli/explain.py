"""`tellapart explain`."""

from pathlib import Path
from typing import Literal

from PIL import Image

from tellapart.bundles.bundle import Bundle
from tellapart.cli.drawing import save_or_draw
from tellapart.cli.predict import Word
from tellapart.data.dataset import read_bytes
from tellapart.data.grid import grid
from tellapart.data.image import ImageArray, decode
from tellapart.data.preprocessing import to_image
from tellapart.errors import DatasetError, ImageError
from tellapart.explaining.explanation import Explainer, Explanation
from tellapart.explaining.methods import explainer
from tellapart.explaining.overlay import overlay_on_photo, shrunk

PARTLY = 1
ROW = 320  # pixels that a photo is high where there are several


def explain(
    bundle: Path,
    /,
    *images: Word,
    method: Literal["cam", "gradcam", "occlusion", "layers", "filters"] | None = None,
    label: str | None = None,
    save: Path | None = None,
) -> int:
    """Show where in an image a bundle looks, and check that it matters.

    Parameters
    ----------
    bundle
        The bundle's folder.
    images
        Image files.
    method
        cam: what each cell of the last feature map speaks for (the default where there is one). occlusion: what
        hiding a place costs (works on any bundle; the default for others). gradcam: the same by gradients (needs
        tellapart[train]). layers: an image's feature maps, layer by layer. filters: what the first layer looks
        for; needs no image.
    label
        Explain what speaks for this class; the likeliest unless stated.
    save
        Write a PNG file.
    """
    opened = Bundle.open(bundle)
    if method == "filters":
        return _filters(opened, images, save)
    if not images:
        raise DatasetError("no image was named; expected one file or more. Only --method filters needs none")
    if method == "layers":
        return _layers(opened, images, save)
    return _maps(explainer(opened, method), images, label, save)


def _maps(ready: Explainer, files: tuple[str, ...], label: str | None, save: Path | None) -> int:
    pairs: list[tuple[ImageArray, ImageArray]] = []
    for file in files:
        try:
            photo = decode(read_bytes(file))
            found = ready.explain(photo, label=label)
        except ImageError as error:
            print(f"{file}: error: {error}")
            continue
        print(_said(file, found), flush=True)
        pairs.append((shrunk(photo), overlay_on_photo(photo, found.heat, ready.bundle.preprocessing)))
    if pairs:
        save_or_draw(_sheet(pairs), save)
    return PARTLY if len(pairs) < len(files) else 0


def _said(file: str, found: Explanation) -> str:
    """The answer, the map's scores beside those of random maps, and what they mean."""
    lines = [f"{file}: {found.label} {found.probability:.1%}, explained by {found.method}"]
    if (scores := found.faithfulness) is not None:
        lines += [
            f"  hiding what is marked leaves    {scores.deletion:.1%}  (random maps {scores.random_deletion:.1%}; "
            f"less is better)",
            f"  showing only what is marked     {scores.insertion:.1%}  (random maps {scores.random_insertion:.1%}; "
            f"more is better)",
            f"  {scores.meaning}",
        ]
    return "\n".join(lines)


def _sheet(pairs: list[tuple[ImageArray, ImageArray]]) -> Image.Image:
    """Each photo with its overlay beside it; of several the pairs below each other, at one height."""
    height = pairs[0][0].shape[0] if len(pairs) == 1 else ROW
    rows = [_row(pair, height) for pair in pairs]
    sheet = Image.new("RGB", (max(row.width for row in rows), height * len(rows)), "white")
    for number, row in enumerate(rows):
        sheet.paste(row, (0, number * height))
    return sheet


def _row(pair: tuple[ImageArray, ImageArray], height: int) -> Image.Image:
    width = max(1, round(pair[0].shape[1] * height / pair[0].shape[0]))
    row = Image.new("RGB", (2 * width, height))
    for number, one in enumerate(pair):
        row.paste(to_image(one).convert("RGB").resize((width, height)), (number * width, 0))
    return row


def _filters(bundle: Bundle, files: tuple[str, ...], save: Path | None) -> int:
    from tellapart.explaining.layers import first_filters

    if files:
        raise DatasetError(f"{len(files)} images were named, but filters are of the bundle alone: leave them out")
    bundle.verify()
    found = first_filters(bundle)
    height, width, channels = found[0].shape
    print(f"first layer: {len(found)} filters of {height} x {width} x {channels} weights; grey is 0")
    save_or_draw(grid(found, [str(number) for number in range(len(found))], columns=8), save)
    return 0


def _layers(bundle: Bundle, files: tuple[str, ...], save: Path | None) -> int:
    from tellapart.explaining.layers import feature_maps

    if len(files) > 1:
        raise DatasetError(f"{len(files)} images were named, but layers are shown of one: name one")
    bundle.verify()
    try:
        image = bundle.preprocessing(decode(read_bytes(files[0])))
    except ImageError as error:
        raise ImageError(f"{files[0]}: {error}") from error
    found = feature_maps(bundle, image)
    columns = max(len(layer.images) for layer in found)
    cells: list[ImageArray] = []
    captions: list[str] = []
    for layer in found:
        height, width, count = layer.shape
        print(f"{layer.name}: {layer.kind}, {count} maps of {height} x {width}")
        blank = columns - len(layer.images)
        cells += [*layer.images, *[layer.images[0] * 0 + 255] * blank]
        captions += [f"{channel} {layer.name}" for channel in layer.channels] + [""] * blank
    save_or_draw(grid(cells, captions, columns=columns), save)
    return 0
