"""The ladder: as good as a given time on this machine can make a classifier, one step after the other.

A linear head on cached features; a tuned head; the last block fine-tuned from cached activations; deeper blocks;
bigger images; flipped views, in training and at prediction. Each step's cost is forecast before it begins, and the
best so far is always a complete bundle.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.splits.draw_splits import require_classes
from tellapart.errors import ImageError, RunError
from tellapart.files import atomic_write, cache_folder, csv_text, remove_folder, remove_partials
from tellapart.judging.metrics import accuracy, log_loss
from tellapart.models.freezing import blocks
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.training.budget import Limits
from tellapart.training.fit import fit
from tellapart.training.forecast import Cost, forecast
from tellapart.training.loop import repeatable
from tellapart.training.prepare import list_skipped, preprocessing_for
from tellapart.training.task_predictions import task_predictions
from tellapart.training.tasks import Backbone, Start, Task, backbone_for, make_task
from tellapart.training.write_bundle import write_bundle

HEADS = (
    "label_smoothing=0.1",
    "dropout=0.5",
    "learning_rate=3e-4",
    "learning_rate=3e-3",
    "inner=512,dropout=0.5,label_smoothing=0.1",
)
"""What a tuned head is chosen from, each as a change of the linear one."""
HEAD_EPOCHS, FINE_EPOCHS, FEWEST_EPOCHS = 12, 8, 2
FINE = "learning_rate=1e-4,schedule=cosine"
DEPTHS = {"last block": 0, "last 2 blocks": 1, "last 4 blocks": 3, "last 8 blocks": 7, "last 16 blocks": 15}
BIGGER, LARGEST = 1.5, 512  # how much bigger images get, and up to which side
ENOUGH = 0.002  # of validation: fewer errors leave no gain to see
FAILURES = 2  # steps without gain, one after the other, that end the climb
LOOKED_AT = 50  # images, to know how big they are


@dataclass(frozen=True)
class Step:
    """One step: what changed, what it was forecast to take, what it took, and what it brought on validation."""

    name: str
    change: str
    forecast_s: float
    took_s: float
    accuracy: float
    loss: float
    kept: bool


@dataclass(frozen=True)
class Reached:
    """A trained recipe with its stages, and its score on validation."""

    recipe: NetworkRecipe
    task: Task
    accuracy: float
    loss: float

    @property
    def rank(self) -> tuple[float, bool, float]:
        """More images of validation right is better; as many in half the work; as many, and surer of them."""
        return self.accuracy, not self.task.recipe.mirror, -self.loss


@dataclass
class Ladder:
    """One climb into a run's folder. Lives while it goes on."""

    dataset: Dataset
    recipe: NetworkRecipe
    folder: Path
    limits: Limits
    best: Reached | None = None
    steps: list[Step] = field(default_factory=list)
    bundle_s: float = 6.0
    """What writing a bundle takes: a guess until one has been written."""

    def linear_head(self) -> None:
        """Train a linear head, whatever it takes: there is nothing without it."""
        recipe = replace(self.recipe, epochs=HEAD_EPOCHS, patience=HEAD_EPOCHS, schedule="cosine")
        standing, cost = self._prepared(recipe, None)

        def work(place: Path) -> Iterator[Reached]:
            yield self._fitted(recipe, recipe, standing, None, place)

        self._climb("linear head", "", cost.seconds(HEAD_EPOCHS), work)

    def tuned_head(self) -> bool:
        """Try other heads on the same features. Returns whether there was time for it."""
        first = self.reached
        recipes = [first.recipe.changed(change) for change in HEADS]
        standing = first.task.standing
        costs = {bool(recipe.inner): self._cost(recipe, standing) for recipe in (recipes[0], recipes[-1])}
        seconds = sum(costs[bool(recipe.inner)].seconds(HEAD_EPOCHS) for recipe in recipes)
        if not self._room("tuned head", seconds):
            return False

        def work(place: Path) -> Iterator[Reached]:
            for number, recipe in enumerate(recipes, start=1):
                yield self._fitted(recipe, recipe, standing, None, place / str(number))

        self._climb("tuned head", " or ".join(HEADS), seconds, work)
        return True

    def fine_tuned(self, name: str, change: str) -> bool:
        """Train on from the best so far: deeper, or on bigger images. Returns whether there was time for it."""
        before = self.reached
        start = before.task.end()
        standing, cost = self._prepared(before.recipe.stages()[-1].changed(f"{change},{FINE}"), start)
        epochs = self._affordable(cost)
        if not self._room(name, cost.seconds(epochs), cost.bytes_needed):
            return False
        line = f"{change},{FINE},epochs={epochs},patience={epochs}"
        recipe = replace(before.recipe, then=(*before.recipe.then, line))

        def work(place: Path) -> Iterator[Reached]:
            yield self._fitted(recipe, recipe.stages()[-1], standing, start, place)

        self._climb(name, line, cost.seconds(epochs), work)
        return True

    @property
    def over(self) -> bool:
        """Whether nothing more can be gained, or no step is left."""
        return len(self.steps) >= self.limits.steps or 1 - self.reached.accuracy < ENOUGH

    @property
    def ended(self) -> bool:
        """Whether it is over, or too many steps brought nothing."""
        since = next((n for n, step in enumerate(reversed(self.steps)) if step.kept), len(self.steps))
        return self.over or since >= FAILURES

    @property
    def reached(self) -> Reached:
        """The best so far."""
        if self.best is None:
            raise RunError("nothing is trained yet: the ladder begins with its linear head")
        return self.best

    def _prepared(self, stage: NetworkRecipe, start: Start | None) -> tuple[Backbone, Cost]:
        standing = backbone_for(stage, preprocessing_for(self.dataset, stage), start)
        return standing, self._cost(stage, standing)

    def _cost(self, stage: NetworkRecipe, standing: Backbone) -> Cost:
        return forecast(self.dataset, stage, preprocessing_for(self.dataset, stage), standing, cache=cache_folder())

    def _affordable(self, cost: Cost) -> int:
        room = self.limits.room_s - self.bundle_s - cost.seconds(0)
        return int(np.clip(room / cost.epoch_s, FEWEST_EPOCHS, FINE_EPOCHS))

    def _room(self, name: str, seconds: float, bytes_needed: int = 0) -> bool:
        """Whether the time and the disk allow a step; says why not."""
        free = shutil.disk_usage(self.folder).free
        if seconds + self.bundle_s > self.limits.room_s:
            notify(f"{name}: would take about {_time(seconds + self.bundle_s)}, more than is left: the climb ends here")
        elif bytes_needed > free / 2:
            notify(f"{name}: would keep {bytes_needed / 1e9:.1f} GB of {free / 1e9:.1f} GB free: the climb ends here")
        else:
            return True
        return False

    def _fitted(
        self, recipe: NetworkRecipe, stage: NetworkRecipe, standing: Backbone, start: Start | None, place: Path
    ) -> Reached:
        preprocessing = preprocessing_for(self.dataset, stage)
        repeatable(stage.seed)  # it alone draws the network's weights, however much was built below
        task = make_task(self.dataset, stage, preprocessing, cache=cache_folder(), start=start, standing=standing)
        list_skipped(task.dataset.skipped, self.folder)
        require_classes(task.dataset)
        self.dataset = task.dataset
        history, best = fit(task.network, stage, task.train, task.validation, folder=place)
        if stage.mirror:
            return Reached(recipe, task, *_mirrored_score(task))
        row = history[best - 1]
        return Reached(recipe, task, float(row.val_accuracy or 0), float(row.val_loss or 0))

    def _climb(self, name: str, change: str, seconds: float, work: Callable[[Path], Iterator[Reached]]) -> None:
        """Do one step: train, keep what is better as a bundle, and write down what it took and brought."""
        place = self.folder / "steps" / f"{len(self.steps) + 1}-{name.replace(' ', '-')}"
        notify(f"step {len(self.steps) + 1}, {name}: about {_time(seconds + self.bundle_s)}")
        started = time.monotonic()
        found = max(work(place), key=lambda reached: reached.rank)
        kept = self.best is None or found.rank > self.best.rank
        if kept:
            self.best = found
            self._write(found, place / "bundle")
        took = time.monotonic() - started
        self.steps.append(
            Step(name, change, round(seconds + self.bundle_s, 1), round(took, 1), found.accuracy, found.loss, kept)
        )
        atomic_write(self.folder / "ladder.csv", _csv(self.steps))
        said = f"the best so far, in {place / 'bundle'}" if kept else "no gain"
        notify(f"step {len(self.steps)}, {name}: took {_time(took)}, validation accuracy {found.accuracy:.1%}: {said}")

    def _write(self, found: Reached, path: Path) -> None:
        started = time.monotonic()
        remove_partials(path.parent)
        if path.exists():  # a climb that was killed and goes on
            remove_folder(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bundle(found.task, found.recipe, path, splits=("validation",))
        self.bundle_s = time.monotonic() - started


def climb(dataset: Dataset, recipe: NetworkRecipe, folder: Path, limits: Limits, *, bigger: bool) -> None:
    """Climb as far as the limits and the gain allow, then judge the best once on test and write its bundle.

    `bigger` allows images of another size than the recipe's. Leaves `ladder.csv` and `winner.toml` too.
    """
    repeatable(recipe.seed)
    ladder = Ladder(dataset, recipe, folder, limits)
    ladder.linear_head()
    for step in _steps(ladder, bigger=bigger):
        if ladder.ended or not step():
            break
    if not ladder.over:  # cheap, and independent of whether the steps before gained
        ladder.fine_tuned("flipped views", "mirror=true")
    best = ladder.reached
    best.recipe.write(folder / "winner.toml")
    write_bundle(best.task, best.recipe, folder / "bundle")
    for bundle in (folder / "steps").glob("*/bundle"):
        remove_folder(bundle)


def _steps(ladder: Ladder, *, bigger: bool) -> Iterator[Callable[[], bool]]:
    """What may follow the linear head, in this order."""
    yield ladder.tuned_head
    backbone = ladder.reached.task.standing.backbone
    depths = blocks(backbone) if backbone is not None else []
    for name, number in DEPTHS.items():
        if number < len(depths):
            yield partial(ladder.fine_tuned, name, f"unfreeze={depths[number]}")
    size, own = ladder.recipe.size, _usual_side(ladder.dataset.splits["train"].images)
    while bigger and size < LARGEST and own >= (size := min(round(BIGGER * size), LARGEST)):
        yield partial(ladder.fine_tuned, f"{size} pixels", f"size={size}")


def _mirrored_score(task: Task) -> tuple[float, float]:
    """Accuracy and log-loss on validation of the mean over each image and its mirror image."""
    split = task.dataset.splits["validation"]
    answers = task_predictions(task, split.images, label="features of validation")
    labels = split.labels[list(answers.kept)]
    return accuracy(labels, answers.values), log_loss(labels, answers.values)


def _usual_side(images: Images) -> float:
    """The median of the shorter sides of some images, in pixels: what they have to show."""
    sides = [0]
    for index in range(min(LOOKED_AT, len(images))):
        try:
            sides.append(min(images.read(index).shape[:2]))
        except ImageError:  # listed among the skipped ones already
            continue
    return float(np.median(sides))


def _csv(steps: list[Step]) -> str:
    return csv_text([one.name for one in fields(Step)], map(astuple, steps))


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
