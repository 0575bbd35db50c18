"""Recipes with every choice made: what a person leaves out is filled in from the catalogue, once, at the front door."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tellapart.data.image_size import Size, sides_of
from tellapart.data.splits.draw_splits import HELD_OUT
from tellapart.errors import RecipeError, did_you_mean
from tellapart.models.catalogue import FOR_PHOTOS, MODELS, Model, lookup
from tellapart.recipe import AUTO, Optimizer, Recipe, Schedule

T = TypeVar("T")
PIXELS = "pixels"
VIEWS = 4  # of each image, where a frozen backbone is to see augmented ones
MAX_DEFAULT_EPOCHS = 200  # where few images make few steps an epoch; early stopping usually ends before


@dataclass(frozen=True)
class _Resolved(Recipe):
    """Fields of both kinds of resolved recipes, which are written to and read from files as any other recipe."""

    weights: str = field(kw_only=True)
    size: Size = field(kw_only=True)
    validation: float = field(kw_only=True)

    @property
    def entry(self) -> Model:
        """Its model in the catalogue."""
        return MODELS[self.model]

    @property
    def backbone(self) -> str | None:
        """The pre-trained network that its classifier is built on; None without one."""
        return self.model if self.weights != "none" else None


@dataclass(frozen=True)
class EstimatorRecipe(_Resolved):
    """A recipe of knn, forest or logistic. Fields that only networks use keep what was given, usually None."""

    features: str = field(kw_only=True)

    @property
    def backbone(self) -> str | None:
        """The pre-trained network whose features it is fitted on; None where it is fitted on pixels."""
        return self.features if self.features != PIXELS else None


@dataclass(frozen=True)
class NetworkRecipe(_Resolved):
    """A recipe of a network."""

    views: int = field(kw_only=True)
    inner: int = field(kw_only=True)
    dropout: float = field(kw_only=True)
    optimizer: Optimizer = field(kw_only=True)
    learning_rate: float = field(kw_only=True)
    schedule: Schedule = field(kw_only=True)
    batch_size: int = field(kw_only=True)
    epochs: int = field(kw_only=True)

    def changed(self, text: str) -> "NetworkRecipe":
        """Apply changes written as text; `none` is the model's own default. Raises RecipeError."""
        return resolve_network(Recipe(**vars(self)).changed(text), own_size=None)

    def stages(self) -> tuple["NetworkRecipe", ...]:
        """Return the recipe of each stage, as `Recipe.stages`."""
        return tuple(resolve_network(stage, own_size=None) for stage in Recipe(**vars(self)).stages())


ResolvedRecipe = EstimatorRecipe | NetworkRecipe


def resolve(recipe: Recipe, *, own_size: int | None, train_images: int | None = None) -> ResolvedRecipe:
    """Fill in what the recipe leaves to the model, and refuse what the model cannot do. Raises RecipeError.

    `own_size` is the images' own size in pixels where all share one: small networks take it as it is. With the number
    of training images, small networks get more epochs on few images, so that they make enough steps.
    """
    recipe = _with_named_model(recipe)
    if lookup(recipe.model).estimator:
        return resolve_estimator(recipe, own_size=own_size)
    return resolve_network(recipe, own_size=own_size, train_images=train_images)


def resolve_network(recipe: Recipe, *, own_size: int | None = None, train_images: int | None = None) -> NetworkRecipe:
    """Resolve the recipe of a network. Raises RecipeError."""
    recipe = _with_named_model(recipe)
    model = lookup(recipe.model)
    if recipe.features is not None:
        raise RecipeError(
            f"features is {recipe.features}, but {recipe.model} is a network, which takes images: leave --features "
            f"out, or train knn, forest or logistic"
        )
    size = recipe.size or _default_size(model, own_size)
    _require_large_enough(size, recipe.model, model)
    if not model.pretrained and recipe.weights not in (None, "none"):
        raise RecipeError(
            f"there are no pre-trained weights for {recipe.model}: leave --weights out, or train xception"
        )
    weights = recipe.weights or _default_weights(model)
    if weights == "none":
        _require_no_backbone(recipe)
    optimizer = recipe.optimizer or model.optimizer
    batch_size = _or(recipe.batch_size, model.batch_size)
    rate = 1e-2 if optimizer == "sgd" else 1e-3  # as in Keras
    return NetworkRecipe(
        **_with(
            recipe,
            size=size,
            weights=weights,
            inner=_or(recipe.inner, model.inner),
            dropout=_or(recipe.dropout, model.dropout),
            optimizer=optimizer,
            learning_rate=_or(recipe.learning_rate, rate),
            schedule=recipe.schedule or model.schedule,
            batch_size=batch_size,
            epochs=_or(recipe.epochs, _default_epochs(model, batch_size, train_images)),
            views=_or(recipe.views, VIEWS),
        )
    )


def _with_named_model(recipe: Recipe) -> Recipe:
    """Name the model for photos where no images have decided: see `prepare.with_model`."""
    return replace(recipe, model=FOR_PHOTOS) if recipe.model == AUTO else recipe


def resolve_estimator(recipe: Recipe, *, own_size: int | None = None) -> EstimatorRecipe:
    """Resolve the recipe of knn, forest or logistic. Raises RecipeError."""
    features = recipe.features or ("xception" if own_size is None else PIXELS)
    known = [PIXELS, *(name for name, model in MODELS.items() if model.pretrained)]
    if features not in known:
        raise RecipeError(f"{recipe.model} cannot use features of {features!r}: {did_you_mean(features, known)}")
    source = lookup(recipe.model if features == PIXELS else features)
    size = recipe.size or _default_size(source, own_size)
    _require_large_enough(size, features, source)
    if source.pretrained and recipe.weights == "none":
        raise RecipeError(
            f"weights is none, but features of an untrained {features} tell nothing: take --features {PIXELS}"
        )
    if not source.pretrained and recipe.weights not in (None, "none"):
        raise RecipeError(
            f"weights is {recipe.weights}, but pixels need none: leave it out, or take --features xception"
        )
    weights = recipe.weights or _default_weights(source)
    return EstimatorRecipe(**_with(recipe, features=features, size=size, weights=weights))


def _require_large_enough(size: Size, name: str, model: Model) -> None:
    """Refuse a size of which a side is smaller than the network takes."""
    if min(sides_of(size)) < model.smallest:
        least = f"{model.smallest} pixels or more" + ("" if isinstance(size, int) else " in height and in width")
        raise RecipeError(f"size is {size}; {name} takes {least}: --size {model.size}")


def _require_no_backbone(recipe: Recipe) -> None:
    """Refuse options of a pre-trained backbone where there is none."""
    if recipe.cut is not None or any(stage.unfreeze for stage in recipe.stages()):
        raise RecipeError(
            f"cut and unfreeze need a pre-trained backbone, and {recipe.model} is trained from scratch here, every "
            f"layer of it: leave them out, or take --model xception"
        )


def _with(recipe: Recipe, **values: object) -> dict[str, Any]:
    return vars(recipe) | {"validation": _or(recipe.validation, HELD_OUT)} | values


def _default_epochs(model: Model, batch_size: int, train_images: int | None) -> int:
    if not train_images:
        return model.epochs
    steps_per_epoch = math.ceil(train_images / batch_size)
    return max(model.epochs, min(math.ceil(model.min_steps / steps_per_epoch), MAX_DEFAULT_EPOCHS))


def _default_weights(model: Model) -> str:
    return "imagenet" if model.pretrained else "none"


def _default_size(model: Model, own_size: int | None) -> int:
    if model.pretrained or own_size is None or own_size < model.smallest:
        return model.size
    return own_size


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
