"""A bundle is whole and as it was written, or it is refused."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tellapart import Bundle, Recipe
from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.manifest import FILES, MANIFEST
from tellapart.errors import BundleError
from tellapart.training.run import Run


@pytest.fixture
def folder(trained: Run, tmp_path: Path, sandbox_here: None) -> Path:
    """A bundle to be damaged."""
    return Path(shutil.copytree(trained.bundle.folder, tmp_path / "bundle"))


def refused(folder: Path) -> str:
    with pytest.raises(BundleError) as refusal:
        Bundle.open(folder).verify()
    sentence = str(refusal.value)
    assert "\n" not in sentence
    return sentence


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and seal it again, as an attacker could."""
    fields = json.loads((folder / MANIFEST).read_text())
    del fields["sha256"]
    change(fields)
    seal = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({**fields, "sha256": seal}))


def test_a_copy_anywhere_is_the_same_bundle(trained: Run, folder: Path) -> None:
    copy = Bundle.open(folder)
    copy.verify()
    assert copy.manifest == trained.bundle.manifest
    assert copy.classes == ("blue", "green", "red")
    assert copy.name == "tiny"
    assert (copy.preprocessing.height, copy.preprocessing.width, copy.preprocessing.channels) == (20, 20, 3)
    assert copy.metrics == trained.metrics
    assert Recipe.of(dict(copy.manifest.recipe)) == trained.recipe


def test_the_manifest_has_the_documented_fields(trained: Run) -> None:
    fields = json.loads((trained.bundle.folder / MANIFEST).read_text())
    assert fields["format"] == 1
    assert {"classes", "preprocessing", "recipe", "metrics", "fingerprint"} <= fields.keys()
    for name in FILES:
        content = (trained.bundle.folder / name).read_bytes()
        assert fields["files"][name] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("value", ["", "0" * 63, "0" * 65, "0" * 63 + "G", "0" * 64 + "\n"])
def test_a_copy_of_what_is_no_digest_is_refused(folder: Path, value: str) -> None:
    rewritten(folder, lambda fields: fields.update(copy_of=value))
    assert "misstates the bundle that it is a copy of" in refused(folder)


def test_a_whole_bundle_that_claims_to_be_a_copy_is_refused(folder: Path) -> None:
    rewritten(folder, lambda fields: fields.update(copy_of="0" * 64))
    assert "has model.keras, which does not belong to it" in refused(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"lacks {name}" in refused(folder)


@pytest.mark.parametrize("extra", ["notes.txt", ".hidden", "model.py", "sub"])
def test_an_extra_file_is_refused_by_name(folder: Path, extra: str) -> None:
    if extra == "sub":
        (folder / extra).mkdir()
    else:
        (folder / extra).touch()
    assert extra in refused(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "emptied", "one bit", "one byte more"])
def test_an_altered_file_is_refused_by_name(folder: Path, name: str, damage: str) -> None:
    content = (folder / name).read_bytes()
    middle = len(content) // 2
    changed = {
        "truncated": content[:-1],
        "emptied": b"",
        "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "one byte more": content + b"\0",
    }[damage]
    (folder / name).write_bytes(changed)
    assert f"{name} is not the file that was written" in refused(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_place_of_a_file_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert f"{name} is not the file that was written" in refused(folder)


def test_a_folder_in_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "model.bin").unlink()
    (folder / "model.bin").mkdir()
    assert "model.bin is not the file that was written" in refused(folder)


def edits() -> Mapping[str, Callable[[dict[str, Any]], None]]:
    return {
        "classes": lambda fields: fields["classes"].reverse(),
        "size": lambda fields: fields["preprocessing"].update(height=21),
        "accuracy": lambda fields: fields["metrics"]["test"]["accuracy"].update(value=0.123),
        "hash": lambda fields: fields["files"].update({"model.bin": "0" * 64}),
        "added": lambda fields: fields.update(more=1),
        "removed": lambda fields: fields.pop("fingerprint"),
        "seal": lambda fields: fields.pop("sha256"),
    }


@pytest.mark.parametrize("name", edits())
def test_an_edited_manifest_is_refused(folder: Path, name: str) -> None:
    fields = json.loads((folder / MANIFEST).read_text())
    edits()[name](fields)
    (folder / MANIFEST).write_text(json.dumps(fields))
    assert "bundle.json is not the file that was written" in refused(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"7", b'{"format": 1}', b"[" * 100_000, b'{"format": NaN}']
)
def test_an_invalid_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    assert "bundle.json" in refused(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_format_is_refused_with_the_known_one(folder: Path, version: object) -> None:
    rewritten(folder, lambda fields: fields.update(format=version))
    assert f"has format {version!r}, this tellapart reads format 1" in refused(folder)


@pytest.mark.parametrize("absent", ["name", "classes", "preprocessing", "recipe", "metrics", "fingerprint", "files"])
def test_a_sealed_manifest_with_missing_fields_is_refused(folder: Path, absent: str) -> None:
    rewritten(folder, lambda fields: fields.pop(absent))
    assert absent in refused(folder)


@pytest.mark.parametrize("classes", [("blue", "green"), ("blue", "green", "red", "violet")])
def test_classes_that_differ_from_the_graphs_outputs_are_refused_though_all_hashes_are_right(
    trained: Run, folder: Path, classes: tuple[str, ...]
) -> None:
    write_manifest(folder, replace(trained.bundle.manifest, classes=classes))
    assert f"names {len(classes)} classes, its graph has 3 outputs" in refused(folder)


def test_an_invalid_graph_is_refused_though_all_hashes_are_right(trained: Run, folder: Path) -> None:
    (folder / "model.xml").write_text("<net>")
    write_manifest(folder, trained.bundle.manifest)
    with pytest.raises(BundleError, match=r"model\.xml is not a graph that can be read"):
        Bundle.open(folder).verify()


def test_a_required_file_that_the_manifest_omits_is_refused(folder: Path) -> None:
    rewritten(folder, lambda fields: fields["files"].pop("splits.json"))
    (folder / "splits.json").unlink()
    assert "lacks splits.json" in refused(folder)


def test_a_manifest_cannot_reach_out_of_its_folder(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()
    rewritten(folder, lambda fields: fields["files"].update({"../outside": digest}))
    assert "../outside" in refused(folder)


def test_a_folder_without_a_bundle_is_refused_with_advice(tmp_path: Path) -> None:
    assert "Name the folder of a run, or its bundle/" in refused(tmp_path)
    assert "is not a bundle" in refused(tmp_path / "absent")
    (tmp_path / "file").touch()
    assert os.fspath(tmp_path / "file") in refused(tmp_path / "file")


def test_the_weights_are_float32_as_trained_and_model_keras_opens_in_safe_mode(trained: Run) -> None:
    import keras

    model = keras.models.load_model(trained.bundle.folder / "model.keras", safe_mode=True)
    assert model.count_params() == (20 * 20 * 3 + 1) * 128 + (128 + 1) * 3
    assert (trained.bundle.folder / "model.bin").stat().st_size >= 4 * model.count_params()
