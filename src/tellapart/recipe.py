"""Recipe: everything that decides a run, and nothing else. Stored as TOML."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import tomli_w
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.decoding.conversion import Alpha, parse_range
from tellapart.data.image_size import Size, checked_size, parse_size
from tellapart.data.preprocessing import Fit, Resize
from tellapart.engine import Precision
from tellapart.errors import RecipeError, did_you_mean
from tellapart.files import atomic_write
from tellapart.late_binding import late_bound
from tellapart.read_files import ContentError, read_toml

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop", "nadam", "adagrad", "adadelta", "adamax", "ftrl", "lion"]
Loss = Literal["categorical", "binary"]
Schedule = Literal["constant", "cosine", "plateau", "one-cycle"]
Monitor = Literal["val_loss", "val_accuracy"]
ClassWeight = Literal["none", "balanced"]
Keep = Literal["best", "last", "all"]
Group = Literal["data", "model", "training", "fine-tuning"]
Rebuilds = Literal["examples", "loop", "nothing"]


AUTO = "auto"
"""The model that the images decide."""
MAX_LENGTH = 5_000  # of a text, in characters, and of a list


@dataclass(frozen=True)
class FieldFacts:
    """Everything the program needs to know about a field of a recipe, besides its type, default and description."""

    group: Group
    """Where `--help` lists its option."""
    rebuilds: Rebuilds
    """What another value makes necessary again: the examples and backbone, the compiled loop on them, or nothing."""
    bounds: tuple[float, float] | None
    """Of a number, or of both sides of a size: the least and the greatest value, both included."""
    staged: bool
    """Whether a further stage may change it."""
    with_ladder: bool
    """Whether a run with a budget may set it; the ladder decides the others."""
    fixed_in_sweep: str
    """Why a sweep may not vary it; empty where it may."""
    fixed_in_search: str
    """Why a search may not vary it; empty where it may."""
    later: bool
    """Whether it joined after files had been written without it: they lack it, and so do new ones where it is the
    default."""


def _facts(
    group: Group,
    rebuilds: Rebuilds,
    bounds: tuple[float, float] | None = None,
    *,
    staged: bool = False,
    with_ladder: bool = False,
    fixed_in_sweep: str = "",
    fixed_in_search: str = "",
    later: bool = False,
) -> dict[str, FieldFacts]:
    """Make a field's metadata; what a sweep may not vary a search may not either."""
    in_search = fixed_in_search or fixed_in_sweep
    return {"facts": FieldFacts(group, rebuilds, bounds, staged, with_ladder, fixed_in_sweep, in_search, later)}


ONE_SPLIT = "the trials are compared on one validation split"
ONE_STAGE = "a trial has one stage"
BEST_EPOCH = "a trial counts as its best epoch"
BY_HYPERBAND = "Hyperband decides when a trial ends"
BY_SEARCH = "the search finds it: give --max-epochs"
ONE_MONITOR = "the trials are compared by it: give it with --monitor"
TEST_LAST = "the test split is opened once, at the end"
ONE_DRAW = "every trial begins with the same draw: give it with --seed"
MANY_DRAWS = "it draws the trials: give it with --seed"


