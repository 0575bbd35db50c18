"""`tellapart export`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

from tellapart.cli.export import export
from tellapart.exporting import int8
from tellapart.exporting.formats import FORMATS
from tellapart.training.run import Run

from .conftest import Said


@pytest.fixture
def bundle(trained: Run) -> Path:
    return trained.bundle.folder


@pytest.fixture(scope="module")
def outliers(tmp_path_factory: pytest.TempPathFactory, coloured: Callable[..., Path]) -> Path:
    return coloured(tmp_path_factory.mktemp("data") / "new", each=40, seed=6)


def test_a_bundle_is_written_and_compared(said: Said, bundle: Path, outliers: Path, tmp_path: Path) -> None:
    answer = said("export", bundle, "--to", "onnx", "--check", outliers, "--out", tmp_path / "out")
    assert answer.status == 0
    same, difference, size, where = answer.out.splitlines()
    assert same == "agreement: run in onnxruntime, the same class as the bundle on 120 of 120 unseen images"
    assert difference.startswith("           probabilities differ by at most ")
    assert size.endswith(" MB")
    assert where == f"onnx: {tmp_path / 'out'}"
    assert answer.err.splitlines() == [
        "labels.txt names the classes in the order of the output; export.json every step of the pixels"
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "export.json", "labels.txt", "model.onnx", "reference.py", "test-image.png"
    ]  # fmt: skip


def test_libraries_remark_on_nothing(said: Said, bundle: Path, outliers: Path, tmp_path: Path) -> None:
    for to in ("litert", "savedmodel", "keras", "h5"):
        answer = said("export", bundle, "--to", to, "--check", outliers, "--out", tmp_path / to)
        assert (answer.status, len(answer.out.splitlines()), len(answer.err.splitlines())) == (0, 4, 1), answer


def test_int8_says_what_it_changes(
    said: Said, bundle: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "_rates", lambda _: {"int8": 30.0, "float32": 10.0})
    words = ("export", bundle, "--to", "openvino", "--int8", "--check", tiny)
    answer = said(*words, "--out", tmp_path / "out")
    assert answer.status == 0
    assert answer.out.startswith("int8:      accuracy ")
    assert "3.00 times as fast" in answer.out
    assert json.loads((tmp_path / "out" / "export.json").read_text())["int8"]["speedup"] == 3.0
    monkeypatch.setattr(int8, "_rates", lambda _: {"int8": 10.0, "float32": 10.0})
    refusal = said(*words, "--out", tmp_path / "slow").error
    assert "int8 is not worthwhile" in refusal
    assert "1.00 times as fast" in refusal
    assert not (tmp_path / "slow").exists()


def test_an_export_for_images_of_any_size_says_in_how_many_it_was_compared(
    said: Said, bundle: Path, outliers: Path, tmp_path: Path
) -> None:
    words = ("--to", "savedmodel", "--input", "any-size", "--check", outliers, "--out", tmp_path / "out", "--json")
    fields = json.loads(said("export", bundle, *words).out)
    assert (fields["agreement"]["images"], fields["int8"], fields["float16"]) == (120, None, None)
    assert fields["agreement"]["sizes"] > 20


def test_float16_says_what_it_changes(said: Said, bundle: Path, tiny: Path, tmp_path: Path) -> None:
    words = ("export", bundle, "--to", "litert", "--float16", "--check", tiny)
    answer = said(*words, "--out", tmp_path / "out")
    assert answer.status == 0, answer
    assert answer.out.startswith("float16:   accuracy ")
    assert "the same class on " in answer.out.splitlines()[0]
    assert json.loads((tmp_path / "out" / "export.json").read_text())["float16"]["precision"] == "float16"


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--to", "onnx", "--int8"], "int8 requires OpenVINO or LiteRT"),
        (["--to", "onnx", "--float16"], "float16 requires LiteRT: use --to litert --float16"),
        (["--to", "keras", "--input", "any-size"], "use --to openvino, onnx, litert or savedmodel, or leave out"),
        (["--to", "litert", "--int8", "--input", "any-size"], "choose one of them"),
        (["--to", "openvino", "--int8", "--check", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    words: list[str], phrase: str, said: Said, bundle: Path, outliers: Path, tmp_path: Path
) -> None:
    check = [] if "--check" in words else ["--check", outliers]
    assert phrase in said("export", bundle, *words, *check, "--out", tmp_path / "out").error
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused_with_those_there_are(
    said: Said, bundle: Path, outliers: Path, tmp_path: Path
) -> None:
    answer = said("export", bundle, "--to", "pickle", "--check", outliers, "--out", tmp_path / "out")
    assert answer.status == 2
    assert "onnx" in answer.err


def test_the_command_knows_every_format() -> None:
    assert set(get_type_hints(export)["to"].__args__) == set(FORMATS)


def test_a_checkpoint_of_a_run_is_exported(said: Said, trained: Run, tiny: Path, tmp_path: Path) -> None:
    words = ("export", trained.folder, "--to", "keras", "--check", tiny)
    (last,) = [epoch for epoch in (4, 3, 2) if any(trained.folder.glob(f"checkpoints/epoch-000{epoch}-*"))][:1]
    answer = said(*words, "--checkpoint", last, "--out", tmp_path / "out")
    assert (answer.status, (tmp_path / "out" / "model.keras").exists()) == (0, True), answer
    answer = said(*words, "--checkpoint", 99, "--out", tmp_path / "other")
    assert answer.status == 2
    assert "has no checkpoint of epoch 99" in answer.err
    assert not (tmp_path / "other").exists()
