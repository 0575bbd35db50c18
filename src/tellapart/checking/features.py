"""Features of labelled images: an array with paths, splits and labels, and a file."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.dataset_features import dataset_features
from tellapart.checking.locations import path_at
from tellapart.data.csv_injection import escape_formula
from tellapart.data.dataset import Dataset
from tellapart.errors import RecipeError
from tellapart.files import atomic_write, csv_text
from tellapart.jobs import Jobs

FORMATS = (".npz", ".csv")


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the readable images of a data set, train before validation before test.

    `values` float32 (n, width); `labels` int32 (n,), indices of `classes`; `paths` and `splits` name each image's
    file, or the image, and its split. `unreadable` counts the images that are left out.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int32]
    paths: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    unreadable: int

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<Features of {len(self):,} images: float32 {self.values.shape}>"

    def save(self, file: str | Path) -> None:
        """Write a file, atomically: `.npz`, arrays named as the fields here, or `.csv`, a row for each image.

        `np.load` reads the `.npz` file without pickle. Raises RecipeError for another ending, StorageError.
        """
        file = Path(file)
        require_format(file)
        atomic_write(file, self._npz() if file.suffix.lower() == ".npz" else self._csv())

    def _npz(self) -> bytes:
        stream = BytesIO()
        paths, splits, classes = (np.array(names, np.str_) for names in (self.paths, self.splits, self.classes))
        np.savez_compressed(stream, values=self.values, labels=self.labels, paths=paths, splits=splits, classes=classes)
        return stream.getvalue()

    def _csv(self) -> str:
        header = ["path", "split", "label", *(f"f{number}" for number in range(self.values.shape[1]))]
        names = zip(self.paths, self.splits, (self.classes[label] for label in self.labels.tolist()), strict=True)
        rows = (
            [escape_formula(path), split, escape_formula(label), *(f"{number:.9g}" for number in vector.tolist())]
            for (path, split, label), vector in zip(names, self.values, strict=True)
        )  # 9 digits are exact for float32
        return csv_text(header, rows)


def require_format(file: Path) -> None:
    """Check the ending of a file for features. Raises RecipeError."""
    if file.suffix.lower() not in FORMATS:
        raise RecipeError(f"{file} ends in {file.suffix or 'nothing'}; features are written as {' or '.join(FORMATS)}")


def features(dataset: Dataset | str | Path, model: str, *, jobs: Jobs | None = None) -> Features:
    """Compute the features of all images of a data set from a pre-trained network, or read them from the cache.

    `model` is a name of the catalogue such as xception; it runs once over each image, with its published weights, at
    its own image size. Raises RecipeError, WeightsError, DatasetError.
    """
    dataset = Dataset.of(dataset)
    computed = dataset_features(dataset, model, jobs)
    return Features(
        values=np.asarray(computed.rows[:], dtype=np.float32),
        labels=np.asarray(computed.split.labels, dtype=np.int32),
        paths=tuple(path_at(dataset, location) for location in computed.locations),
        splits=tuple(location.split for location in computed.locations),
        classes=dataset.classes,
        unreadable=sum(map(len, dataset.splits.values())) - len(computed.locations),
    )
