"""`tellapart evaluate`."""

import json as jsonlib
from pathlib import Path
from typing import Literal

from tellapart.bundles.evaluation import evaluate as evaluate_bundle
from tellapart.cli.tables import confusion_table, metrics_table
from tellapart.data.dataset import Dataset


def evaluate(
    bundle: Path,
    source: str,
    /,
    *,
    split: Literal["train", "validation", "test"] = "test",
    json: bool = False,
) -> None:
    """Judge a bundle on one split of a data set.

    Parameters
    ----------
    bundle
        The bundle's folder.
    source
        Labelled pictures, as for train.
    split
        Which part. Test never holds a picture that training saw.
    json
        One JSON object: the metrics with their 95 % intervals, the confusion matrix, the classes.
    """
    found = evaluate_bundle(bundle, Dataset.open(source), split=split)
    if json:
        print(jsonlib.dumps(found.as_json(detailed=True)))
        return
    print(metrics_table({split: found.as_json()}))
    print()
    print(confusion_table(found.confusion.tolist(), found.classes))
