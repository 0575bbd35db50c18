"""Inspection of model files from elsewhere, `.keras` and `.h5`, before Keras loads them.

A private, checked copy is loaded, never the file itself, so that it cannot be replaced in between.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from tellapart.errors import MissingPackageError, StorageError, WeightsError, first_line, require
from tellapart.files import storage_errors
from tellapart.models.importing.channels_last import to_channels_last
from tellapart.models.importing.config_check import require_built_in, safe_text, without_training
from tellapart.models.importing.keras2 import is_keras2, modernise

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
VERSION = "keras_version"
CONFIG, METADATA, ARRAYS = "config.json", "metadata.json", "model.weights.h5"
MAX_CONFIG_BYTES = 20_000_000  # bytes; NASNetLarge, the longest of keras.applications, has 1.3 million
MAX_METADATA_BYTES = 100_000
MAX_OBJECTS = 50_000  # groups and arrays in an HDF5 file; EfficientNetB7 with Adam's state has 7,000
MAX_EXPANSION = 10  # Keras does not compress at all, and trained weights hardly shrink
Group = Any
"""A group or array of an HDF5 file; h5py has no types."""
KINDS = "fiubV"  # floats, whole numbers, booleans, and the raw bytes that bfloat16 is kept as


@contextmanager
def inspect_archive(file: Path) -> Iterator[Path]:
    """Yield a checked copy of a model file for `keras.saving.load_model`: a folder, or an .h5 file.

    Raises WeightsError unless the file is a model of built-in layers only.
    """
    with tempfile.TemporaryDirectory() as folder, _read(file) as stream:
        try:
            with storage_errors(Path(folder)):
                copy = _copy_checked(stream, Path(folder))
        except (StorageError, MissingPackageError):
            raise
        except WeightsError as error:
            raise WeightsError(f"{file} is not imported: {error}") from error
        except Exception as error:  # the readers of ZIP, HDF5 and JSON may raise anything for invalid bytes
            raise WeightsError(f"{file} is not imported: it is damaged or truncated ({first_line(error)})") from error
        yield copy


def _read(file: Path) -> IO[bytes]:
    if not file.is_file():
        problem = "is a folder" if file.is_dir() else "is not a regular file" if file.exists() else "does not exist"
        raise WeightsError(
            f"{file} {problem}; expected a model that Keras saved: a .keras or .h5 file, or a SavedModel folder"
        )
    try:
        return file.open("rb")
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error.strerror}") from error


def _copy_checked(stream: IO[bytes], folder: Path) -> Path:
    """Copy by what the file is, not by its name: until 2.11 Keras wrote HDF5 into files named .keras as well."""
    start = stream.read(len(HDF5))
    stream.seek(0)
    if start.startswith(ZIP):
        return _unpack(stream, folder)
    if start == HDF5:
        return _copy_h5(stream, folder)
    raise WeightsError(
        "it is neither a .keras nor an .h5 file. Save the model with Keras's model.save('model.keras'); "
        "pickles and PyTorch files are not read; of a SavedModel name the folder"
    )


def _unpack(stream: IO[bytes], folder: Path) -> Path:
    """Check a .keras file, a ZIP archive, and extract the needed members into `folder`."""
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        _require_members([member.filename for member in members])
        sizes = {member.filename: (member.file_size, member.compress_size) for member in members}
        if sizes[CONFIG][0] > MAX_CONFIG_BYTES:
            raise WeightsError(f"its {CONFIG} has {sizes[CONFIG][0]:,} bytes, at most {MAX_CONFIG_BYTES:,} are read")
        if sizes[ARRAYS][0] > MAX_EXPANSION * sizes[ARRAYS][1]:
            raise WeightsError(f"its {ARRAYS} would expand from {sizes[ARRAYS][1]:,} to {sizes[ARRAYS][0]:,} bytes")
        version = _version(archive)
        config = _parse_config(archive.read(CONFIG), version)
        with archive.open(ARRAYS) as source, (folder / ARRAYS).open("wb") as copy:
            shutil.copyfileobj(source, copy)
    (folder / CONFIG).write_text(json.dumps(without_training(config)))
    if isinstance(version, str) and is_keras2(version, config):
        (folder / METADATA).write_text(json.dumps({VERSION: version}))
    with _hdf5(folder / ARRAYS) as (h5py, file):
        _require_plain_arrays(h5py, file, (folder / ARRAYS).stat().st_size)
    return folder


def _require_members(names: list[str]) -> None:
    if extra := [name for name in names if name not in (CONFIG, METADATA, ARRAYS)]:
        raise WeightsError(f"it contains {safe_text(extra[0])}, which is not part of a model of built-in layers")
    if missing := [name for name in (CONFIG, ARRAYS) if name not in names]:
        raise WeightsError(f"it contains no {missing[0]}, which every .keras file has")
    if len(set(names)) < len(names):
        raise WeightsError("it contains two files of the same name")


def _version(archive: zipfile.ZipFile) -> object:
    """Read the version of Keras that wrote an archive; None where it is not stated."""
    if METADATA not in archive.namelist() or archive.getinfo(METADATA).file_size > MAX_METADATA_BYTES:
        return None
    metadata = json.loads(archive.read(METADATA))
    return metadata.get(VERSION) if isinstance(metadata, dict) else None


def _copy_h5(stream: IO[bytes], folder: Path) -> Path:
    """Copy an .h5 file into `folder` and check the copy."""
    path = folder / "model.h5"
    with path.open("wb") as copy:
        shutil.copyfileobj(stream, copy)
    with _hdf5(path, "r+") as (h5py, file):
        _require_plain_arrays(h5py, file, path.stat().st_size)
        if "model_config" not in file.attrs:
            raise WeightsError(
                "it contains weights, but no model. Save the whole model with model.save('model.keras'); weights alone "
                "are for tellapart train --weights FILE"
            )
        attribute = file.attrs.get_id("model_config")
        if attribute.get_storage_size() > MAX_CONFIG_BYTES or attribute.shape != ():
            raise WeightsError(f"its model_config is not a text of at most {MAX_CONFIG_BYTES:,} bytes")
        text = file.attrs["model_config"]
        version = file.attrs.get(VERSION)
        config = _parse_config(text, version)
        if config != json.loads(text):
            file.attrs["model_config"] = json.dumps(config)
    return path


def written_by(copy: Path) -> str:
    """Return " (version 2.9.0)", the version of Keras that wrote a copied file of Keras 2; nothing if it is unknown."""
    version = _stated_version(copy)
    return f" (version {safe_text(version)[1:-1]})" if isinstance(version, str) else ""


def is_translated(copy: Path) -> bool:
    """Return True if a copy's configuration was translated from Keras 2."""
    return is_keras2(_stated_version(copy), {})


