"""tellapart learns to tell images apart.

    >>> from tellapart import Dataset, Recipe, train, Predictor
    >>> run = train(Dataset.open("digits"), Recipe(model="mlp"), out="runs/digits")
    >>> for prediction in Predictor(run.bundle).predict(["photo.jpg"]):
    ...     print(prediction.label, prediction.probability)

Four nouns: a Dataset and a Recipe make a Run; a Run leaves a Bundle, which alone is needed to predict.
Names are imported when they are first used, so `import tellapart` is quick and never loads TensorFlow.
"""

import importlib
import warnings
from typing import TYPE_CHECKING

from tellapart.version import __version__

if TYPE_CHECKING:
    from tellapart.bundles.bundle import Bundle
    from tellapart.bundles.calibrate import calibrate
    from tellapart.bundles.evaluate import evaluate
    from tellapart.bundles.predictor import Prediction, Predictor, Unreadable
    from tellapart.checking.check import check
    from tellapart.checking.features import features
    from tellapart.data.dataset import Dataset
    from tellapart.errors import TellapartError
    from tellapart.explaining.methods import explain
    from tellapart.exporting.export import export
    from tellapart.judging.evaluation import Evaluation, judge
    from tellapart.recipe import Recipe
    from tellapart.reports.build_report import report
    from tellapart.reports.compare import compare
    from tellapart.studies.folds.cross_validate import cross_validate
    from tellapart.studies.lr_find import lr_find
    from tellapart.studies.search.search import search
    from tellapart.studies.sweep.sweep import sweep
    from tellapart.training.import_model import import_model
    from tellapart.training.run import Run, train

_HOMES = {
    "Bundle": "bundles.bundle",
    "Dataset": "data.dataset",
    "Evaluation": "judging.evaluation",
    "Prediction": "bundles.predictor",
    "Predictor": "bundles.predictor",
    "Recipe": "recipe",
    "Run": "training.run",
    "TellapartError": "errors",
    "Unreadable": "bundles.predictor",
    "calibrate": "bundles.calibrate",
    "check": "checking.check",
    "compare": "reports.compare",
    "cross_validate": "studies.folds.cross_validate",
    "evaluate": "bundles.evaluate",
    "explain": "explaining.methods",
    "export": "exporting.export",
    "features": "checking.features",
    "import_model": "training.import_model",
    "judge": "judging.evaluation",
    "lr_find": "studies.lr_find",
    "report": "reports.build_report",
    "search": "studies.search.search",
    "sweep": "studies.sweep.sweep",
    "train": "training.run",
}

__all__ = [
    "Bundle",
    "Dataset",
    "Evaluation",
    "Prediction",
    "Predictor",
    "Recipe",
    "Run",
    "TellapartError",
    "Unreadable",
    "__version__",
    "calibrate",
    "check",
    "compare",
    "cross_validate",
    "evaluate",
    "explain",
    "export",
    "features",
    "import_model",
    "judge",
    "lr_find",
    "report",
    "search",
    "sweep",
    "train",
]


_OLD_NAMES = {"adopt": "import_model", "find_rate": "lr_find", "folds": "cross_validate"}


def __getattr__(name: str) -> object:
    if name in _OLD_NAMES:
        warnings.warn(f"{name} is now tellapart.{_OLD_NAMES[name]}", DeprecationWarning, stacklevel=2)
        name = _OLD_NAMES[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'tellapart' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tellapart.{_HOMES[name]}"), name)
