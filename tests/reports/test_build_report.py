"""The report of a run: a section for each split, its images where they are available, and a page in any case."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from tellapart import Dataset, Recipe, evaluate, train
from tellapart.bundles.stored_predictions import read_predictions
from tellapart.errors import RunError, TellapartError
from tellapart.reports import build_report as module
from tellapart.reports import explanation_section
from tellapart.reports.build_report import build_report, report
from tellapart.reports.report import Report
from tellapart.reports.report_images import RunImages, open_run_images
from tellapart.training import baselines
from tellapart.training.run import Run

RECIPE = Recipe(model="mlp", size=20, epochs=2, batch_size=8, precision="float32")
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Explain fewer predictions, and grow fewer trees: both are slow."""
    monkeypatch.setattr(explanation_section, "MAX_EXPLAINED", 2)
    monkeypatch.setattr(baselines, "TREES", 5)


def notes(report: Report) -> tuple[str, ...]:
    """The notes of a report, but for the one that a tiny test split has."""
    return tuple(note for note in report.notes if not note.startswith("Test has fewer than 10 images"))


def content(run: Run, source: Path | None = None) -> Report:
    return build_report(run, open_run_images(run, None if source is None else str(source)))


def section(page: str, anchor: str) -> str:
    """Return the markup of a section, empty where it is absent."""
    match = re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL)
    return match[0] if match else ""


