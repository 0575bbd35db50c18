"""Count of evaluations on the test split of a run; repeated use turns it into a validation set."""

import json
from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.stored_predictions import read_predictions
from tellapart.data.images import Images
from tellapart.errors import RunError
from tellapart.files import atomic_write
from tellapart.progress import notify

FILE = "test-uses.json"
RUN_FILES = ("recipe.toml", "metrics.json")  # which identify the folder of a run


def test_set_uses(run: Path) -> int:
    """Return how often the test split was evaluated, including once by the run itself. Raises RunError."""
    path = run / FILE
    if not path.exists():
        return 1
    try:
        return 1 + int(json.loads(path.read_text())["evaluations"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove it to restart the count at one") from error


def count_test_set_use(bundle: Bundle, evaluated: Images) -> None:
    """Count another evaluation on a run's own test images, and report the total.

    Other images, and bundles outside their run, are not counted. Raises RunError.
    """
    run = bundle.folder.resolve().parent
    predictions = read_predictions(run, "test") if all((run / name).is_file() for name in RUN_FILES) else None
    if predictions is None or not {*predictions.digests} & {*evaluated.digests}:
        return
    uses = test_set_uses(run) + 1
    atomic_write(run / FILE, json.dumps({"evaluations": uses - 1}) + "\n")
    notify(f"the test images of {run.name} have now been evaluated {uses} times: selecting by them biases the results")
