"""Notes on bases are found again where nothing that decides features has changed; damaged ones are passed over."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tellapart.data.preprocessing import DECODER, Preprocessing
from tellapart.engine import resolve_precision
from tellapart.files import cache_folder, sha256
from tellapart.models.features.backbone_registry import KnownBackbone, known_backbones


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownBackbone:
    """What would be noted of xception at 150 pixels."""
    file = tmp_path / "xception.weights.h5"
    file.write_bytes(b"weights")
    monkeypatch.setenv("TELLAPART_WEIGHTS", str(tmp_path))
    shape = Preprocessing(150, 150, 3)
    return KnownBackbone("xception", sha256(file), shape, resolve_precision("auto"), DECODER, "150", 2048)


def write(known: KnownBackbone) -> None:
    (cache_folder() / "bases").mkdir(parents=True, exist_ok=True)
    (cache_folder() / "bases" / f"{known.key}.json").write_text(json.dumps(asdict(known)))


def test_the_largest_images_come_first(known: KnownBackbone) -> None:
    larger = replace(known, key="0", preprocessing=Preprocessing(299, 299, 3))
    for entry in (known, larger):
        write(entry)
    assert known_backbones("xception") == (larger, known)
    assert known_backbones("mobilenet") == ()


@pytest.mark.parametrize("change", [{"weights": "0" * 64}, {"decoder": DECODER + 1}, {"precision": "float8"}])
def test_entries_that_would_be_computed_differently_today_are_ignored(
    known: KnownBackbone, change: dict[str, Any]
) -> None:
    write(replace(known, **change))
    assert known_backbones("xception") == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"preprocessing": {"height": 1}}', "\udcff"])
def test_a_damaged_entry_is_ignored(known: KnownBackbone, text: str) -> None:
    write(known)
    (cache_folder() / "bases" / "damaged.json").write_bytes(text.encode(errors="surrogateescape"))
    assert known_backbones("xception") == (known,)
