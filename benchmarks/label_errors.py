"""Planted wrong labels and planted outliers among the clothing photos: how many are found, and what it takes.

    python benchmarks/label_errors.py PHOTOS [--base xception] [--repeats 5]

5 % of the photos get another label, drawn evenly: at least 60 % of them should stand among the first 8 % of the list.
Then 30 MNIST digits (found as `mnist`) are put among the photos under drawn labels. What is found among the photos as
they came is printed too: of the outliers few should be. Label errors and outliers should take at most 10 s on 2
cores once features are cached, with all imports; the first line is that, where the cache held them before.
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np

from measuring import Table, own_peak_bytes
from tellapart import Dataset
from tellapart.checking.dataset_features import DatasetFeatures, dataset_features
from tellapart.checking.finding import Finding
from tellapart.checking.findings.label_errors import feature_findings, label_error_findings
from tellapart.checking.findings.outliers import outlier_finding
from tellapart.data.dataset import Split
from tellapart.data.images import ConcatImages

WRONG, LISTED, OUTLIERS = 0.05, 0.08, 30


def main() -> None:
    """Plant, look, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("--base", default="xception")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    photos = Dataset.open(options.photos)
    started = time.perf_counter()
    own = {one.kind: one.count for one in feature_findings(photos, options.base)}
    seconds, without_keras = time.perf_counter() - started, "keras" not in sys.modules
    print(f"{seconds:.1f} s, {own_peak_bytes() / 1e6:,.0f} MB, features {'cached' if without_keras else 'computed'}")
    print(f"among the photos as they came: {own}")
    labels_table(photos, dataset_features(photos, options.base), options.repeats).print()
    outliers_table(photos, options.base, options.repeats).print()


def labels_table(photos: Dataset, seen: DatasetFeatures, repeats: int) -> Table:
    """Wrong labels among the first of the list, by the seed that planted them."""
    table = Table("seed", "wrong labels", "listed", "found among the first 8 %", "asked", "rightly put", "s")
    for seed in range(repeats):
        labels, wrong = mislabelled(seen.split.labels, len(photos.classes), seed)
        planted = replace(seen, split=replace(seen.split, labels=labels))
        started = time.perf_counter()
        rows = label_error_findings(photos, planted)[0].rows
        seconds = time.perf_counter() - started
        truth = dict(zip(seen.split.images.digests, seen.split.labels.tolist(), strict=True))
        sought = {seen.split.images.digests[i] for i in wrong}
        hits = [row for row in rows[: int(LISTED * len(labels))] if row.digest in sought]
        right = sum(row.suggested == photos.classes[truth[row.digest]] for row in hits) / max(len(hits), 1)
        share = len({row.digest for row in hits}) / len(sought)
        table.row(str(seed), str(len(wrong)), str(len(rows)), f"{share:.3f}", "0.60", f"{right:.3f}", f"{seconds:.1f}")
    return table


def outliers_table(photos: Dataset, base: str, repeats: int) -> Table:
    """Digits among what is found to belong to no class, by the seed that drew their labels."""
    table = Table("seed", "digits", "found", "photos found")
    digits = Dataset.open("mnist").splits["test"].take(range(OUTLIERS))
    for seed in range(repeats):
        drawn = np.random.default_rng(seed).integers(0, len(photos.classes), OUTLIERS).astype(np.int32)
        train = photos.splits["train"]
        labels = np.concatenate([train.labels, drawn])
        mixed = Split(ConcatImages((train.images, digits.images)), labels)
        planted = replace(photos, splits={**photos.splits, "train": mixed})
        found: list[Finding] = outlier_finding(planted, dataset_features(planted, base))
        rows = found[0].rows if found else ()
        hits = sum(row.digest in digits.images.digests for row in rows)
        table.row(str(seed), str(OUTLIERS), str(hits), str(len(rows) - hits))
    return table


def mislabelled(labels: np.ndarray, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels with some put wrong, int32 (n,), and which these are."""
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(labels), round(WRONG * len(labels)), replace=False)
    changed = labels.copy()
    changed[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return changed, wrong


if __name__ == "__main__":
    main()
