"""`tellapart lr-find`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli import rate_chart
from tellapart.cli.options import COMMON, READ_DEFAULTS, Json, ReadAs
from tellapart.cli.output import print_json
from tellapart.cli.recipe_options import DEFAULT_RECIPE, RecipeOptions
from tellapart.data.dataset import Dataset
from tellapart.files import atomic_write, csv_text
from tellapart.progress import notify
from tellapart.studies.lr_find import STEPS, RateTest
from tellapart.studies.lr_find import lr_find as test_rates

TABLE = "find-rate.csv"
NOT_LEARNED = 1


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
        rate_chart.require_known(save)  # before the work
    result = test_rates(Dataset.open(source, read_options), recipe, steps=steps)
    if json:
        print_json(_as_json(result))
    else:
        print(rate_chart.text(result))
    if out:
        rows = ([f"{number:.6g}" for number in row] for row in _rows(result))
        atomic_write(out / TABLE, csv_text(("rate", "loss", "smoothed"), rows))
        notify(f"saved: {out / TABLE}")
    if save:
        rate_chart.save(result, save)
        notify(f"saved: {save}")
    if result.learned:
        if not json:
            print(_recommendation(result))
        notify(f"try: tellapart train {source} --model {recipe.model} --learning-rate {result.recommended:g}")
    elif not json:
        print("\nthe loss hardly fell at any rate: none can be recommended. Try more --steps, or look at the labels")
    return 0 if result.learned else NOT_LEARNED


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
