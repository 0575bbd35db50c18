"""`tellapart features`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.checking.features import features as compute_features
from tellapart.checking.features import require_format
from tellapart.cli.options import COMMON, READ_DEFAULTS, Json, On, ReadAs, Workers, jobs_on, resumable
from tellapart.cli.output import print_json
from tellapart.data.dataset import Dataset
from tellapart.files import cache_folder

PARTLY = 1


def features(
    source: str,
    /,
    *,
    model: Annotated[str, Parameter(group=COMMON)],
    read_options: ReadAs = READ_DEFAULTS,
    save: Path | None = None,
    on: On = None,
    workers: Workers = None,
    json: Json = False,
) -> int:
    """Run a pre-trained network once over images, and cache its features for every later training.

    If it is stopped, the same command resumes. The exit status is 1 where an image cannot be read.

        tellapart features photos --model xception
        tellapart features photos --model xception --save features.npz

    Parameters
    ----------
    source
        Labelled images, as for train.
    model
        The network, such as xception, with its published weights, at its own image size.
    save
        Also write the features into a file: .npz, NumPy arrays with paths, splits and labels, or .csv, a row for each
        image.
    """
    if save is not None:
        require_format(save)
    with resumable("Computed features are kept"):
        dataset = Dataset.open(source, read_options)
        with jobs_on(on, workers) as jobs:
            result = compute_features(dataset, model, jobs=jobs)
    if save is not None:
        result.save(save)
    summary = {"model": model, "images": len(result), "unreadable": result.unreadable, "cache": cache_folder()}
    if json:
        print_json(summary | {"saved": save})
    else:
        print(f"{model} features of {len(result):,} images, {result.unreadable:,} unreadable: kept in {cache_folder()}")
        if save is not None:
            print(f"saved: {save}, {result.values.shape[1]:,} numbers for each image")
    return PARTLY if result.unreadable else 0
