"""Recipe: everything that decides a run, and nothing else. Stored as TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import tomli_w
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.preprocessing import Fit
from tellapart.engine import Precision
from tellapart.errors import RecipeError, did_you_mean
from tellapart.files import atomic_write

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop", "nadam", "adagrad", "adadelta", "adamax", "ftrl", "lion"]
Loss = Literal["categorical", "binary"]
Schedule = Literal["constant", "cosine", "plateau", "one-cycle"]
Monitor = Literal["val_loss", "val_accuracy"]
ClassWeight = Literal["none", "balanced"]
Keep = Literal["best", "last", "all"]


@dataclass(frozen=True)
class Recipe:
    """What to train, and how. `None` means the model's own default; `train` settles it and writes it down."""

    model: str = "xception"
    """A name from the catalogue: `tellapart summary` lists them."""
    weights: str | None = None
    """Pre-trained weights: imagenet, a file, or none to train the whole network from scratch."""
    size: int | None = None
    """Height and width of an image in pixels."""
    fit: Fit = "crop"
    """How an image of another shape is made square."""
    features: str | None = None
    """What knn, forest and logistic stand on: a frozen base such as xception, or pixels."""
    cut: str | None = None
    """Where the base ends: the name of a layer, or -N to leave out its last N."""
    unfreeze: int = 0
    """How many of the base's last layers are trained too; those before them stay frozen."""
    then: tuple[str, ...] = ()
    """Further stages, each what changes in it, such as unfreeze=20,learning_rate=1e-5,epochs=5."""
    augment: str = ""
    """What is done to training images at random, such as flip,rotate=30,shift=0.1."""
    views: int | None = None
    """How many augmented views of each image a frozen base is run over, besides the image itself."""
    mirror: bool = False
    """Answer with the mean over an image and its mirror image."""
    inner: int | None = None
    """Units of a Dense layer between the features and the logits; 0 leaves it out."""
    units: int = 128
    """Units of the hidden layer of mlp."""
    dropout: float | None = None
    """Share of values dropped before the logits while training."""
    neighbours: int = 5
    """How many nearest training images vote in knn."""
    trees: int = 300
    """How many trees a forest has."""
    loss: Loss = "categorical"
    """Cross-entropy over all classes, or for two classes over one logit."""
    class_weight: ClassWeight = "none"
    """Balanced: a class counts in the loss as if all had as many images."""
    label_smoothing: float = 0.0
    """Share of a label's certainty that is spread over all classes while training."""
    optimizer: Optimizer | None = None
    """Keras's optimizer of that name."""
    learning_rate: float | None = None
    """Its step size at the start."""
    schedule: Schedule | None = None
    """How the step size goes on: constant; cosine, from epoch to epoch down half a cosine towards 0; plateau, a third
    of it after 3 epochs without improvement; one-cycle, from step to step up and then down to nearly 0."""
    ema: float = 0.0
    """Judge and keep a running mean of the weights that forgets 1 - ema of itself per step; 0 keeps the weights."""
    mixed_precision: bool = False
    """Compute in bfloat16 while training, with weights in float32: quicker on GPUs and some CPUs, slower on others."""
    batch_size: int | None = None
    """Images per step."""
    epochs: int | None = None
    """Passes over the training split, at most."""
    patience: int = 5
    """Stop after this many epochs without improvement of `monitor`."""
    min_delta: float = 0.0
    """What counts as an improvement."""
    monitor: Monitor = "val_loss"
    """What chooses the best epoch."""
    keep: Keep = "best"
    """Which epoch's weights the classifier gets: the best, or the last; all also leaves every epoch's checkpoint."""
    validation: float | None = None
    """Share held out for choosing, where the data set has no validation split; 0.15, but at most 5,000 images."""
    test: float = 0.15
    """Share held out for judging, where the data set has no test split of its own."""
    split_seed: int = 0
    """Draws those two splits."""
    seed: int = 0
    """Draws weights, order and dropout: the same seed repeats a run exactly on CPU."""
    precision: Precision = "auto"
    """Of the frozen base and of predictions: auto takes bfloat16 where the CPU has it in hardware."""

    def __post_init__(self) -> None:
        """Refuse what no run can do. Raises RecipeError."""
        for name, kind in _kinds().items():
            try:
                kind.validate_python(getattr(self, name))
            except ValidationError as error:
                reason = error.errors()[0]["msg"]
                raise RecipeError(f"{name} is {getattr(self, name)!r}: {reason}") from error
        for field, low, high in RANGES:
            value = getattr(self, field)
            if value is not None and not low <= value <= high:
                raise RecipeError(f"{field} is {value}; expected {low} to {high}")
        if (self.validation or 0) + self.test >= 1:
            raise RecipeError(
                f"validation {self.validation} and test {self.test} leave nothing to train on: together less than 1"
            )
        Augmentation.parse(self.augment)
        if self.then:
            self.stages()

    def changed(self, text: str) -> "Recipe":
        """The same but for what a text says: `unfreeze=20,learning_rate=1e-5`. Raises RecipeError."""
        changes: dict[str, Any] = {}
        for item in text.split(","):
            name, equals, value = (part.strip() for part in item.partition("="))
            if not equals:
                raise RecipeError(f"{text!r} has {item!r}; expected field=value, such as learning_rate=1e-5")
            changes[name] = Recipe.value(name, value)
        return replace(self, **changes)

    @staticmethod
    def value(name: str, text: str) -> object:
        """Read what a field may hold from text; `none` leaves it to the model. Raises RecipeError."""
        if name not in _kinds():
            raise RecipeError(f"a recipe has no field {name!r}: {did_you_mean(name, _kinds())}")
        kind = get_type_hints(Recipe)[name]
        if text.lower() == "none" and type(None) in get_args(kind):
            return 0 if name == "inner" else None  # no inner layer is what a person means
        try:
            return TypeAdapter(kind).validate_python(text)
        except ValidationError as error:
            raise RecipeError(f"{name} is {text!r}: {error.errors()[0]['msg']}") from error

    def stages(self) -> tuple["Recipe", ...]:
        """The recipe of each stage: itself, then with what each line of `then` changes. Raises RecipeError."""
        stages = [replace(self, then=())]
        for line in self.then:
            stages.append(stages[-1].changed(line))
            if fixed := [name for name in _kinds() if name not in STAGED and _differ(stages[-2:], name)]:
                raise RecipeError(f"a stage changes {', '.join(fixed)} in {line!r}; it may change {', '.join(STAGED)}")
        return tuple(stages)

    def as_dict(self) -> dict[str, Any]:
        """Its fields, without those left to the model: what TOML and JSON can hold."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def write(self, path: Path) -> None:
        """Store it as TOML, atomically."""
        atomic_write(path, tomli_w.dumps(self.as_dict()))

    @staticmethod
    def read(path: Path) -> "Recipe":
        """Read it back. Raises RecipeError that names the field."""
        try:
            return Recipe.of(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path} is not a recipe: {error}") from error

    @staticmethod
    def of(fields: dict[str, Any]) -> "Recipe":
        """Make one from its fields as TOML or JSON holds them. Raises RecipeError that names the wrong one."""
        for name in fields:
            if name not in _kinds():
                raise RecipeError(f"a recipe has no field {name!r}: {did_you_mean(name, _kinds())}")
        stages = fields.get("then")
        return Recipe(**{**fields, "then": tuple(stages)} if isinstance(stages, list) else fields)


@cache
def _kinds() -> Mapping[str, TypeAdapter[Any]]:
    """For each field what it may hold; strict, so that "10", 10.0 and true are no whole numbers."""
    strict = ConfigDict(strict=True)
    return {name: TypeAdapter(kind, config=strict) for name, kind in get_type_hints(Recipe).items()}


def _differ(stages: list[Recipe], name: str) -> bool:
    return len({getattr(stage, name) for stage in stages}) > 1


STAGED = (
    "unfreeze", "learning_rate", "epochs", "optimizer", "schedule", "batch_size", "patience", "min_delta", "dropout",
    "size", "augment", "views", "mirror", "class_weight", "label_smoothing", "ema", "keep", "mixed_precision",
)  # fmt: skip
"""What a further stage may change."""

RANGES = (
    ("size", 4, 4096),
    ("inner", 0, 65_536),
    ("units", 1, 65_536),
    ("dropout", 0.0, 0.99),
    ("unfreeze", 0, 10_000),
    ("views", 0, 1_000),
    ("neighbours", 1, 10_000),
    ("trees", 1, 100_000),
    ("label_smoothing", 0.0, 0.9),
    ("ema", 0.0, 0.9999),
    ("learning_rate", 1e-9, 1e3),
    ("batch_size", 1, 65_536),
    ("epochs", 1, 100_000),
    ("patience", 0, 100_000),
    ("min_delta", 0.0, 1e3),
    ("validation", 0.0, 0.9),
    ("test", 0.0, 0.9),
    ("seed", 0, 2**31 - 1),
    ("split_seed", 0, 2**31 - 1),
)
