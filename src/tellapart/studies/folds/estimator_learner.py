"""EstimatorLearner: knn, forest or logistic, fitted fold by fold on vectors that are computed once."""

from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.judging.calibration import apply_temperature
from tellapart.models.classical.estimators import Estimator, Vectors
from tellapart.models.classical.fit import estimator_probabilities, fit_estimator
from tellapart.models.resolved_recipe import EstimatorRecipe
from tellapart.studies.folds.learner import FoldPrediction, rows_by_digest, rows_of
from tellapart.training.estimator_run import vector_source
from tellapart.training.final_evaluation import temperature_of
from tellapart.training.prepare import drop_unreadable


class EstimatorLearner:
    """Fits an estimator in each fold. Keeps the vectors of all images in memory."""

    def __init__(self, dataset: Dataset, recipe: EstimatorRecipe) -> None:
        self._recipe = recipe
        vectors = vector_source(dataset, recipe).vectors(dataset.splits["train"].images, "all folds")
        self._dataset = drop_unreadable(dataset, "train", vectors.kept, vectors.skipped)
        self._vectors = vectors.values
        self._rows = rows_by_digest(self._dataset)

    @property
    def dataset(self) -> Dataset:
        """See Learner."""
        return self._dataset

    def learn(self, dataset: Dataset, held_out: Images, _: Path, /) -> FoldPrediction:
        """Fit on `train`. Nothing is chosen on validation; it only calibrates, as in a run."""
        split = dataset.splits["train"]
        vectors = self._vectors[rows_of(self._rows, split.images)]
        estimator = fit_estimator(self._recipe, vectors, split.labels, len(dataset.classes))
        probs = self._predict(estimator, held_out)
        if self._recipe.model == "logistic" and "validation" in dataset.splits:
            validation = dataset.splits["validation"]
            validation_probs = self._predict(estimator, validation.images)
            probs = apply_temperature(probs, temperature_of(validation.labels, validation_probs))
        return FoldPrediction(probs, None)

    def _predict(self, estimator: Estimator, images: Images) -> Vectors:
        return estimator_probabilities(estimator, self._vectors[rows_of(self._rows, images)], label="judging the fold")
