"""`tellapart train`."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.parameters import bundle_bytes, count_parameters
from tellapart.cli.baselines_table import baselines_table
from tellapart.cli.options import BUDGET, COMMON, DATA, OUTPUT, READ_DEFAULTS, Json, ReadAs
from tellapart.cli.output import dataset_line, metrics_table, print_json
from tellapart.cli.recipe_options import DEFAULT_RECIPE, RecipeOptions
from tellapart.data.dataset import Dataset
from tellapart.errors import SettingsError, TellapartError
from tellapart.progress import notify
from tellapart.reports.build_report import report as build_report
from tellapart.text import printable
from tellapart.training.baselines import Baseline, LeftOut, better_baseline, left_out_baselines, read_baselines
from tellapart.training.budget import Budget, parse_duration, suits_budget
from tellapart.training.evaluation_notes import evaluation_notes
from tellapart.training.prepare import with_model
from tellapart.training.run import Run
from tellapart.training.run import train as train_run
from tellapart.training.run_files import with_stored_model
from tellapart.training.training_warnings import TrainingWarning, training_warnings

FAILED = 1


def train(
    source: str,
    /,
    *,
    recipe: RecipeOptions = DEFAULT_RECIPE,
    read_options: ReadAs = READ_DEFAULTS,
    time: Annotated[str | None, Parameter(group=COMMON)] = None,
    budget: Annotated[Budget | None, Parameter(group=BUDGET)] = None,
    start: Annotated[Path | None, Parameter(name="--from", group=BUDGET)] = None,  # noqa: ARG001  `expanded` reads it
    out: Annotated[Path | None, Parameter(group=COMMON)] = None,
    resume: Annotated[bool, Parameter(group=COMMON)] = False,
    report: Annotated[bool, Parameter(group=OUTPUT)] = True,
    forbid: Annotated[tuple[str, ...], Parameter(group=DATA)] = (),
    strict: Annotated[bool, Parameter(group=DATA)] = False,
    json: Json = False,
) -> int:
    """Train a classifier, judge it on images held out for that, and write a bundle that predicts.

    Without options it fine-tunes a pre-trained network, recipe after recipe while each takes up to 5 minutes; images
    below 64 pixels train a small network from scratch. Options that say how to train, such as --epochs, train that one
    recipe instead.

        tellapart train photos
        tellapart train photos --time 10m --out runs/photos
        tellapart train digits --model mlp --epochs 20

    Parameters
    ----------
    source
        A folder with one folder of images per class (or train/, validation/ and test/ above these); a table of paths
        and labels, or with a column of 0 and 1 for each class, in .csv, .tsv, .jsonl, .parquet, or a .txt list of
        "path label"; a folder of Parquet shards with images in them, or with metadata.jsonl beside the images, as
        Hugging Face has them; an .npz file, a folder of IDX files, or the name of a data set: digits, mnist,
        fashion-mnist, cifar10. For labels in file names see --label-from, for paths from elsewhere --root.
    time
        Time to spend, such as 90s, 10m or 2h: better and better recipes are tried until it is over; a network from
        scratch gets the epochs that fit.
    budget
        How much to try without --time. quick: a linear head on a frozen backbone. standard: every step that pays
        within 5 minutes; the default where no option says how to train. best: every step that pays.
    start
        A recipe to start from: the folder of a run, sweep or search, or a .toml file. Other options override it.
    out
        Folder of the run: bundle, metrics, report, checkpoints. Default: runs/<dataset>-<model>-<date-time>.
    resume
        Continue a run in --out that was stopped or killed.
    report
        Write report.html into the run's folder: figures, baselines, mistakes, explanations.
    forbid
        Kinds of findings that stop the run before the first epoch, such as leak,near-leak,missing-class.
        `tellapart check` names them.
    strict
        Stop before the first epoch at any problem or warning that is quick to find, and exit with status 1 where the
        training diverged, predicts one class for everything, or shows nothing that it learned.
    """
    seconds = None if time is None else parse_duration(time)
    if budget and seconds:
        raise SettingsError("--time and --budget are two limits of the same training: leave one out")
    dataset = Dataset.open(source, read_options)
    notify(dataset_line(dataset))
    recipe = with_model(dataset, with_stored_model(recipe, out) if resume and out else recipe)
    folder = out or Path("runs") / f"{dataset.name}-{recipe.model}-{datetime.now():%Y%m%d-%H%M%S}"
    if budget is None and seconds is None and suits_budget(recipe):
        budget = "standard"
    run = train_run(
        dataset,
        recipe,
        out=folder,
        resume=resume,
        budget=budget,
        seconds=seconds,
        forbid=[kind.strip() for kinds in forbid for kind in kinds.split(",") if kind.strip()],
        strict=strict,
    )
    page = _report(run, dataset) if report else None
    compared: tuple[Baseline | LeftOut, ...] = (*read_baselines(run), *left_out_baselines(run))
    reasons, notes = training_warnings(run), evaluation_notes(run)
    if json:
        print_json(_as_json(run, page, reasons) | {"notes": notes} | _baselines_json(compared))
    else:
        print(metrics_table(run.metrics))
        if table := baselines_table(compared):
            print(f"\n{table}\n")
        print(f"bundle: {run.bundle.folder} ({_size(run.bundle)})")
        if page:
            print(f"report: {page}")
    for reason in reasons:
        notify(f"warning: {printable(str(reason))}")
    for note in notes:
        notify(f"warning: {printable(note)}")
    bundle = shlex.quote(str(run.bundle.folder))
    notify(f"try: tellapart predict {bundle} IMAGE   or   tellapart serve {bundle}")
    return FAILED if strict and reasons else 0


def _size(bundle: Bundle) -> str:
    parameters = count_parameters(bundle)
    size = f"{bundle_bytes(bundle) / 1e6:,.1f} MB"
    return size if parameters is None else f"{parameters:,} parameters, {size}"


def _baselines_json(compared: Sequence[Baseline | LeftOut]) -> dict[str, object]:
    return {"baselines": [asdict(entry) for entry in compared if isinstance(entry, Baseline)]}


def _as_json(run: Run, page: Path | None, reasons: Sequence[TrainingWarning]) -> dict[str, object]:
    return {
        "run": run.folder,
        "bundle": run.bundle.folder,
        "report": page,
        "parameters": count_parameters(run.bundle),
        "bytes": bundle_bytes(run.bundle),
        "metrics": run.metrics,
        "warnings": [reason.as_json() for reason in reasons],
    }


def _report(run: Run, dataset: Dataset) -> Path | None:
    """Write the report. A run is complete without it, so a failure is reported and does not fail the training."""
    try:
        page = build_report(run, dataset=dataset)
        if message := better_baseline(run):
            notify(message)
    except TellapartError as error:
        notify(f"no report: {error}")
        return None
    return page
