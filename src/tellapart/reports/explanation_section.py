"""What a classifier looked at in some pictures, for its report."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.stored_predictions import Answers
from tellapart.data.dataset import Dataset
from tellapart.data.splits.round_robin import in_turn
from tellapart.errors import RunError
from tellapart.explaining import explanation
from tellapart.explaining.explanation import default_explainer
from tellapart.explaining.overlay import overlay
from tellapart.progress import progress
from tellapart.reports.report import Explanation, Judging, Thumb, data_uri, thumbnail
from tellapart.reports.report_images import read_some

EXPLAINED = 4  # pictures, half of them mistakes: each takes some 180 answers to check
SIDE = 224  # pixels of a picture with its map


def looked_at(bundle: Bundle, dataset: Dataset, split: Judging, answers: Answers) -> Iterator[Explanation]:
    """Explain the surest mistakes on a split, and the surest answers that are right."""
    rows = _telling(answers)
    pictures = read_some(dataset, split, [answers.digests[row] for row in rows])
    explainer = default_explainer(bundle)
    with progress("explaining", len(rows), "pictures") as advance:
        for row in rows:
            advance(1)
            if answers.digests[row] in pictures:
                found = explainer.explain(pictures[answers.digests[row]])
                name, true = Path(answers.names[row]).name, bundle.classes[answers.labels[row]]
                yield _explanation(found, Thumb(data_uri(thumbnail(found.picture, SIDE)), name, true=true), split)


def _explanation(found: explanation.Explanation, picture: Thumb, split: str) -> Explanation:
    scores = found.faithfulness
    if scores is None:
        raise RunError("an explanation was made without being checked: that is a mistake in tellapart, report it")
    return Explanation(
        picture=picture,
        overlay=Thumb(data_uri(thumbnail(overlay(found.picture, found.heat), SIDE)), picture.name),
        label=found.label,
        probability=found.probability,
        deletion=scores.deletion,
        random_deletion=scores.random_deletion,
        insertion=scores.insertion,
        random_insertion=scores.random_insertion,
        split=split,
    )


def _telling(answers: Answers) -> list[int]:
    """The rows that say most: the surest mistakes, then of each class in turn the surest that is right."""
    sure = np.argsort(-answers.probs.max(axis=1), kind="stable")
    mistaken = answers.predicted[sure] != answers.labels[sure]
    wrong, right = sure[mistaken][: EXPLAINED // 2], sure[~mistaken]
    return [*wrong.tolist(), *right[in_turn(answers.labels[right])][: EXPLAINED - len(wrong)].tolist()]
