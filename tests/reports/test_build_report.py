"""A run's own report: both splits apart, its images where they are found, and a page in any case."""

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
from tellapart.reports import build_report, explanation_section
from tellapart.reports.build_report import gathered, report
from tellapart.reports.report import Report
from tellapart.reports.report_images import Found, images_of
from tellapart.training import baselines
from tellapart.training.run import Run

RECIPE = Recipe(model="mlp", size=20, epochs=2, batch_size=8, precision="float32")
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Explanations take 180 answers each, and forests of 100 trees are no better here."""
    monkeypatch.setattr(explanation_section, "EXPLAINED", 2)
    monkeypatch.setattr(baselines, "TREES", 5)


def facts(run: Run, source: Path | None = None) -> Report:
    return gathered(run, images_of(run, None if source is None else str(source)))


def section(page: str, anchor: str) -> str:
    """A section's markup; empty where there is none."""
    found = re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def text(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


def test_a_run_is_reported_in_its_folder_with_both_splits_in_sections_of_their_own(run: Run) -> None:
    path = report(run)
    assert path == run.folder / "report.html"
    page = path.read_text(encoding="utf-8")
    validation, test = section(page, "validation"), section(page, "test")
    for own, other, markup in (("validation", "test", validation), ("test", "validation", test)):
        accuracy = run.metrics[own]["accuracy"]
        assert f"{accuracy['value']:.1%}" in text(markup)
        assert f"{accuracy['low']:.1%} to {accuracy['high']:.1%}" in text(markup)
        assert f"{other}-cell-" not in markup
    assert "k nearest neighbours" in text(test)
    assert "k nearest neighbours" not in text(validation)
    assert "blue" in text(section(page, "images"))
    assert "Learning curves" in text(section(page, "learning"))
    assert text(section(page, "looked")).count("test image") == 2
    assert "MB" in text(section(page, "size"))
    assert "keras" in text(section(page, "environment"))
    assert "Nothing was refused or skipped." in text(section(page, "refused"))


def test_the_numbers_are_those_of_the_run(run: Run) -> None:
    found = facts(run)
    assert [one.split for one in found.judged] == ["validation", "test"]
    for one in found.judged:
        told = run.metrics[one.split]
        assert one.n == told["n"] == sum(map(sum, one.counts))
        assert one.lines[0].value == f"{told['accuracy']['value']:.1%}"
        assert len(one.images) == told["n"]
        right = sum(thumb.true == thumb.predicted for thumb in one.images)
        assert right / one.n == pytest.approx(told["accuracy"]["value"])
    assert found.dataset.counts.keys() == {"train", "validation", "test"}
    assert np.sum(list(found.dataset.counts.values()), axis=0).tolist() == [12, 12, 12]
    assert len(found.dataset.examples) == 20
    assert [one.caption for one in found.dataset.examples[:4]] == ["blue", "green", "red", "blue"]
    assert found.notes == ()
    assert found.recipe["model"] == "mlp"


def test_what_is_told_of_certainty_is_the_bundles(run: Run) -> None:
    told, stated = facts(run).calibration, run.bundle.facts.calibration
    assert told is not None
    assert stated is not None
    assert told.temperature == stated["temperature"]
    assert told.before.value.endswith("%")
    assert float(told.before.value.rstrip("%")) == pytest.approx(100 * stated["ece_before"], abs=0.1)
    assert float(told.after.value.rstrip("%")) == pytest.approx(100 * stated["ece_after"], abs=0.1)


def test_baselines_are_judged_on_test_alone_and_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    validation, test = facts(run).judged
    assert validation.baselines == ()
    assert [one.name for one in test.baselines] == [
        "majority class",
        "k nearest neighbours, on pixels",
        "logistic regression, on pixels",
        "forest, on pixels",
    ]
    monkeypatch.setattr(baselines, "_evaluate", None)
    assert facts(run).judged[1].baselines == test.baselines


def test_explained_are_images_of_test_mistakes_first(run: Run) -> None:
    found = facts(run)
    names = {thumb.name for thumb in found.judged[1].images}
    assert {one.split for one in found.explanations} == {"test"}
    assert all(one.image.name in names and one.image.true in run.bundle.classes for one in found.explanations)
    wrong = sum(thumb.true != thumb.predicted for thumb in found.judged[1].images)
    assert sum(one.label != one.image.true for one in found.explanations) == min(wrong, 1)


def test_later_looks_at_test_are_told(run: Run, tiny: Path) -> None:
    assert facts(run).judged[1].uses == 1
    evaluate(run.bundle, Dataset.open(tiny))
    found = facts(run)
    assert (found.judged[0].uses, found.judged[1].uses) == (None, 2)


def test_without_its_images_it_says_so_and_tells_the_numbers(run: Run, tiny: Path, tmp_path: Path) -> None:
    environment = json.loads((run.folder / "environment.json").read_text())
    environment["dataset"]["source"] = str(tmp_path / "gone")
    (run.folder / "environment.json").write_text(json.dumps(environment))
    page = report(run).read_text(encoding="utf-8")
    assert "Images and baselines are missing" in text(section(page, "notes"))
    assert str(tmp_path / "gone") in text(section(page, "notes"))
    assert f"{run.metrics['test']['accuracy']['value']:.1%}" in text(section(page, "test"))
    assert section(page, "looked") == ""
    moved = shutil.copytree(tiny, tmp_path / "moved" / "tiny")
    again = report(run, source=str(moved)).read_text(encoding="utf-8")
    assert section(again, "notes") == ""
    assert section(again, "looked")


def test_other_images_in_the_place_of_the_old_are_not_taken_for_them(
    run: Run, coloured: Callable[..., Path], tmp_path: Path
) -> None:
    found = facts(run, coloured(tmp_path / "tiny", seed=3))
    assert len(found.notes) == 1
    assert "have changed since the run: name the old ones with --data" in found.notes[0]
    assert found.judged[1].images == ()
    assert found.dataset.counts == {}


def test_a_run_that_does_not_say_where_its_images_are_asks_for_them(run: Run) -> None:
    environment = json.loads((run.folder / "environment.json").read_text())
    del environment["dataset"]["source"]
    (run.folder / "environment.json").write_text(json.dumps(environment))
    assert "name them with --data" in facts(run).notes[0]


def test_images_named_from_another_folder_are_found_again(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    run = train(Dataset.open(tiny.name), replace(RECIPE, epochs=1), out=tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert facts(run).notes == ()


def test_a_image_that_is_gone_since_is_left_out(run: Run, tiny: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(tiny, tmp_path / "moved"))
    dataset = images_of(run, str(moved)).dataset
    assert dataset is not None
    images = dataset.splits["test"].images
    Path(images.name(0)).unlink()
    found = gathered(run, Found(dataset))
    assert found.judged[1].n == len(images)
    assert len(found.judged[1].images) == len(images) - 1


def test_baselines_that_cannot_be_had_are_a_note(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RunError("the weights are gone")

    monkeypatch.setattr(build_report, "baselines", refused)
    found = facts(run)
    assert found.notes == ("Baselines are missing: the weights are gone",)
    assert found.judged[1].baselines == ()


@pytest.mark.parametrize("model", ["knn", "forest", "logistic"])
def test_runs_of_estimators_are_reported(model: str, tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe(model=model, features="pixels", size=20, trees=5), out=tmp_path / "run")
    found = facts(run)
    assert found.history is None
    assert (found.calibration is not None) == (model == "logistic")
    names = " ".join(one.name for one in found.judged[1].baselines)
    assert baselines.NAMES[model] not in names
    assert len(found.judged[1].baselines) == 3
    assert len(found.explanations) == 2
    assert section(report(run).read_text(encoding="utf-8"), "test")


def test_a_run_on_the_ladder_shows_its_steps(
    tiny: Path, tmp_path: Path, random_weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.training import ladder

    monkeypatch.setattr(ladder, "HEAD_EPOCHS", 2)
    recipe = Recipe(model="mobilenet", size=32, precision="float32", weights="imagenet", batch_size=8)
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run", budget="quick")
    found = facts(run)
    assert found.history is not None
    assert any(note.startswith("Step linear head: ") and note.endswith(", kept.") for note in found.notes)
    assert [one.name for one in found.judged[1].baselines][1:] == [
        "k nearest neighbours, on mobilenet",
        "logistic regression, on mobilenet",
        "forest, on mobilenet",
    ]
    assert len(found.explanations) == 2


@pytest.mark.parametrize(("validation", "test", "splits"), [(0.0, 0.2, ["test"]), (0.2, 0.0, ["validation"])])
def test_a_run_without_one_of_the_splits_is_reported_with_the_other(
    tiny: Path, tmp_path: Path, validation: float, test: float, splits: list[str]
) -> None:
    recipe = replace(RECIPE, validation=validation, test=test)
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run")
    found = facts(run)
    assert [one.split for one in found.judged] == splits
    assert len(found.judged[0].baselines) == 4
    assert (found.calibration is not None) == (splits == ["validation"])
    assert {one.split for one in found.explanations} == set(splits)
    page = report(run).read_text(encoding="utf-8")
    assert [bool(section(page, name)) for name in ("validation", "test")] == [
        name in splits for name in ("validation", "test")
    ]


def test_a_run_that_was_judged_on_nothing_has_no_report(tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), replace(RECIPE, epochs=1, validation=0.0, test=0.0), out=tmp_path / "run")
    with pytest.raises(RunError, match="no answers to report on: train it again"):
        report(run)


@pytest.mark.parametrize("absent", ["environment.json", "recipe.toml", "bundle/bundle.json"])
def test_a_run_that_is_not_whole_is_refused_with_a_sentence(run: Run, absent: str) -> None:
    (run.folder / absent).unlink()
    with pytest.raises(TellapartError):
        report(run)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        report(Run(tmp_path))


def hostile(folder: Path, coloured: Callable[..., Path]) -> Path:
    """Folders and files whose names are markup, or no text at all, and one that cannot be read."""
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
    asked, trouble = [], []
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on("console", lambda line: trouble.append(line.text) if line.type == "error" else None)
    page.goto(path.as_uri())
    assert MARKUP in page.locator("#test").inner_text()
    assert f"broken{MARKUP}.png" in page.locator("#refused").inner_text()
    assert page.locator("#test table").count() > 0
    assert page.locator("img[src=x]").count() == 0
    assert not trouble
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    context.close()


def test_more_images_than_fit_are_shown_mistakes_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.reports import report_images

    dataset = images_of(run).dataset
    answers = read_predictions(run.folder, "test")
    assert dataset is not None
    assert answers is not None
    place = len(answers.labels) - 1
    labels = answers.predicted.copy()
    labels[place] = (labels[place] + 1) % 3
    wrong = replace(answers, labels=labels.astype(np.int32))
    monkeypatch.setattr(report_images, "MOST", 2)
    first, second = report_images.answered(dataset, "test", wrong, dataset.classes)
    assert first.name == Path(answers.names[place]).name
    assert first.true != first.predicted
    assert second.true == second.predicted
    assert first.probability == pytest.approx(answers.probs[place].max())
