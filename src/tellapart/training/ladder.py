"""The ladder: the best classifier that a budget allows on this machine, one step after the other.

A linear head on cached features; a tuned head; the last block fine-tuned from cached activations; deeper blocks;
bigger images; flipped views, in training and at prediction. Each step's cost is forecast before it begins, and the
best so far is always a complete bundle.
"""

import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.image_size import sides_of, size_text
from tellapart.data.splits.draw_splits import require_classes
from tellapart.data.usual_size import usual_size
from tellapart.errors import RunError
from tellapart.files import atomic_write, cache_folder, csv_text, remove_folder, remove_partials
from tellapart.judging.metrics import accuracy, log_loss
from tellapart.models.freezing import block_sizes
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.training.budget import Limits, duration_text, enough_time
from tellapart.training.fitting.fit import fit
from tellapart.training.fitting.loop import seed_everything
from tellapart.training.forecast import Cost, forecast
from tellapart.training.prepare import preprocessing_for
from tellapart.training.run_files import LADDER, write_skipped
from tellapart.training.task_predictions import task_predictions
from tellapart.training.tasks import Backbone, StageWeights, Task, backbone_for, make_task
from tellapart.training.write_bundle import write_bundle

HEADS = (
    "label_smoothing=0.1",
    "dropout=0.5",
    "learning_rate=3e-4",
    "learning_rate=3e-3",
    "inner=512,dropout=0.5,label_smoothing=0.1",
)
"""Candidates of the tuned head, each as a change of the linear one."""
HEAD_EPOCHS, FINE_TUNING_EPOCHS, MIN_EPOCHS = 12, 8, 2
FINE_TUNING = "learning_rate=1e-4,schedule=cosine"
DEPTHS = {"last block": 0, "last 2 blocks": 1, "last 4 blocks": 3, "last 8 blocks": 7, "last 16 blocks": 15}
ENLARGEMENT, MAX_SIZE = 1.5, 512  # of the images from step to step, and their longest side
LEAST_ERROR = 0.002  # of validation: fewer errors leave no gain to see
MAX_FAILURES = 2  # steps without gain, one after the other, that end the ladder
SHRINKS, STEP_PX = 0.95, 8  # of the size at which the first step just fits; sizes are multiples of 8
LEAST_SHARE = 3  # times smaller than asked, at most: less shows too little


@dataclass(frozen=True)
class Step:
    """One ladder step: its change, forecast, duration, result on validation, and whether it is the best so far."""

    name: str
    change: str
    forecast_s: float
    took_s: float
    accuracy: float
    loss: float
    kept: bool


@dataclass(frozen=True)
class Candidate:
    """A trained recipe with its stages, and its score on validation."""

    recipe: NetworkRecipe
    task: Task
    accuracy: float
    loss: float

    @property
    def rank(self) -> tuple[float, bool, float]:
        """Higher accuracy is better; of equals the one without mirroring, which costs half; then the lower loss."""
        return self.accuracy, not self.task.recipe.mirror, -self.loss


