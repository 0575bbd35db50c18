"""How often the test split of a run has been looked at: once is honest, more is choosing by it."""

import json
from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.stored_predictions import read_predictions
from tellapart.data.images import Images
from tellapart.errors import RunError
from tellapart.files import atomic_write
from tellapart.progress import notify

FILE = "test-uses.json"
RUN_FILES = ("recipe.toml", "metrics.json")  # what tells the folder of a run


def test_set_uses(run: Path) -> int:
    """How often the test split of a run was judged: once by the run itself. Raises RunError."""
    path = run / FILE
    if not path.exists():
        return 1
    try:
        return 1 + int(json.loads(path.read_text())["evaluations"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove it to count from one again") from error


def count_test_set_use(bundle: Bundle, judged: Images) -> None:
    """Count one more judging of a run's own test images in its folder, and say how many there were.

    Nothing is counted for other images, or for a bundle that no longer lies in its run. Raises RunError.
    """
    run = bundle.folder.resolve().parent
    answers = read_predictions(run, "test") if all((run / name).is_file() for name in RUN_FILES) else None
    if answers is None or not {*answers.digests} & {*judged.digests}:
        return
    uses = test_set_uses(run) + 1
    atomic_write(run / FILE, json.dumps({"evaluations": uses - 1}) + "\n")
    notify(f"the test images of {run.name} have now been judged {uses} times: choose nothing by them, or they flatter")
