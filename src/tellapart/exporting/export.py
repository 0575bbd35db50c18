"""A bundle written in another format, run at once on real images, and kept only where it agrees."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.data.dataset import Dataset
from tellapart.errors import BundleError, TellapartError, first_line
from tellapart.exporting.formats import Format, format_for
from tellapart.exporting.networks import temperature_of
from tellapart.exporting.parity import Parity, Sample, bundle_probabilities, check_parity, require_parity, sample_of
from tellapart.files import atomic_folder, require_unused, sha256, storage_errors
from tellapart.silence import silence_libraries
from tellapart.version import __version__

LABELS, FACTS = "labels.txt", "export.json"


@dataclass(frozen=True)
class Exported:
    """Where an export lies, its bytes without labels and facts, and how it agrees with its bundle."""

    folder: Path
    format: str
    bytes: int
    parity: Parity


def export(bundle: Bundle | str | Path, dataset: Dataset, *, to: str, out: Path) -> Exported:
    """Write a bundle into the new folder `out` in a format of FORMATS, and compare the two on real images.

    What is written takes uint8 images (n, height, width, channels) and gives calibrated probabilities; beside it are
    `labels.txt`, a class on each line, and `export.json`. Nothing is kept where the two name another class for more
    than 1 image in 200. Raises BundleError, DatasetError, RecipeError, StorageError, MissingPackageError.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    require_unused(out)
    chosen = format_for(bundle, to)
    sample = sample_of(bundle, dataset)
    with atomic_folder(out) as partial:
        found = _written(bundle, chosen, partial / chosen.file, sample)
        size = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
        write_beside(bundle, partial, {"format": to, "file": chosen.file, "agreement": found.as_json()})
    return Exported(out, to, size, found)


def _written(bundle: Bundle, chosen: Format, path: Path, sample: Sample) -> Parity:
    """Write the file, run it, and refuse it where it disagrees. Raises BundleError, StorageError."""
    try:
        with silence_libraries(), storage_errors(path.parent):
            chosen.write(bundle, path)
            found = check_parity(chosen.opened(path), sample, bundle_probabilities(bundle, sample.pixels))
    except TellapartError:
        raise
    except Exception as error:  # whatever a converter or a runtime says of a network
        raise BundleError(
            f"{bundle.folder} cannot be written as {path.name}: {first_line(error)}. Export it to another format"
        ) from error
    require_parity(found)
    return found


def write_beside(bundle: Bundle, folder: Path, own: dict[str, Any]) -> None:
    """Write the class names, and what whoever runs the export must know: how to make its input, what it was made of.

    How strange an image is, is in no export: of a reject option its threshold of probability is all that is left.
    """
    shape = bundle.preprocessing
    facts = {
        **own,
        "tellapart": __version__,
        "name": bundle.name,
        "classes": bundle.classes,
        "input": {"name": "pictures", "dtype": "uint8", "shape": [None, shape.height, shape.width, shape.channels]},
        "output": {"name": "probabilities", "dtype": "float32", "shape": [None, len(bundle.classes)]},
        "preprocessing": asdict(shape),
        "temperature": temperature_of(bundle),
        "reject_below": bundle.reject.probability if bundle.reject else None,
        "licence": bundle.facts.licence,
        "bundle_sha256": sha256(bundle.folder / MANIFEST),
    }
    (folder / LABELS).write_text("".join(f"{name}\n" for name in bundle.classes), encoding="utf-8")
    (folder / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
