"""`tellapart evaluate`."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.evaluate import evaluate as evaluate_bundle
from tellapart.cli.options import READ_DEFAULTS, Json, ReadAs
from tellapart.cli.output import confusion_table, cost_table, metrics_table, mistakes_table, print_json
from tellapart.cli.predict import predict
from tellapart.data.dataset import Dataset
from tellapart.data.sources.references import find_image, is_reference
from tellapart.errors import DatasetError
from tellapart.judging.costs import compare_decisions, read_costs
from tellapart.progress import notify
from tellapart.reports.png import write_figures


def evaluate(
    bundle: Path,
    source: str,
    /,
    *,
    read_options: ReadAs = READ_DEFAULTS,
    split: Literal["train", "validation", "test"] = "test",
    cost: Path | None = None,
    mistakes: int | None = None,
    figures: Path | None = None,
    json: Json = False,
) -> None:
    """Measure a bundle on one split of a data set: metrics with 95 % intervals, and the confusion matrix.

        tellapart evaluate runs/photos/bundle photos
        tellapart evaluate runs/digits/bundle mnist --mistakes 20
        tellapart evaluate runs/digits/bundle "mnist:test[7388]"

    Parameters
    ----------
    bundle
        Folder of the bundle.
    source
        Labelled images, as for train; or one of them, such as "mnist:test[7388]", in quotes.
    split
        Which part. The test split never contains an image that training saw.
    cost
        A CSV table with the cost of each mistake: a row per true class, a column per predicted class.
    mistakes
        List this many of the incorrectly predicted images, the most confident first.
    figures
        A folder for the figures as PNG files. Needs Chromium or Chrome.
    """
    if mistakes is not None and mistakes < 1:
        raise DatasetError(f"mistakes is {mistakes}; expected 1 or more")
    if is_reference(source):
        if mistakes or cost or figures:
            raise DatasetError(f"{source} is one image: leave --mistakes, --cost and --figures out")
        find_image(source)  # raises where there is none
        predict(bundle, source, json=json)
        return
    opened = Bundle.open(bundle)
    costs = None if cost is None else read_costs(cost, opened.classes)
    result = evaluate_bundle(opened, Dataset.open(source, read_options), split=split)
    decision = None if costs is None else compare_decisions(result.labels, result.probs, costs, groups=result.groups)
    listed = result.mistakes[:mistakes] if mistakes else ()
    if json:
        extra: dict[str, object] = {"cost": asdict(decision)} if decision else {}
        extra |= {"mistakes": [asdict(mistake) for mistake in listed]} if mistakes else {}
        print_json(result.as_json(detailed=True) | extra)
    else:
        print(metrics_table({split: result.as_json()}, every=True))
        if result.warning:
            notify(f"warning: {result.warning}")
        print()
        print(confusion_table(result.cells, result.classes))
        if decision:
            print()
            print(cost_table(decision))
        if mistakes:
            print()
            print(mistakes_table(listed, len(result.mistakes)))
    if figures:
        threshold = opened.reject.probability if opened.reject else None
        for path in write_figures(result, figures, split=split, threshold=threshold):
            notify(f"figure: {path}")
