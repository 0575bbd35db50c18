"""Export of a bundle to another format, verified on real images."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import MANIFEST
from tellapart.data.dataset import Dataset
from tellapart.errors import BundleError, TellapartError, first_line
from tellapart.exporting.formats import Format, any_size_writer, format_for
from tellapart.exporting.keras_formats import keras_versions, temperature_of
from tellapart.exporting.parity import Parity, Sample, bundle_probabilities, check_parity, draw_sample, require_parity
from tellapart.exporting.pixel_recipe import describe_resizing, write_pixel_recipe
from tellapart.files import atomic_folder, require_unused, sha256, storage_errors
from tellapart.silence import silence_libraries
from tellapart.version import __version__

LABELS, METADATA = "labels.txt", "export.json"


@dataclass(frozen=True)
class ExportResult:
    """An export: its folder, its size without labels and metadata, and its agreement with the bundle."""

    folder: Path
    format: str
    bytes: int
    parity: Parity


def export(
    bundle: Bundle | str | Path, dataset: Dataset | str | Path, *, to: str, out: str | Path, any_size: bool = False
) -> ExportResult:
    """Write a bundle into the new folder `out` in a format of FORMATS, and compare the two on real images.

    The export takes uint8 images (n, height, width, channels) and returns calibrated probabilities. Next to it are
    `labels.txt`, one class per line, and `export.json`. It is removed if the two predict different classes for more
    than 1 image in 200. With `any_size` it takes images of any height and width and resizes them itself; it is
    compared on images of many sizes. Raises BundleError, DatasetError, RecipeError, StorageError, MissingPackageError.
    """
    bundle = Bundle.of(bundle)
    bundle.verify()
    out = Path(out)
    require_unused(out)
    target = format_for(bundle, to)
    if any_size:
        target = replace(target, write=any_size_writer(to))
    sample = draw_sample(bundle, Dataset.of(dataset), any_size=any_size)
    with atomic_folder(out) as partial:
        parity = _write(bundle, target, partial / target.file, sample)
        size = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
        fields = {"format": to, "file": target.file, "agreement": parity.as_json()}
        write_metadata(bundle, partial, fields, any_size=any_size)
    return ExportResult(out, to, size, parity)


def _write(bundle: Bundle, target: Format, path: Path, sample: Sample) -> Parity:
    """Write the file, run it, and refuse it if it disagrees. Raises BundleError, StorageError."""
    try:
        with silence_libraries(), storage_errors(path.parent):
            target.write(bundle, path)
            parity = check_parity(target.open(path), sample, bundle_probabilities(bundle, sample.images))
    except TellapartError:
        raise
    except Exception as error:  # of a converter or a runtime
        raise BundleError(
            f"{bundle.folder} cannot be exported as {path.name}: {first_line(error)}. Export it to another format"
        ) from error
    require_parity(parity)
    return parity


def write_metadata(bundle: Bundle, folder: Path, export_fields: dict[str, Any], *, any_size: bool = False) -> None:
    """Write the class names, and what is needed to run the export: its input, its output and its origin.

    Exports compute no OOD score: of a reject option, only the confidence threshold remains.
    """
    shape, pixels = bundle.preprocessing, write_pixel_recipe(bundle, folder)
    sides = [None, None] if any_size else [shape.height, shape.width]
    metadata = {
        **export_fields,
        "tellapart": __version__,
        "name": bundle.name,
        "classes": bundle.classes,
        "input": {"name": "pictures", "dtype": "uint8", "shape": [None, *sides, shape.channels]},
        **keras_versions(str(export_fields["format"])),
        "output": {"name": "probabilities", "dtype": "float32", "shape": [None, len(bundle.classes)]},
        "preprocessing": shape.as_json(),
        **pixels,
        **({"resizing": describe_resizing(shape)} if any_size else {}),
        "temperature": temperature_of(bundle),
        "reject_below": bundle.reject.probability if bundle.reject else None,
        "licence": bundle.manifest.licence,
        "bundle_sha256": sha256(bundle.folder / MANIFEST),
    }
    (folder / LABELS).write_text("".join(f"{name}\n" for name in bundle.classes), encoding="utf-8")
    (folder / METADATA).write_text(json.dumps(metadata, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
