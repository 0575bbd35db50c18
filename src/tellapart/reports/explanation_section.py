"""Explanations of some predictions, for the report of a run."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.stored_predictions import StoredPredictions
from tellapart.data.dataset import Dataset
from tellapart.data.splits.grouping import round_robin
from tellapart.errors import RunError
from tellapart.explaining import explanation
from tellapart.explaining.explanation import default_explainer
from tellapart.explaining.overlay import overlay
from tellapart.progress import progress
from tellapart.reports.report import EvaluatedSplit, Explanation, Thumbnail, data_uri, thumbnail_jpeg
from tellapart.reports.report_images import read_images

MAX_EXPLAINED = 4  # images, half of them mistakes: the faithfulness of each takes some 180 predictions
SIDE = 224  # pixels of an image with its saliency map


def explain_examples(
    bundle: Bundle, dataset: Dataset, split: EvaluatedSplit, predictions: StoredPredictions
) -> Iterator[Explanation]:
    """Explain the most confident mistakes on a split, and the most confident correct predictions."""
    rows = _rows_to_explain(predictions)
    images = read_images(dataset, split, [predictions.digests[row] for row in rows], bundle.preprocessing.conversion)
    explainer = default_explainer(bundle)
    with progress("explaining", len(rows), "images") as advance:
        for row in rows:
            advance(1)
            if predictions.digests[row] in images:
                result = explainer.explain(images[predictions.digests[row]])
                name, true = Path(predictions.names[row]).name, bundle.classes[predictions.labels[row]]
                thumb = Thumbnail(data_uri(thumbnail_jpeg(result.image, SIDE)), name, true=true)
                yield _explanation(result, thumb, split)


def _explanation(result: explanation.Explanation, image: Thumbnail, split: str) -> Explanation:
    scores = result.faithfulness
    if scores is None:
        raise RunError("an explanation has no faithfulness scores: this is a bug in tellapart, please report it")
    return Explanation(
        image=image,
        overlay=Thumbnail(data_uri(thumbnail_jpeg(overlay(result.image, result.heat), SIDE)), image.name),
        label=result.label,
        probability=result.probability,
        deletion=scores.deletion,
        random_deletion=scores.random_deletion,
        insertion=scores.insertion,
        random_insertion=scores.random_insertion,
        split=split,
    )


def _rows_to_explain(predictions: StoredPredictions) -> list[int]:
    """Choose rows: the most confident mistakes, then the most confident correct prediction of each class in turn."""
    ranked = np.argsort(-predictions.probs.max(axis=1), kind="stable")
    is_mistake = predictions.predicted[ranked] != predictions.labels[ranked]
    mistakes, correct = ranked[is_mistake][: MAX_EXPLAINED // 2], ranked[~is_mistake]
    by_class = correct[round_robin(predictions.labels[correct])]
    return [*mistakes.tolist(), *by_class[: MAX_EXPLAINED - len(mistakes)].tolist()]
