"""`tellapart find-rate`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.cli import rate_chart
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.data.dataset import Dataset
from tellapart.files import atomic_write, csv_text
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.lr_find import STEPS, RateTest
from tellapart.studies.lr_find import lr_find as test_rates


def lr_find(
    source: str,
    /,
    *,
    recipe: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008  frozen
    reading: ReadAs = AS_IT_IS,
    steps: int = STEPS,
    out: Path | None = None,
    save: Path | None = None,
) -> int:
    """Find a learning rate: train for a moment at ever higher rates, and watch the loss.

    The network is thrown away. Nothing is written but what --out and --save name. The recipe's own learning rate,
    schedule and epochs play no part.

    Parameters
    ----------
    source
        Labelled images, as for train.
    steps
        How many steps from the lowest rate, 1e-7, to the highest, 10.
    out
        A folder for find-rate.csv: rate, loss and smoothed loss of each step.
    save
        Draw the curve into a .png file or an .html page.
    """
    if save:
        rate_chart.require_known(save)  # before the work
    found = test_rates(Dataset.open(source, reading), recipe, steps=steps)
    print(rate_chart.text(found))
    if out:
        atomic_write(out / "find-rate.csv", _csv(found))
        notify(f"saved: {out / 'find-rate.csv'}")
    if save:
        rate_chart.save(found, save)
        notify(f"saved: {save}")
    if not found.learned:
        print("\nthe loss hardly fell at any rate: none can be recommended. Try more --steps, or look at the labels")
        return 1
    beyond = "and rises beyond" if found.least < found.rates[-1] else "the highest rate tried"
    print(f"\nthe loss is least at      {found.least:.1e}, {beyond}")
    print(f"a tenth of that           {found.tenth:.1e}")
    print(f"it falls the fastest at   {found.steepest:.1e}")
    print(f"recommended               {found.recommended:.1e}, the lower of the two:")
    print("                          too low costs epochs, too high costs accuracy")
    notify(f"try: tellapart train {source} --model {recipe.model} --learning-rate {found.recommended:g}")
    return 0


def _csv(found: RateTest) -> str:
    rows = zip(found.rates, found.losses, found.smoothed, strict=True)
    return csv_text(("rate", "loss", "smoothed"), ([f"{number:.6g}" for number in row] for row in rows))
