"""`tellapart features`."""

from typing import Annotated

from cyclopts import Parameter

from tellapart.checking.dataset_features import dataset_features
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
    on: On = None,
    workers: Workers = None,
    json: Json = False,
) -> int:
    """Run a pre-trained network once over images, and cache its features for every later training.

    If it is stopped, the same command resumes. The exit status is 1 where an image cannot be read.

        tellapart features photos --model xception

    Parameters
    ----------
    source
        Labelled images, as for train.
    model
        The network, such as xception, with its published weights, at its own image size.
    """
    with resumable("Computed features are kept"):
        dataset = Dataset.open(source, read_options)
        with jobs_on(on, workers) as jobs:
            result = dataset_features(dataset, model, jobs)
    count = len(result.locations)
    unreadable = sum(map(len, dataset.splits.values())) - count
    if json:
        print_json({"model": model, "images": count, "unreadable": unreadable, "cache": cache_folder()})
    else:
        print(f"{model} features of {count:,} images, {unreadable:,} unreadable: kept in {cache_folder()}")
    return PARTLY if unreadable else 0