def _stated_version(copy: Path) -> object:
    if copy.is_dir():
        metadata = copy / METADATA
        return json.loads(metadata.read_text())[VERSION] if metadata.is_file() else None
    with _hdf5(copy) as (_, file):
        version = file.attrs.get(VERSION)
    return version.decode(errors="replace") if isinstance(version, bytes) else version


@contextmanager
def _hdf5(path: Path, mode: str = "r") -> Iterator[tuple[ModuleType, Group]]:
    h5py = require("h5py", extra="train")
    with h5py.File(path, mode) as file:
        yield h5py, file


def _require_plain_arrays(h5py: ModuleType, file: Group, size: int) -> None:
    """Refuse links out of the file, external arrays, and arrays that claim more bytes than the file has."""
    groups, objects, bytes_left = [file], 0, size
    while groups:
        group = groups.pop()
        for name in group:
            objects += 1
            if objects > MAX_OBJECTS:
                raise WeightsError(f"it contains more than {MAX_OBJECTS:,} arrays and groups, or a group within itself")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise WeightsError(f"its arrays are not plain: {safe_text(name)} is a {type(link).__name__}")
            item = group[name]
            if isinstance(item, h5py.Group):
                groups.append(item)
            else:
                bytes_left -= _array_bytes(h5py, item, name)
            if bytes_left < 0:
                raise WeightsError(f"its arrays claim more bytes than the {size:,} of the file, at {safe_text(name)}")


def _array_bytes(h5py: ModuleType, item: Group, name: str) -> int:
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual or item.dtype.kind not in KINDS:
        raise WeightsError(f"{safe_text(name)} in it is not a plain array of numbers stored in the file itself")
    return int(item.size or 0) * int(item.dtype.itemsize)


def _parse_config(text: str | bytes, version: object) -> dict[str, object]:
    """Parse, translate and check a configuration: where it is of Keras 2, or has channels first."""
    if len(text) > MAX_CONFIG_BYTES:
        raise WeightsError(f"its description of the model has more than {MAX_CONFIG_BYTES:,} bytes")
    try:
        config = json.loads(text, object_pairs_hook=_unique_fields)
    except RecursionError as error:
        raise WeightsError("the model's description is nested too deeply for a classifier") from error
    if not isinstance(config, dict) or "class_name" not in config:
        raise WeightsError("its description of the model is not one of Keras")
    config = modernise(config, version)
    require_built_in(config)
    return to_channels_last(config)


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):  # readers disagree about which one is valid
        raise WeightsError("the model's description names a field twice")
    return dict(pairs)