def text(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


def test_a_run_is_reported_in_its_folder_with_both_splits_in_sections_of_their_own(run: Run) -> None:
    path = report(run)
    assert path == run.folder / "report.html"
    page = path.read_text(encoding="utf-8")
    validation, test = section(page, "validation"), section(page, "test")
    for split, other, markup in (("validation", "test", validation), ("test", "validation", test)):
        accuracy = run.metrics[split]["accuracy"]
        assert f"{accuracy['value']:.1%}" in text(markup)
        assert f"{accuracy['low']:.1%} to {accuracy['high']:.1%}" in text(markup)
        assert f"{other}-cell-" not in markup
    assert "k nearest neighbours" in text(test)
    assert "k nearest neighbours" not in text(validation)
    assert "blue" in text(section(page, "images"))
    assert "Learning curves" in text(section(page, "learning"))
    assert text(section(page, "explanations")).count("test image") == 2
    machine = text(section(page, "machine"))
    assert "MB" in machine
    assert "keras" in machine
    assert "No file was skipped." in machine


def test_the_numbers_are_those_of_the_run(run: Run) -> None:
    result = content(run)
    assert [split.split for split in result.splits] == ["validation", "test"]
    for split in result.splits:
        metrics = run.metrics[split.split]
        assert split.n == metrics["n"] == int(split.counts.count.sum())
        assert split.metrics[0].value == f"{metrics['accuracy']['value']:.1%}"
        assert len(split.images) == metrics["n"]
        correct = sum(thumb.true == thumb.predicted for thumb in split.images)
        assert correct / split.n == pytest.approx(metrics["accuracy"]["value"])
    assert result.dataset.counts.keys() == {"train", "validation", "test"}
    assert np.sum(list(result.dataset.counts.values()), axis=0).tolist() == [12, 12, 12]
    assert len(result.dataset.examples) == 20
    assert [thumb.caption for thumb in result.dataset.examples[:4]] == ["blue", "green", "red", "blue"]
    assert notes(result) == ()
    assert result.recipe["model"] == "mlp"


def test_the_calibration_is_that_of_the_bundle(run: Run) -> None:
    reported, stored = content(run).calibration, run.bundle.manifest.calibration
    assert reported is not None
    assert stored is not None
    assert reported.temperature == stored["temperature"]
    assert reported.before.value.endswith("%")
    assert float(reported.before.value.strip("<%")) == pytest.approx(100 * stored["ece_before"], abs=0.1)
    assert float(reported.after.value.strip("<%")) == pytest.approx(100 * stored["ece_after"], abs=0.1)


def test_baselines_are_judged_on_test_alone_and_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    validation, test = content(run).splits
    assert validation.baselines == ()
    assert [baseline.name for baseline in test.baselines] == [
        "majority class",
        "k nearest neighbours, on pixels",
        "logistic regression, on pixels",
        "forest, on pixels",
    ]
    monkeypatch.setattr(baselines, "_evaluate", None)
    assert content(run).splits[1].baselines == test.baselines


def test_explanations_are_of_test_images_mistakes_first(run: Run) -> None:
    result = content(run)
    names = {thumb.name for thumb in result.splits[1].images}
    assert {explanation.split for explanation in result.explanations} == {"test"}
    assert all(shown.image.name in names and shown.image.true in run.bundle.classes for shown in result.explanations)
    mistakes = sum(thumb.true != thumb.predicted for thumb in result.splits[1].images)
    assert sum(shown.label != shown.image.true for shown in result.explanations) == min(mistakes, 1)


def test_later_evaluations_on_test_are_counted(run: Run, tiny: Path) -> None:
    assert content(run).splits[1].uses == 1
    evaluate(run.bundle, Dataset.open(tiny))
    result = content(run)
    assert (result.splits[0].uses, result.splits[1].uses) == (None, 2)


def test_without_its_images_the_report_says_so_and_has_the_metrics(run: Run, tiny: Path, tmp_path: Path) -> None:
    environment = json.loads((run.folder / "environment.json").read_text())
    environment["dataset"]["source"] = str(tmp_path / "gone")
    (run.folder / "environment.json").write_text(json.dumps(environment))
    page = report(run).read_text(encoding="utf-8")
    assert "Images and baselines are missing" in text(section(page, "notes"))
    assert str(tmp_path / "gone") in text(section(page, "notes"))
    assert f"{run.metrics['test']['accuracy']['value']:.1%}" in text(section(page, "test"))
    assert section(page, "explanations") == ""
    moved = shutil.copytree(tiny, tmp_path / "moved" / "tiny")
    again = report(run, source=str(moved)).read_text(encoding="utf-8")
    assert "missing" not in text(section(again, "notes"))
    assert section(again, "explanations")


def test_changed_images_are_not_used(run: Run, coloured: Callable[..., Path], tmp_path: Path) -> None:
    result = content(run, coloured(tmp_path / "tiny", seed=3))
    assert len(notes(result)) == 1
    assert "have changed since the run: pass the original images with --data" in notes(result)[0]
    assert result.splits[1].images == ()
    assert result.dataset.counts == {}


def test_a_run_without_a_recorded_source_requests_one(run: Run) -> None:
    environment = json.loads((run.folder / "environment.json").read_text())
    del environment["dataset"]["source"]
    (run.folder / "environment.json").write_text(json.dumps(environment))
    assert "pass their source with --data" in notes(content(run))[0]


def test_images_named_from_another_folder_are_found_again(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    run = train(Dataset.open(tiny.name), replace(RECIPE, epochs=1), out=tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert notes(content(run)) == ()


def test_a_deleted_image_is_left_out(run: Run, tiny: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(tiny, tmp_path / "moved"))
    dataset = open_run_images(run, str(moved)).dataset
    assert dataset is not None
    images = dataset.splits["test"].images
    Path(images.name(0)).unlink()
    result = build_report(run, RunImages(dataset))
    assert result.splits[1].n == len(images)
    assert len(result.splits[1].images) == len(images) - 1


def test_baselines_that_fail_are_a_note(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RunError("the weights are gone")

    monkeypatch.setattr(module, "baselines", refused)
    result = content(run)
    assert notes(result) == ("Baselines are missing: the weights are gone",)
    assert result.splits[1].baselines == ()


@pytest.mark.parametrize("model", ["knn", "forest", "logistic"])
def test_runs_of_estimators_are_reported(model: str, tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe(model=model, features="pixels", size=20, trees=5), out=tmp_path / "run")
    result = content(run)
    assert result.history is None
    assert (result.calibration is not None) == (model == "logistic")
    names = " ".join(baseline.name for baseline in result.splits[1].baselines)
    assert baselines.NAMES[model] not in names
    assert len(result.splits[1].baselines) == 3
    assert len(result.explanations) == 2
    assert section(report(run).read_text(encoding="utf-8"), "test")


def test_a_run_on_the_ladder_shows_its_steps(
    tiny: Path, tmp_path: Path, random_weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.training import ladder

    monkeypatch.setattr(ladder, "HEAD_EPOCHS", 2)
    recipe = Recipe(model="mobilenet", size=32, precision="float32", weights="imagenet", batch_size=8)
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run", budget="quick")
    result = content(run)
    assert result.history is not None
    assert any(note.startswith("Step linear head: ") and note.endswith(", kept.") for note in result.notes)
    assert [baseline.name for baseline in result.splits[1].baselines][1:] == [
        "k nearest neighbours, on mobilenet",
        "logistic regression, on mobilenet",
        "forest, on mobilenet",
    ]
    assert len(result.explanations) == 2


@pytest.mark.parametrize(("validation", "test", "splits"), [(0.0, 0.2, ["test"]), (0.2, 0.0, ["validation"])])
def test_a_run_without_one_of_the_splits_is_reported_with_the_other(
    tiny: Path, tmp_path: Path, validation: float, test: float, splits: list[str]
) -> None:
    recipe = replace(RECIPE, validation=validation, test=test)
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run")
    result = content(run)
    assert [split.split for split in result.splits] == splits
    assert len(result.splits[0].baselines) == 4
    assert (result.calibration is not None) == (splits == ["validation"])
    assert {explanation.split for explanation in result.explanations} == set(splits)
    page = report(run).read_text(encoding="utf-8")
    assert [bool(section(page, name)) for name in ("validation", "test")] == [
        name in splits for name in ("validation", "test")
    ]


def test_a_run_without_an_evaluation_has_no_report(tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), replace(RECIPE, epochs=1, validation=0.0, test=0.0), out=tmp_path / "run")
    with pytest.raises(RunError, match="no predictions to report on: train it again"):
        report(run)


@pytest.mark.parametrize("absent", ["environment.json", "recipe.toml", "bundle/bundle.json"])
def test_an_incomplete_run_is_refused(run: Run, absent: str) -> None:
    (run.folder / absent).unlink()
    with pytest.raises(TellapartError):
        report(run)


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        report(Run(tmp_path))


def hostile(folder: Path, coloured: Callable[..., Path]) -> Path:
    """Write folders and files with names that are markup or not UTF-8, and a file that cannot be read."""
    coloured(folder)
    (folder / "blue").rename(folder / MARKUP)
    for number, path in enumerate(sorted((folder / "red").iterdir())):
        path.rename(path.with_name(f"{number}{MARKUP}.png"))
    for number, path in enumerate(sorted((folder / "green").iterdir())):
        path.rename(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9" + str(number).encode() + b".png"))
    (folder / "red" / f"broken{MARKUP}.png").write_bytes(b"broken")
    return folder


def test_names_of_classes_and_files_stay_text_and_nothing_is_fetched(
    coloured: Callable[..., Path], tmp_path: Path, browser: Browser
) -> None:
    dataset = Dataset.open(hostile(tmp_path / "data", coloured))
    run = train(dataset, RECIPE, out=tmp_path / "run")
    path = report(run, dataset=dataset)
    requests, errors = [], []
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(path.as_uri())
    assert MARKUP in page.locator("#test").inner_text()
    assert f"broken{MARKUP}.png" in (page.locator("#machine").text_content() or "")
    assert page.locator("#test table").count() > 0
    assert page.locator("img[src=x]").count() == 0
    assert not errors
    assert not [url for url in requests if not url.startswith(("file:", "data:"))]
    context.close()


def test_more_images_than_fit_are_shown_mistakes_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.reports import report_images

    dataset = open_run_images(run).dataset
    predictions = read_predictions(run.folder, "test")
    assert dataset is not None
    assert predictions is not None
    row = len(predictions.labels) - 1
    labels = predictions.predicted.copy()
    labels[row] = (labels[row] + 1) % 3
    with_mistake = replace(predictions, labels=labels.astype(np.int32))
    monkeypatch.setattr(report_images, "MAX_IMAGES", 2)
    first, second = report_images.predicted_thumbnails(dataset, "test", with_mistake, dataset.classes)
    assert first.name == Path(predictions.names[row]).name
    assert first.true != first.predicted
    assert second.true == second.predicted
    assert first.probability == pytest.approx(predictions.probs[row].max())