@dataclass(frozen=True)
class Recipe:
    """A training recipe: the model and its settings. `train` replaces `None` by the model's default and records it."""

    model: str = field(default=AUTO, metadata=_facts("model", "examples", with_ladder=True))
    """Name from the catalogue, which `tellapart summary` lists; auto is cnn for images below 64 pixels, else
    xception."""
    weights: str | None = field(default=None, metadata=_facts("model", "examples", with_ladder=True))
    """Pre-trained weights: imagenet, a file, or none to train the whole network from scratch."""
    size: Size | None = field(
        default=None, metadata=_facts("data", "examples", (4, 4096), staged=True, with_ladder=True)
    )
    """Height and width of an image in pixels: one number for both, or height x width such as 64x256."""
    fit: Fit = field(default="crop", metadata=_facts("data", "examples", with_ladder=True))
    """How an image of other proportions is made to fit."""
    resize: Resize = field(default="pillow-bicubic", metadata=_facts("data", "examples", with_ladder=True, later=True))
    """How pixels of another size are computed: pillow-bicubic antialiases; keras-bilinear and keras-nearest do not, as
    Keras's image_dataset_from_directory and load_img."""
    range: str | None = field(default=None, metadata=_facts("data", "examples", with_ladder=True, later=True))
    """Stored values of 16-bit images that become black and white, such as 0:4095 for 12 bits; by default found over the
    training images."""
    alpha: Alpha = field(default="white", metadata=_facts("data", "examples", with_ladder=True, later=True))
    """What images with transparency are laid on: white, black, a checker board, or a grey of 128 (mean)."""
    features: str | None = field(default=None, metadata=_facts("model", "examples"))
    """Input of knn, forest and logistic: features of a frozen backbone such as xception, or pixels."""
    cut: str | None = field(default=None, metadata=_facts("model", "examples"))
    """Where the backbone ends: the name of a layer, or -N to leave out its last N."""
    unfreeze: int = field(default=0, metadata=_facts("fine-tuning", "examples", (0, 10_000), staged=True))
    """How many of the backbone's last layers are trained too; those before them stay frozen."""
    then: tuple[str, ...] = field(default=(), metadata=_facts("fine-tuning", "examples", fixed_in_sweep=ONE_STAGE))
    """Further stages, each as the fields it changes, such as unfreeze=20,learning_rate=1e-5,epochs=5."""
    augment: str = field(default="", metadata=_facts("data", "examples", staged=True))
    """Random changes of training images, such as flip,rotate=30,shift=0.1; also flip=vertical, shear=10, zoom=0.1,
    brightness=0.2, contrast=0.2, erase=0.2, crop=0.8, randaugment=2:9, mixup=0.2 and cutmix=1."""
    views: int | None = field(default=None, metadata=_facts("data", "examples", (0, 1_000), staged=True))
    """Augmented views of each image that a frozen backbone is run over, besides the image itself."""
    mirror: bool = field(default=False, metadata=_facts("model", "examples", staged=True))
    """Predict the mean over an image and its mirror image."""
    inner: int | None = field(default=None, metadata=_facts("model", "loop", (0, 65_536)))
    """Units of a Dense layer between the features and the logits; 0 leaves it out."""
    units: int = field(default=128, metadata=_facts("model", "loop", (1, 65_536)))
    """Units of the hidden layer of mlp."""
    dropout: float | None = field(default=None, metadata=_facts("model", "loop", (0.0, 0.99), staged=True))
    """Share of values dropped before the logits while training."""
    neighbours: int = field(default=5, metadata=_facts("model", "loop", (1, 10_000)))
    """How many nearest training images vote in knn."""
    trees: int = field(default=300, metadata=_facts("model", "loop", (1, 100_000)))
    """Number of trees in a forest."""
    loss: Loss = field(default="categorical", metadata=_facts("training", "loop", with_ladder=True))
    """Cross-entropy: categorical over all classes, or for two classes binary over one logit."""
    class_weight: ClassWeight = field(
        default="none", metadata=_facts("training", "nothing", staged=True, with_ladder=True)
    )
    """Balanced: every class weighs the same in the loss, however many images it has."""
    label_smoothing: float = field(default=0.0, metadata=_facts("training", "nothing", (0.0, 0.9), staged=True))
    """Share of a label's probability that is spread over all classes while training."""
    optimizer: Optimizer | None = field(default=None, metadata=_facts("training", "loop", staged=True))
    """Keras optimizer of that name."""
    learning_rate: float | None = field(default=None, metadata=_facts("training", "nothing", (1e-9, 1e3), staged=True))
    """Step size at the start."""
    schedule: Schedule | None = field(default=None, metadata=_facts("training", "nothing", staged=True))
    """How the step size changes: constant; cosine, from epoch to epoch down half a cosine towards 0; plateau, a third
    of it after 3 epochs without improvement; one-cycle, from step to step up and then down to nearly 0."""
    ema: float = field(default=0.0, metadata=_facts("training", "loop", (0.0, 0.9999), staged=True))
    """Evaluate and keep a running mean of the weights that forgets 1 - ema of itself per step; 0 keeps the weights."""
    mixed_precision: bool = field(default=False, metadata=_facts("training", "loop", staged=True, with_ladder=True))
    """Compute in bfloat16 while training, with weights in float32: faster on GPUs and some CPUs, slower on others."""
    batch_size: int | None = field(
        default=None, metadata=_facts("training", "loop", (1, 65_536), staged=True, with_ladder=True)
    )
    """Images per step."""
    epochs: int | None = field(
        default=None,
        metadata=_facts("training", "nothing", (1, 100_000), staged=True, fixed_in_search=BY_SEARCH),
    )
    """Passes over the training split, at most."""
    patience: int = field(
        default=5, metadata=_facts("training", "nothing", (0, 100_000), staged=True, fixed_in_search=BY_HYPERBAND)
    )
    """Stop after this many epochs without improvement of `monitor`; 0 trains all epochs."""
    min_delta: float = field(
        default=0.0, metadata=_facts("training", "nothing", (0.0, 1e3), staged=True, fixed_in_search=BY_HYPERBAND)
    )
    """Least change of `monitor` that is an improvement."""
    monitor: Monitor = field(
        default="val_loss",
        metadata=_facts("training", "nothing", with_ladder=True, fixed_in_sweep=ONE_MONITOR),
    )
    """Metric that chooses the best epoch."""
    keep: Keep = field(default="best", metadata=_facts("training", "nothing", staged=True, fixed_in_sweep=BEST_EPOCH))
    """Epoch whose weights the classifier gets: the best, or the last; all also keeps every epoch's checkpoint."""
    validation: float | None = field(
        default=None, metadata=_facts("data", "examples", (0.0, 0.9), with_ladder=True, fixed_in_sweep=ONE_SPLIT)
    )
    """Share held out for choosing, where the data set has no validation split; 0.15, but at most 5,000 images."""
    test: float = field(
        default=0.15,
        metadata=_facts("data", "examples", (0.0, 0.9), with_ladder=True, fixed_in_sweep=TEST_LAST),
    )
    """Share held out for testing, where the data set has no test split of its own."""
    split_seed: int = field(
        default=0, metadata=_facts("data", "examples", (0, 2**31 - 1), with_ladder=True, fixed_in_sweep=ONE_SPLIT)
    )
    """Seed of those two splits."""
    seed: int = field(
        default=0,
        metadata=_facts(
            "training", "nothing", (0, 2**31 - 1), with_ladder=True, fixed_in_sweep=ONE_DRAW, fixed_in_search=MANY_DRAWS
        ),
    )
    """Seed of weights, order and dropout: the same seed repeats a run exactly on CPU."""
    precision: Precision = field(default="auto", metadata=_facts("model", "examples", with_ladder=True))
    """Of the frozen backbone and of predictions: auto takes bfloat16 where the CPU has it in hardware."""

    def __post_init__(self) -> None:
        """Refuse what no run can do. Raises RecipeError."""
        for name, adapter in _adapters().items():
            try:
                adapter.validate_python(getattr(self, name))
            except ValidationError as error:
                reason = error.errors()[0]["msg"]
                raise RecipeError(f"{name} is {getattr(self, name)!r}: {reason}") from error
        for name, field_facts in FACTS.items():
            value, bounds = getattr(self, name), field_facts.bounds
            if value is None or bounds is None:
                continue
            if name == "size":
                object.__setattr__(self, name, checked_size(value, int(bounds[0]), int(bounds[1])))
            elif not bounds[0] <= value <= bounds[1]:
                raise RecipeError(f"{name} is {value}; expected {bounds[0]} to {bounds[1]}")
        if (self.validation or 0) + self.test >= 1:
            raise RecipeError(
                f"validation {self.validation} and test {self.test} leave nothing to train on: together less than 1"
            )
        late_bound("lookup")(self.model)  # raises where there is no such model
        Augmentation.parse(self.augment)
        if self.range is not None:
            parse_range(self.range)
        if self.then:
            self.stages()

    def changed(self, text: str) -> "Recipe":
        """Apply changes written as text, such as `unfreeze=20,learning_rate=1e-5`. Raises RecipeError."""
        changes: dict[str, Any] = {}
        for item in text.split(","):
            name, equals, value = (part.strip() for part in item.partition("="))
            if not equals:
                raise RecipeError(f"{text!r} has {item!r}; expected field=value, such as learning_rate=1e-5")
            changes[name] = Recipe.value(name, value)
        return replace(self, **changes)

    @staticmethod
    def value(name: str, text: str) -> object:
        """Parse a field's value; `none` leaves it to the model. Raises RecipeError."""
        _require_field(name)
        kind = get_type_hints(Recipe)[name]
        if text.lower() == "none" and type(None) in get_args(kind):
            return 0 if name == "inner" else None  # no inner layer is what a person means
        if name == "size":
            return parse_size(text)
        try:
            return TypeAdapter(kind).validate_python(text)
        except ValidationError as error:
            raise RecipeError(f"{name} is {text!r}: {error.errors()[0]['msg']}") from error

    def stages(self) -> tuple["Recipe", ...]:
        """Return the recipe of each stage: this one, then with what each line of `then` changes. Raises RecipeError."""
        stages = [replace(self, then=())]
        for line in self.then:
            stages.append(stages[-1].changed(line))
            if fixed := [
                name for name, field_facts in FACTS.items() if not field_facts.staged and _differ(stages[-2:], name)
            ]:
                staged = ", ".join(name for name, field_facts in FACTS.items() if field_facts.staged)
                raise RecipeError(f"a stage changes {', '.join(fixed)} in {line!r}; it may change {staged}")
        return tuple(stages)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that are set: what TOML and JSON can hold."""
        return {name: value for name, value in self.stored().items() if value is not None}

    def stored(self) -> dict[str, Any]:
        """Return every field, without the later ones that are what they were before they existed."""
        values = asdict(self)
        return {name: value for name, value in values.items() if not FACTS[name].later or value != DEFAULTS[name]}

    def write(self, path: str | Path) -> None:
        """Store it as TOML, atomically."""
        atomic_write(Path(path), tomli_w.dumps(self.as_dict()))

    @staticmethod
    def read(path: str | Path) -> "Recipe":
        """Read it back. Raises RecipeError that names the field."""
        try:
            return Recipe.of(read_toml(Path(path)))
        except (OSError, ContentError) as error:
            raise RecipeError(f"{path} is not a recipe: {error}") from error

    @staticmethod
    def of(values: dict[str, Any]) -> "Recipe":
        """Make one from its fields as TOML or JSON holds them. Raises RecipeError that names the wrong one."""
        for name, value in values.items():
            _require_field(name)
            if isinstance(value, str | list) and len(value) > MAX_LENGTH:
                raise RecipeError(f"{name} has the length {len(value):,}, expected at most {MAX_LENGTH:,}")
        stages = values.get("then")
        return Recipe(**{**values, "then": tuple(stages)} if isinstance(stages, list) else values)


def _require_field(name: str) -> None:
    if name not in FACTS:
        raise RecipeError(f"a recipe has no field {name[:80]!r}: {did_you_mean(name[:80], FACTS)}")


@cache
def _adapters() -> Mapping[str, TypeAdapter[Any]]:
    """Build a validator for each field; strict, so that "10", 10.0 and true are no whole numbers."""
    strict = ConfigDict(strict=True)
    return {name: TypeAdapter(hint, config=strict) for name, hint in get_type_hints(Recipe).items()}


def _differ(stages: list[Recipe], name: str) -> bool:
    return len({getattr(stage, name) for stage in stages}) > 1


FACTS: Mapping[str, FieldFacts] = {item.name: item.metadata["facts"] for item in fields(Recipe)}
"""The facts of each field, in the order of the fields."""
DEFAULTS: Mapping[str, Any] = {item.name: item.default for item in fields(Recipe)}
