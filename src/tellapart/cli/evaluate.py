"""`tellapart evaluate`."""

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.evaluate import evaluate as evaluate_bundle
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.cli.tables import confusion_table, cost_table, metrics_table
from tellapart.data.dataset import Dataset
from tellapart.judging.costs import compare_decisions, read_costs
from tellapart.progress import notify
from tellapart.reports.png import write_figures


def evaluate(
    bundle: Path,
    source: str,
    /,
    *,
    reading: ReadAs = AS_IT_IS,
    split: Literal["train", "validation", "test"] = "test",
    cost: Path | None = None,
    figures: Path | None = None,
    json: bool = False,
) -> None:
    """Judge a bundle on one split of a data set.

    Parameters
    ----------
    bundle
        The bundle's folder.
    source
        Labelled images, as for train.
    split
        Which part. Test never holds an image that training saw.
    cost
        A CSV table of what each mistake costs: a row for each true class, a column for each predicted one.
    figures
        A folder for the figures as PNG files. A Chromium or Chrome must be installed.
    json
        One JSON object: the metrics with their 95 % intervals, the confusion matrix, the classes.
    """
    opened = Bundle.open(bundle)
    costs = None if cost is None else read_costs(cost, opened.classes)
    found = evaluate_bundle(opened, Dataset.open(source, reading), split=split)
    decided = None if costs is None else compare_decisions(found.labels, found.probs, costs)
    if json:
        print(jsonlib.dumps(found.as_json(detailed=True) | ({"cost": asdict(decided)} if decided else {})))
    else:
        print(metrics_table({split: found.as_json()}, every=True))
        print()
        print(confusion_table(found.confusion.tolist(), found.classes))
        if decided:
            print()
            print(cost_table(decided))
    if figures:
        threshold = opened.reject.probability if opened.reject else None
        for path in write_figures(found, figures, split=split, threshold=threshold):
            notify(f"figure: {path}")
