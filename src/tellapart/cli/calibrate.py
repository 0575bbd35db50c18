"""`tellapart calibrate`."""

from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.calibrate import CalibrationResult
from tellapart.bundles.calibrate import calibrate as calibrate_bundle
from tellapart.cli.options import READ_DEFAULTS, Json, ReadAs
from tellapart.cli.output import print_json
from tellapart.data.dataset import Dataset
from tellapart.judging.intervals import Estimate
from tellapart.judging.selective import parse_goal
from tellapart.progress import notify
from tellapart.text import counted, low_to_high, percent


def calibrate(
    bundle: Path,
    source: str,
    /,
    *,
    read_options: ReadAs = READ_DEFAULTS,
    reject_for: str,
    out: Path | None = None,
    json: Json = False,
) -> None:
    """Write a copy of a bundle that answers "I don't know" below a confidence threshold, and for outliers.

    The threshold is chosen on the validation images, never on the test images.

        tellapart calibrate runs/photos/bundle photos --reject-for accuracy=0.97

    Parameters
    ----------
    bundle
        Folder of the bundle. It is not changed.
    source
        Labelled images, as for train.
    reject_for
        The goal: accuracy=0.97 among the images that are answered, or coverage=0.9 to answer that share of images.
    out
        Folder of the new bundle. Default: the old one's name with -calibrated.
    """
    opened = Bundle.open(bundle)
    place = opened.folder.resolve()
    folder = out or place.with_name(f"{place.name}-calibrated")
    result = calibrate_bundle(opened, Dataset.open(source, read_options), out=folder, **parse_goal(reject_for))
    if result.warning:
        notify(f"warning: {result.warning}")
    if json:
        print_json(_as_json(result, folder))
    else:
        _print(result, folder)


def _print(result: CalibrationResult, folder: Path) -> None:
    reject, coverage, accuracy = result.reject, result.coverage, result.accuracy
    print(f'predictions below {reject.probability:.1%} become "I don\'t know": for {result.wanted} by this rule alone')
    if reject.strangeness is not None:
        print(f"so do outliers beyond 99 % of the validation images (OOD score above {reject.strangeness:.4g})")
    groups = "" if result.groups is None else f", {counted(result.groups.count, 'group')}"
    print(f"answered by both: {_estimate(coverage)} of validation{groups}")
    print(f"correct of these: {_estimate(accuracy)}")
    if result.temperature != 1:
        print(f"temperature:      {result.temperature:.3f} times the old one; measure metrics on test again")
    print(f"bundle: {folder}")


def _estimate(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({low_to_high(estimate.low, estimate.high, '.1%')})"


def _as_json(result: CalibrationResult, folder: Path) -> dict[str, object]:
    return {
        "bundle": folder,
        "goal": result.wanted,
        "probability": result.reject.probability,
        "strangeness": result.reject.strangeness,
        "temperature": result.temperature,
        **({} if result.groups is None else {"groups": result.groups.count}),
        "coverage": result.coverage.as_json(),
        "accuracy": result.accuracy.as_json(),
    }
