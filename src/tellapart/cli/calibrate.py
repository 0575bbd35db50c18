"""`tellapart calibrate`."""

from pathlib import Path

from tellapart.bundles.calibrate import calibrate as calibrate_bundle
from tellapart.cli.read_options import AS_IT_IS, ReadAs
from tellapart.data.dataset import Dataset
from tellapart.judging.selective import parse_goal


def calibrate(
    bundle: Path, source: str, /, *, reading: ReadAs = AS_IT_IS, reject_for: str, out: Path | None = None
) -> None:
    """Write a copy of a bundle that says "I don't know" when it is not sure enough, or an image is too strange.

    Parameters
    ----------
    bundle
        The bundle's folder. It stays as it is.
    source
        Labelled images, as for train: thresholds are chosen on their validation part, never on test.
    reject_for
        What is wanted of the answers that are given: accuracy=0.97, or coverage=0.9 to answer that share of images.
    out
        The new bundle's folder; the old one's name with -calibrated when left out.
    """
    folder = out or bundle.resolve().with_name(f"{bundle.resolve().name}-calibrated")
    found = calibrate_bundle(bundle, Dataset.open(source, reading), out=folder, **parse_goal(reject_for))
    reject, coverage, accuracy = found.reject, found.coverage, found.accuracy
    print(f'answers below {reject.probability:.1%} become "I don\'t know": for {found.wanted} by this rule alone')
    if reject.strangeness is not None:
        print(f"so do images stranger than 99 % of the validation images (above {reject.strangeness:.4g})")
    print(f"answered by both:  {coverage.value:.1%} ({coverage.low:.1%} to {coverage.high:.1%}) of validation")
    print(f"right among these: {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})")
    if found.temperature != 1:
        print(f"temperature:       {found.temperature:.3f} times what it was; metrics of test are to be measured anew")
    print(f"bundle: {folder}")
