"""A run in a notebook: recipe, metrics and bundle, or the reason why it cannot be shown."""

import json
import shutil
from pathlib import Path

from tellapart.judging.evaluation import METRICS
from tellapart.training.run import Run


def test_it_shows_recipe_metrics_and_bundle(trained: Run) -> None:
    shown = trained._repr_html_()
    assert "recipe: model mlp, weights none, size 20" in shown
    assert "epochs 4" in shown
    assert "unfreeze" not in shown  # the default
    assert f"bundle: {trained.folder / 'bundle'}" in shown


def test_validation_and_test_are_never_in_one_table(trained: Run) -> None:
    shown = trained._repr_html_()
    tables = [part.partition("</table>")[0] for part in shown.split("<table")[1:]]
    assert len(tables) == 2
    for metrics, table in zip((trained.metrics["validation"], trained.metrics["test"]), tables, strict=True):
        assert table.count("<tr>") == 1 + sum(name in metrics for name in (*METRICS, "uncalibrated_log_loss"))
        assert f"{metrics['accuracy']['value']:.1%}" in table
        assert "validation" not in table
        assert "test" not in table
    headings = [shown.index(f"{name} (n = {trained.metrics[name]['n']})") for name in ("validation", "test")]
    assert headings[0] < shown.index("<table") < headings[1] < shown.rindex("<table")


def test_a_folder_that_is_gone_or_damaged_has_the_reason(trained: Run, tmp_path: Path) -> None:
    assert "cannot be shown: " in Run(tmp_path / "gone")._repr_html_()
    shutil.copytree(trained.folder, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text("{")
    assert "cannot be shown: " in Run(tmp_path / "run")._repr_html_()


def test_names_are_text(trained: Run, tmp_path: Path) -> None:
    folder = tmp_path / "<b>"
    shutil.copytree(trained.folder, folder)
    metrics = {"<i>": trained.metrics["test"], **trained.metrics}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    shown = Run(folder)._repr_html_()
    for tag in ("<b>", "<i>"):
        assert tag not in shown
        assert tag.replace("<", "&lt;").replace(">", "&gt;") in shown
