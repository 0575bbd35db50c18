"""`tellapart lr-find`."""

import math
import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli.options import COMMON, READ_DEFAULTS, Json, ReadAs
from tellapart.cli.output import aligned, print_json
from tellapart.cli.recipe_options import DEFAULT_RECIPE, RecipeOptions
from tellapart.data.dataset import Dataset
from tellapart.errors import RecipeError
from tellapart.files import atomic_write, csv_text
from tellapart.progress import notify
from tellapart.reports.figures.learning_curves import loss_ceiling, lr_curve
from tellapart.reports.lr_page import write_lr_page
from tellapart.reports.png import require_chromium, write_png
from tellapart.studies.lr_find import STEPS, RateTest
from tellapart.studies.lr_find import lr_find as test_rates
from tellapart.training.prepare import with_model

TABLE = "find-rate.csv"
NOT_LEARNED = 1
PER_DECADE = 2  # rows of the curve as text
BAR = 40  # characters for the highest loss that is drawn


def lr_find(
    source: str,
    /,
    *,
    recipe: RecipeOptions = DEFAULT_RECIPE,
    read_options: ReadAs = READ_DEFAULTS,
    steps: Annotated[int, Parameter(group=COMMON)] = STEPS,
    out: Annotated[Path | None, Parameter(group=COMMON)] = None,
    save: Annotated[Path | None, Parameter(group=COMMON)] = None,
    json: Json = False,
) -> int:
    """Find a learning rate with a range test: train a few steps at growing rates, and watch the loss.

    The network is discarded; only the files of --out and --save are written. The recipe's own learning rate, schedule
    and epochs have no effect. The exit status is 1 where no rate can be recommended.

        tellapart lr-find photos --save rate.png

    Parameters
    ----------
    source
        Labelled images, as for train.
    steps
        Steps from the lowest rate, 1e-7, to the highest, 10.
    out
        Folder for find-rate.csv: rate, loss and smoothed loss of each step.
    save
        Draw the curve into this .png file or .html page.
    """
    if save:
        require_curve_format(save)  # before the work
    dataset = Dataset.open(source, read_options)
    recipe = with_model(dataset, recipe)
    result = test_rates(dataset, recipe, steps=steps)
    if json:
        print_json(_as_json(result))
    else:
        print(curve_text(result))
    if out:
        rows = ([f"{number:.6g}" for number in row] for row in _rows(result))
        atomic_write(out / TABLE, csv_text(("rate", "loss", "smoothed"), rows))
        notify(f"saved: {out / TABLE}")
    if save:
        save_curve(result, save)
        notify(f"saved: {save}")
    if result.learned:
        if not json:
            print(_recommendation(result))
        notify(f"try: {_train_command(source, recipe.model, result.recommended)}")
    elif not json:
        print("\nthe loss hardly fell at any rate: none can be recommended. Try more --steps, or look at the labels")
    return 0 if result.learned else NOT_LEARNED


def _train_command(source: str, model: str, rate: float) -> str:
    return shlex.join(["tellapart", "train", source, "--model", model, "--learning-rate", f"{rate:g}"])


def _recommendation(result: RateTest) -> str:
    beyond = "and rises beyond" if result.least < result.rates[-1] else "the highest rate tried"
    return (
        f"\nthe loss is least at      {result.least:.1e}, {beyond}"
        f"\na tenth of that           {result.tenth:.1e}"
        f"\nit falls the fastest at   {result.steepest:.1e}"
        f"\nrecommended               {result.recommended:.1e}, the lower of the two:"
        "\n                          too low costs epochs, too high costs accuracy"
    )


def _rows(result: RateTest) -> list[tuple[float, float, float]]:
    return list(zip(result.rates.tolist(), result.losses.tolist(), result.smoothed.tolist(), strict=True))


def _as_json(result: RateTest) -> dict[str, object]:
    learned = result.learned
    return {
        "learned": learned,
        "recommended": result.recommended if learned else None,
        "least": result.least if learned else None,
        "tenth": result.tenth if learned else None,
        "steepest": result.steepest if learned else None,
        "steps": [{"rate": rate, "loss": loss, "smoothed": smoothed} for rate, loss, smoothed in _rows(result)],
    }


def require_curve_format(path: Path) -> None:
    """Refuse a file that cannot be written. Raises RecipeError unless it is .png or .html; .png needs Chromium."""
    if path.suffix.lower() not in (".png", ".html"):
        raise RecipeError(f"a curve cannot be saved as {path}: name a .png or .html file")
    if path.suffix.lower() == ".png":
        require_chromium()


def save_curve(result: RateTest, path: Path) -> None:
    """Write the curve as PNG, or as an .html page that needs no network."""
    if path.suffix.lower() == ".png":
        write_png(lr_curve(result), path)
    else:
        write_lr_page(result, path)


def curve_text(result: RateTest) -> str:
    """Return a row for each half decade: the rate, the smoothed loss, and a bar."""
    count = len(result.rates)
    decades = math.log10(result.rates[-1] / result.rates[0])
    rows = max(2, round(decades * PER_DECADE) + 1)
    steps = sorted({round(row * (count - 1) / (rows - 1)) for row in range(rows)})
    ceiling = loss_ceiling(result)
    lines = [["rate", "loss", ""]]
    for step in steps:
        loss = float(result.smoothed[step])
        bar = "#" * round(BAR * min(loss / ceiling, 1)) + (">" if loss > ceiling else "")
        lines.append([f"{result.rates[step]:.1e}", f"{loss:.3f}", bar.ljust(BAR + 1)])
    return "\n".join(line.rstrip() for line in aligned(lines).splitlines())
