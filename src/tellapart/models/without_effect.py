"""Find fields of a recipe that a model does not use, to refuse options that would have no effect."""

from collections.abc import Iterable, Mapping

from tellapart.models.catalogue import MODELS
from tellapart.recipe import AUTO
from tellapart.text import joined

ONLY: Mapping[str, tuple[str, ...]] = {
    "neighbours": ("knn",),
    "trees": ("forest",),
    "units": ("mlp",),
}
"""Fields that few models use, with these."""
OF_NETWORKS = frozenset(
    (
        "cut", "unfreeze", "then", "augment", "views", "mirror", "inner", "dropout", "loss", "class_weight",
        "label_smoothing", "optimizer", "learning_rate", "schedule", "ema", "mixed_precision", "batch_size", "epochs",
        "patience", "min_delta", "monitor", "keep",
    )
)  # fmt: skip
"""Fields of training by gradients, and of the layers that are trained so."""


def without_effect(model: str, names: Iterable[str]) -> dict[str, str]:
    """Return those fields that a model does not use, each with what does; an unknown model uses them all."""
    estimator = model in MODELS and MODELS[model].estimator
    unused = {}
    for name in names:
        if model not in ONLY.get(name, (model,)) and (model in MODELS or model == AUTO):
            unused[name] = f"--model {' or '.join(ONLY[name])}"
        elif estimator and name in OF_NETWORKS:
            unused[name] = "networks"
    return unused


def refusal(model: str, unused: Mapping[str, str]) -> str:
    """Return the sentence that refuses fields without effect, by the names of their options."""
    options = joined([f"--{name.replace('_', '-')}" for name in unused], most=len(unused))
    uses = " and ".join(dict.fromkeys(unused.values()))
    who = "the model that the images decide" if model == AUTO else model
    pronoun = "it" if len(unused) == 1 else "them"
    return f"{options} would have no effect on {who}, only on {uses}: leave {pronoun} out, or choose another --model"