@dataclass
class Ladder:
    """The ladder of one run. Lives while it is trained."""

    dataset: Dataset
    recipe: NetworkRecipe
    folder: Path
    limits: Limits
    best_so_far: Candidate | None = None
    steps: list[Step] = field(default_factory=list)
    bundle_s: float = 6.0
    """Seconds to write a bundle: a guess until one has been written."""

    def linear_head(self, *, may_shrink: bool) -> None:
        """Train a linear head, on smaller images where these would take too long. Raises RunError if those do, too."""
        recipe = replace(self.recipe, epochs=HEAD_EPOCHS, patience=HEAD_EPOCHS, schedule="cosine")
        recipe, backbone, cost = self._affordable(recipe, may_shrink=may_shrink)
        self.recipe = replace(self.recipe, size=recipe.size)

        def candidates(folder: Path) -> Iterator[Candidate]:
            yield self._train(recipe, recipe, backbone, None, folder)

        self._step("linear head", "", cost.seconds(HEAD_EPOCHS), candidates)

    def tuned_head(self) -> bool:
        """Try other heads on the same features. Returns whether there was time for it."""
        first = self.best
        recipes = [first.recipe.changed(change) for change in HEADS]
        backbone = first.task.backbone
        costs = {bool(recipe.inner): self._cost(recipe, backbone) for recipe in (recipes[0], recipes[-1])}
        seconds = sum(costs[bool(recipe.inner)].seconds(HEAD_EPOCHS) for recipe in recipes)
        if not self._has_room("tuned head", seconds):
            return False

        def candidates(folder: Path) -> Iterator[Candidate]:
            for number, recipe in enumerate(recipes, start=1):
                yield self._train(recipe, recipe, backbone, None, folder / str(number))

        self._step("tuned head", " or ".join(HEADS), seconds, candidates)
        return True

    def fine_tune(self, name: str, change: str) -> bool:
        """Continue from the best so far: deeper, or on bigger images. Returns whether there was time for it."""
        before = self.best
        weights = before.task.weights()
        backbone, cost = self._prepare(before.recipe.stages()[-1].changed(f"{change},{FINE_TUNING}"), weights)
        epochs = self._affordable_epochs(cost)
        if not self._has_room(name, cost.seconds(epochs), cost.bytes_needed):
            return False
        line = f"{change},{FINE_TUNING},epochs={epochs},patience={epochs}"
        recipe = replace(before.recipe, then=(*before.recipe.then, line))

        def candidates(folder: Path) -> Iterator[Candidate]:
            yield self._train(recipe, recipe.stages()[-1], backbone, weights, folder)

        self._step(name, line, cost.seconds(epochs), candidates)
        return True

    @property
    def is_over(self) -> bool:
        """True if nothing more can be gained, or no step is left."""
        return len(self.steps) >= self.limits.steps or 1 - self.best.accuracy < LEAST_ERROR

    @property
    def has_stalled(self) -> bool:
        """True if it is over, or too many steps in a row brought no gain."""
        failures = next((n for n, step in enumerate(reversed(self.steps)) if step.kept), len(self.steps))
        return self.is_over or failures >= MAX_FAILURES

    @property
    def best(self) -> Candidate:
        """The best so far."""
        if self.best_so_far is None:
            raise RunError("nothing is trained yet: the ladder begins with its linear head")
        return self.best_so_far

    def _affordable(self, recipe: NetworkRecipe, *, may_shrink: bool) -> tuple[NetworkRecipe, Backbone, Cost]:
        """Return the recipe of the first step at the largest size that its limit allows. Raises RunError."""
        backbone, cost = self._prepare(recipe, None)
        asked, asked_s = recipe, cost.seconds(HEAD_EPOCHS) + self.bundle_s
        seconds = asked_s
        while seconds > (room_s := self.limits.first_room_s):
            size = _smaller_size(asked, _side(recipe), room_s / seconds) if may_shrink else None
            if size is None:
                raise RunError(_too_long(asked, asked_s, room_s))
            recipe = replace(recipe, size=size)
            backbone, cost = self._prepare(recipe, None)
            seconds = cost.seconds(HEAD_EPOCHS) + self.bundle_s
        if recipe is not asked:
            notify(
                f"linear head: at {asked.size} pixels it would take about {duration_text(asked_s)}, so it begins at "
                f"{recipe.size}, about {duration_text(seconds)}. To keep them: --size {asked.size} --time "
                f"{enough_time(asked_s)}"
            )
        return recipe, backbone, cost

    def _prepare(self, stage: NetworkRecipe, weights: StageWeights | None) -> tuple[Backbone, Cost]:
        backbone = backbone_for(stage, preprocessing_for(self.dataset, stage), weights)
        return backbone, self._cost(stage, backbone)

    def _cost(self, stage: NetworkRecipe, backbone: Backbone) -> Cost:
        return forecast(self.dataset, stage, preprocessing_for(self.dataset, stage), backbone, cache=cache_folder())

    def _affordable_epochs(self, cost: Cost) -> int:
        room_s = self.limits.room_s - self.bundle_s - cost.seconds(0)
        return int(np.clip(room_s / cost.epoch_s, MIN_EPOCHS, FINE_TUNING_EPOCHS))

    def _has_room(self, name: str, seconds: float, bytes_needed: int = 0) -> bool:
        """Tell whether time and disk allow a step, and report why not."""
        free = shutil.disk_usage(self.folder).free
        if seconds + self.bundle_s > self.limits.room_s:
            notify(
                f"{name}: would take about {duration_text(seconds + self.bundle_s)}, more than is left: the ladder ends"
            )
        elif bytes_needed > free / 2:
            notify(f"{name}: would keep {bytes_needed / 1e9:.1f} GB of {free / 1e9:.1f} GB free: the ladder ends")
        else:
            return True
        return False

    def _train(
        self,
        recipe: NetworkRecipe,
        stage: NetworkRecipe,
        backbone: Backbone,
        previous: StageWeights | None,
        folder: Path,
    ) -> Candidate:
        preprocessing = preprocessing_for(self.dataset, stage)
        seed_everything(stage.seed)  # the seed alone draws the network's weights, however much was built below
        task = make_task(self.dataset, stage, preprocessing, cache=cache_folder(), previous=previous, backbone=backbone)
        write_skipped(task.dataset.skipped, self.folder)
        require_classes(task.dataset)
        self.dataset = task.dataset
        history, best = fit(task.network, stage, task.train, task.validation, folder=folder)
        if stage.mirror:
            return Candidate(recipe, task, *_mirrored_score(task))
        row = history[best - 1]
        return Candidate(recipe, task, row.val_accuracy or 0.0, row.val_loss or 0.0)

    def _step(self, name: str, change: str, seconds: float, candidates: Callable[[Path], Iterator[Candidate]]) -> None:
        """Take one step: train, keep what is better as a bundle, and write down its cost and its result."""
        folder = self.folder / "steps" / f"{len(self.steps) + 1}-{name.replace(' ', '-')}"
        forecast_s = seconds + self.bundle_s
        notify(f"step {len(self.steps) + 1}, {name}: about {duration_text(forecast_s)}")
        started = time.monotonic()
        best = max(candidates(folder), key=lambda candidate: candidate.rank)
        is_better = self.best_so_far is None or best.rank > self.best_so_far.rank
        if is_better:
            self.best_so_far = best
            self._write(best, folder / "bundle")
        took = time.monotonic() - started
        self.steps.append(Step(name, change, round(forecast_s, 1), round(took, 1), best.accuracy, best.loss, is_better))
        atomic_write(self.folder / LADDER, _csv(self.steps))
        result = f"the best so far, in {folder / 'bundle'}" if is_better else "no gain"
        notify(
            f"step {len(self.steps)}, {name}: took {duration_text(took)}, validation accuracy {best.accuracy:.1%}: "
            f"{result}"
        )

    def _write(self, candidate: Candidate, path: Path) -> None:
        started = time.monotonic()
        remove_partials(path.parent)
        if path.exists():  # of a killed ladder that is resumed
            remove_folder(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bundle(candidate.task, candidate.recipe, path, splits=("validation",))
        self.bundle_s = time.monotonic() - started


def run_ladder(dataset: Dataset, recipe: NetworkRecipe, folder: Path, limits: Limits, *, may_enlarge: bool) -> None:
    """Take steps as far as the limits and the gain allow, then evaluate the best once on test and write its bundle.

    `may_enlarge` allows images bigger than the recipe's, and square, or smaller. Leaves `ladder.csv` and `winner.toml`,
    too.
    """
    seed_everything(recipe.seed)
    ladder = Ladder(dataset, recipe, folder, limits)
    ladder.linear_head(may_shrink=may_enlarge)
    for step in _next_steps(ladder, may_enlarge=may_enlarge):
        if ladder.has_stalled or not step():
            break
    if not ladder.is_over:  # cheap, and independent of whether the steps before brought a gain
        ladder.fine_tune("flipped views", "mirror=true")
    best = ladder.best
    best.recipe.write(folder / "winner.toml")
    write_bundle(best.task, best.recipe, folder / "bundle")
    for bundle in (folder / "steps").glob("*/bundle"):
        remove_folder(bundle)


def _smaller_size(asked: NetworkRecipe, size: int, ratio: float) -> int | None:
    """Return the size at which a step takes this ratio of its time, by its pixels; None where that is too small."""
    smaller = min(int(SHRINKS * size * math.sqrt(max(ratio, 0.0))), size - 1) // STEP_PX * STEP_PX
    return smaller if smaller >= _least_side(asked) else None


def _side(recipe: NetworkRecipe) -> int:
    return max(sides_of(recipe.size))


def _least_side(asked: NetworkRecipe) -> int:
    return max(asked.entry.smallest, _side(asked) // LEAST_SHARE)


def _too_long(recipe: NetworkRecipe, seconds: float, room_s: float) -> str:
    least, side = _least_side(recipe), _side(recipe)
    least_s = seconds * (least / side) ** 2
    smaller = f"--size {least} (about {duration_text(least_s)}) or " if least < side and least_s < room_s else ""
    return (
        f"the first step, a linear head on {recipe.model} at {size_text(recipe.size)} pixels, would take about "
        f"{duration_text(seconds)}, and it may take {duration_text(max(room_s, 0.0))}. Nothing was trained: allow it "
        f"with --time {enough_time(seconds)}, or take a cheaper way: {smaller}--model cnn"
    )


def _next_steps(ladder: Ladder, *, may_enlarge: bool) -> Iterator[Callable[[], bool]]:
    """Yield the steps after the linear head, in order."""
    yield ladder.tuned_head
    backbone = ladder.best.task.backbone.keras_model
    depths = block_sizes(backbone) if backbone is not None else []
    for name, number in DEPTHS.items():
        if number < len(depths):
            yield partial(ladder.fine_tune, name, f"unfreeze={depths[number]}")
    size, own_size = max(sides_of(ladder.recipe.size)), usual_size(ladder.dataset.splits["train"].images)
    while may_enlarge and size < MAX_SIZE and own_size >= (size := min(round(ENLARGEMENT * size), MAX_SIZE)):
        yield partial(ladder.fine_tune, f"{size} pixels", f"size={size}")


def _mirrored_score(task: Task) -> tuple[float, float]:
    """Return accuracy and log loss on validation of the mean over each image and its mirror image."""
    split = task.dataset.splits["validation"]
    predicted = task_predictions(task, split.images, label="features of validation")
    labels = split.labels[list(predicted.kept)]
    return accuracy(labels, predicted.values), log_loss(labels, predicted.values)


def _csv(steps: list[Step]) -> str:
    return csv_text([column.name for column in fields(Step)], map(astuple, steps))
