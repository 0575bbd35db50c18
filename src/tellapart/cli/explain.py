"""`tellapart explain`."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from PIL import Image

from tellapart.bundles.bundle import Bundle
from tellapart.cli.drawing import save as save_png
from tellapart.cli.drawing import save_or_draw
from tellapart.cli.options import Json
from tellapart.cli.output import print_json
from tellapart.cli.predict import PARTLY, ImageArgument
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.image_grid import draw_grid
from tellapart.data.image_inputs import named_image
from tellapart.data.preprocessing import to_image
from tellapart.errors import DatasetError, ImageError
from tellapart.explaining.explanation import Explainer, Explanation
from tellapart.explaining.methods import explainer
from tellapart.explaining.overlay import overlay_on_photo, shrink

ROW_HEIGHT = 320  # pixels, where there are several photos


def explain(
    bundle: Path,
    /,
    *images: ImageArgument,
    method: Literal["cam", "gradcam", "occlusion", "layers", "filters"] | None = None,
    label: str | None = None,
    save: Path | None = None,
    json: Json = False,
) -> int:
    """Show which parts of an image a prediction depends on, and test that they matter.

    The saliency map is tested by hiding what it marks, and by showing nothing else, beside random maps.

        tellapart explain runs/photos/bundle new.jpg --save why.png

    Parameters
    ----------
    bundle
        Folder of the bundle.
    images
        Image files, or images of a data set, such as "mnist:test[7388]", in quotes.
    method
        cam: the contribution of each cell of the last feature map; the default where the network has one.
        occlusion: the effect of hiding each part; works with any bundle; the default for others. gradcam: cam by
        gradients; needs tellapart[train]. layers: the feature maps of one image, layer by layer. filters: the
        weights of the first layer; takes no image.
    label
        Explain this class; by default the predicted one.
    save
        Write a PNG file instead of drawing in the terminal.
    """
    opened = Bundle.open(bundle)
    if json and method in ("layers", "filters"):
        raise DatasetError(f"--json is for saliency maps, not for --method {method}: leave one of the two out")
    if method == "filters":
        return _filters(opened, images, save)
    if not images:
        raise DatasetError("no image was named; expected one file or more. Only --method filters needs none")
    if method == "layers":
        return _layers(opened, images, save)
    return _maps(explainer(opened, method), images, label, save, json=json)


def _maps(ready: Explainer, files: tuple[str, ...], label: str | None, save: Path | None, *, json: bool) -> int:
    pairs: list[tuple[ImageArray, ImageArray]] = []
    rows: list[dict[str, object]] = []
    for file in files:
        try:
            named = named_image(file, conversion=ready.bundle.preprocessing.conversion)
            photo = named.read()
            result = ready.explain(photo, label=label)
        except ImageError as error:
            rows.append({"path": file, "error": str(error)})
            text = f"{file}: error: {error}"
        else:
            pairs.append((shrink(photo), overlay_on_photo(photo, result.heat, ready.bundle.preprocessing)))
            known = {} if named.true is None else {"true": named.true}
            rows.append({"path": file} | _as_json(result) | known)
            text = _text(file, result, named.true)
        if not json:
            print(text, flush=True)
    if pairs and not json:
        save_or_draw(_sheet(pairs), save)
    elif pairs and save:
        save_png(_sheet(pairs), save)
    if json:
        print_json({"explanations": rows, "saved": save if pairs else None})
    return PARTLY if len(pairs) < len(files) else 0


def _as_json(result: Explanation) -> dict[str, object]:
    faithfulness = None
    if result.faithfulness is not None:
        faithfulness = asdict(result.faithfulness) | {"meaning": result.faithfulness.meaning}
    return {
        "label": result.label,
        "probability": result.probability,
        "method": result.method,
        "faithfulness": faithfulness,
    }


def _text(file: str, result: Explanation, true: str | None) -> str:
    """The prediction, the map's scores beside those of random maps, and what they mean."""
    known = "" if true is None else f" (the true label is {true})"
    lines = [f"{file}: {result.label} {result.probability:.1%}, explained by {result.method}{known}"]
    if (scores := result.faithfulness) is not None:
        lines += [
            f"  hiding what is marked leaves    {scores.deletion:.1%}  (random maps {scores.random_deletion:.1%}; "
            f"less is better)",
            f"  showing only what is marked     {scores.insertion:.1%}  (random maps {scores.random_insertion:.1%}; "
            f"more is better)",
            f"  {scores.meaning}",
        ]
    return "\n".join(lines)


def _sheet(pairs: list[tuple[ImageArray, ImageArray]]) -> Image.Image:
    """Each photo with its overlay beside it; several pairs below each other, at one height."""
    height = pairs[0][0].shape[0] if len(pairs) == 1 else ROW_HEIGHT
    rows = [_row(pair, height) for pair in pairs]
    sheet = Image.new("RGB", (max(row.width for row in rows), height * len(rows)), "white")
    for number, row in enumerate(rows):
        sheet.paste(row, (0, number * height))
    return sheet


def _row(pair: tuple[ImageArray, ImageArray], height: int) -> Image.Image:
    width = max(1, round(pair[0].shape[1] * height / pair[0].shape[0]))
    row = Image.new("RGB", (2 * width, height))
    for number, image in enumerate(pair):
        row.paste(to_image(image).convert("RGB").resize((width, height)), (number * width, 0))
    return row


def _filters(bundle: Bundle, files: tuple[str, ...], save: Path | None) -> int:
    from tellapart.explaining.layers import first_filters

    if files:
        raise DatasetError(f"{len(files)} images were named, but filters are of the bundle alone: leave them out")
    bundle.verify()
    filters = first_filters(bundle)
    height, width, channels = filters[0].shape
    print(f"first layer: {len(filters)} filters of {height} x {width} x {channels} weights; grey is 0")
    save_or_draw(draw_grid(filters, [str(number) for number in range(len(filters))], columns=8), save)
    return 0


def _layers(bundle: Bundle, files: tuple[str, ...], save: Path | None) -> int:
    from tellapart.explaining.layers import feature_maps

    if len(files) > 1:
        raise DatasetError(f"{len(files)} images were named, but layers are shown of one: name one")
    bundle.verify()
    try:
        image = bundle.preprocessing(named_image(files[0], conversion=bundle.preprocessing.conversion).read())
    except ImageError as error:
        raise ImageError(f"{files[0]}: {error}") from error
    layers = feature_maps(bundle, image)
    columns = max(len(layer.images) for layer in layers)
    cells: list[ImageArray] = []
    captions: list[str] = []
    for layer in layers:
        height, width, count = layer.shape
        print(f"{layer.name}: {layer.kind}, {count} maps of {height} x {width}")
        blank = columns - len(layer.images)
        cells += [*layer.images, *[layer.images[0] * 0 + 255] * blank]
        captions += [f"{channel} {layer.name}" for channel in layer.channels] + [""] * blank
    save_or_draw(draw_grid(cells, captions, columns=columns), save)
    return 0
