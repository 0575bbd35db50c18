"""`tellapart features`."""

from tellapart.checking.dataset_features import dataset_features
from tellapart.cli.job_options import jobs_on
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.cli.run_command import INTERRUPTED
from tellapart.data.dataset import Dataset
from tellapart.files import cache_folder
from tellapart.progress import notify

PARTLY = 1


def features(
    source: str,
    /,
    *,
    model: str,
    reading: ReadAs = AS_IT_IS,
    on: str | None = None,
    workers: int | None = None,
) -> int:
    """Run a pre-trained network once over images and keep what it sees, for whatever trains on it.

    Stopped, the same command goes on with the rest.

    Parameters
    ----------
    source
        Labelled images, as for train.
    model
        The network, such as xception, with its published weights and images of its own size.
    on
        Who computes: ray, or a Ray cluster's ray://HOST:PORT. The features are the same.
    workers
        How many cores of the cluster compute; all when left out.
    """
    try:
        dataset = Dataset.open(source, reading)
        with jobs_on(on, workers) as jobs:
            seen = dataset_features(dataset, model, jobs)
    except KeyboardInterrupt:
        notify("\nstopped. What was computed is kept: the same command goes on with the rest")
        return INTERRUPTED
    count, missed = len(seen.locations), sum(map(len, dataset.splits.values())) - len(seen.locations)
    print(f"{count:,} images as {model} sees them, {missed:,} unreadable: kept in {cache_folder()}")
    return PARTLY if missed else 0
