"""What a classifier looked at in some images, for its report."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.data.dataset import Dataset
from tellapart.data.splits.round_robin import round_robin
from tellapart.errors import RunError
from tellapart.explaining import explanation
from tellapart.explaining.explanation import default_explainer
from tellapart.explaining.overlay import overlay
from tellapart.progress import progress
from tellapart.reports.report import Explanation, Judging, Thumb, data_uri, thumbnail
from tellapart.reports.report_images import read_some

EXPLAINED = 4  # images, half of them mistakes: each takes some 180 answers to check
SIDE = 224  # pixels of an image with its map


def looked_at(bundle: Bundle, dataset: Dataset, split: Judging, answers: StoredPredictions) -> Iterator[Explanation]:
    """Explain the surest mistakes on a split, and the surest answers that are right."""
    rows = _telling(answers)
    images = read_some(dataset, split, [answers.digests[row] for row in rows])
    explainer = default_explainer(bundle)
    with progress("explaining", len(rows), "images") as advance:
        for row in rows:
            advance(1)
            if answers.digests[row] in images:
                found = explainer.explain(images[answers.digests[row]])
                name, true = Path(answers.names[row]).name, bundle.classes[answers.labels[row]]
                yield _explanation(found, Thumb(data_uri(thumbnail(found.image, SIDE)), name, true=true), split)


def _explanation(found: explanation.Explanation, image: Thumb, split: str) -> Explanation:
    scores = found.faithfulness
    if scores is None:
        raise RunError("an explanation was made without being checked: that is a mistake in tellapart, report it")
    return Explanation(
        image=image,
        overlay=Thumb(data_uri(thumbnail(overlay(found.image, found.heat), SIDE)), image.name),
        label=found.label,
        probability=found.probability,
        deletion=scores.deletion,
        random_deletion=scores.random_deletion,
        insertion=scores.insertion,
        random_insertion=scores.random_insertion,
        split=split,
    )


def _telling(answers: StoredPredictions) -> list[int]:
    """The rows that say most: the surest mistakes, then of each class in turn the surest that is right."""
    sure = np.argsort(-answers.probs.max(axis=1), kind="stable")
    mistaken = answers.predicted[sure] != answers.labels[sure]
    wrong, right = sure[mistaken][: EXPLAINED // 2], sure[~mistaken]
    return [*wrong.tolist(), *right[round_robin(answers.labels[right])][: EXPLAINED - len(wrong)].tolist()]
