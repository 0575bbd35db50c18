"""Figures: their content, names as text, and that a browser shows each of them completely."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tellapart.bundles.predictor import ClassProbability, Prediction
from tellapart.errors import MissingPackageError, require
from tellapart.judging.calibration import reliability_bins
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.judging.intervals import wilson
from tellapart.reports import figures
from tellapart.reports.figures import heatmap
from tellapart.studies.lr_find import RateTest
from tellapart.training.fitting.checkpoints import Epoch

ODD = (
    "<b>bold</b>", "a &amp; b", "long" * 50, "שלום עולם", "%{x} $y$ 100%", "a\nline", "\u202eturned",
    "</script><script>alert(1)</script>", "<a href='javascript:alert(1)'>x</a>", "10",
)  # fmt: skip


def evaluation(classes: int | tuple[str, ...], n: int = 200, *, absent: int | None = None) -> Evaluation:
    names = tuple(f"class {i}" for i in range(classes)) if isinstance(classes, int) else classes
    rng = np.random.default_rng(7)
    labels = rng.choice([i for i in range(len(names)) if i != absent], n)
    logits = rng.normal(0, 1, (n, len(names)))
    logits[np.arange(n), labels] += 1.5
    weights = np.exp(2 * logits)
    return judge(labels, weights / weights.sum(axis=1, keepdims=True), names)


def epochs(n: int, *, validated: bool = True, first_loss: float = 2.0) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(
            epoch=e,
            loss=first_loss / e,
            accuracy=1 - 0.5 / e,
            val_loss=1 + abs(e - 3) / 10 if validated else None,
            val_accuracy=0.9 - 0.4 / e if validated else None,
            learning_rate=1e-3,
            seconds=1.0,
        )
        for e in range(1, n + 1)
    )


def prediction(names: tuple[str, ...]) -> Prediction:
    return Prediction("photo.jpg", tuple(ClassProbability(name, 0.5**rank) for rank, name in enumerate(names, start=1)))


def gallery(names: tuple[str, ...], n: int = 200) -> Mapping[str, Any]:
    """Return one of each figure."""
    judged = evaluation(names, n, absent=3 if len(names) > 3 else None)
    return {
        "confusion": figures.confusion(judged),
        "per_class": figures.per_class(judged),
        "roc": figures.roc(judged),
        "precision_recall": figures.precision_recall(judged),
        "reliability": figures.reliability({names[0]: judged, "after": judged}),
        "coverage": figures.coverage(judged, threshold=0.6),
        "history": figures.history(epochs(9)),
        "histories": figures.histories({name: epochs(9) for name in names[:5]}),
        "probabilities": figures.probabilities(prediction(names[:10])),
        "comparison": figures.comparison({name: wilson(90 - i, 100) for i, name in enumerate(names[:10])}),
        "lr_curve": figures.lr_curve(range_test()),
    }


def range_test() -> RateTest:
    """Return a range test with a loss that falls to a rate of about 0.1 and then diverges."""
    losses = np.r_[np.full(40, 2.3), np.linspace(2.3, 0.5, 60), np.full(10, 50.0)]
    return RateTest(np.geomspace(1e-7, 10, 110), losses)


def opened(figure_of: Mapping[str, Any], browser: Browser, width: int, folder: Path) -> Page:
    plotly = require("plotly.offline", extra="train")
    jobs = "[" + ", ".join(each.to_json() for each in figure_of.values()).replace("<", "\\u003c") + "]"
    (folder / "page.html").write_text(
        '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><body><script>'
        f"{plotly.get_plotlyjs()}</script><script>for (const figure of {jobs}) {{"
        "const div = document.body.appendChild(document.createElement('div'));"
        f"Plotly.newPlot(div, figure.data, figure.layout, {json.dumps(dict(figures.CONFIG))}); }}</script>",
        encoding="utf-8",
    )
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto((folder / "page.html").as_uri())
    page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot .infolayer').length >= {len(figure_of)}")
    return page


def test_the_confusion_matrix_has_its_counts_and_colours_mistakes_differently() -> None:
    judged = evaluation(4)
    (cells,) = figures.confusion(judged).data
    for i, row in enumerate(judged.confusion.tolist()):
        for j, n in enumerate(row):
            assert cells.text[i][j] == (str(n) if n else "")
            assert cells.customdata[i][j] == ([i, j] if n else None)
            assert cells.z[i][j] is None if not n else (cells.z[i][j] > 0) == (i == j)
    worst = judged.confusion - np.diag(np.diag(judged.confusion))
    i, j = divmod(int(np.argmax(worst / judged.confusion.sum(axis=1, keepdims=True))), 4)
    assert cells.z[i][j] == -1
    assert f"<br>predicted as class {j}<br>{worst[i, j]} image" in cells.hovertext[i][j]
    share = judged.confusion[0, 0] / judged.confusion[0].sum()
    assert figures.confusion(judged, normalised=True).data[0].text[0][0] == f"{100 * share:.0f}"
    rare = judge(np.r_[np.zeros(500, int), 1], np.eye(2)[np.r_[np.zeros(499, int), 1, 1]], ("often", "rare"))
    assert list(map(list, figures.confusion(rare, normalised=True).data[0].text)) == [[">99", "<1"], ["", "100"]]


def test_a_hundred_classes_have_cells_without_numbers_and_room_for_all() -> None:
    figure = figures.confusion(evaluation(100, 1000))
    assert figure.data[0].texttemplate is None
    assert figure.data[0].xgap is None  # cells of a pixel would be all gap
    assert len(figure.layout.yaxis.labelalias) == 100
    assert 1000 <= figure.layout.height <= 1300


def test_scores_by_class_are_sorted_and_keep_their_intervals() -> None:
    judged = evaluation(5, absent=2)
    f1, _, recall = figures.per_class(judged).data
    values = sorted(scores.f1.value for scores in judged.per_class if scores.f1)
    assert list(f1.x) == values
    assert len(recall.x) == 4
    worst = min(
        (scores for scores in judged.per_class if scores.f1), key=lambda scores: scores.f1.value if scores.f1 else 1
    )
    assert worst.f1
    assert f1.x[0] - f1.error_x.arrayminus[0] == pytest.approx(worst.f1.low)
    assert f1.x[0] + f1.error_x.array[0] == pytest.approx(worst.f1.high)


def test_of_many_classes_the_worst_are_shown() -> None:
    judged = evaluation(200, 1500)
    figure = figures.per_class(judged)
    assert len(figure.layout.yaxis.ticktext) == 30
    assert figure.layout.title.text == "The 30 worst of 200 classes"
    curves = figures.roc(judged).data
    assert [curves[0].name, len(curves)] == ["guessing", 5]
    assert curves[1].name.startswith("mean of 200")


def test_two_classes_have_the_curve_of_the_positive_one() -> None:
    judged = evaluation(2, 3000)
    chance, line = figures.roc(judged).data
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 0, 1, 1)
    assert judged.roc_auc
    assert np.trapezoid(line.y, line.x) == pytest.approx(judged.roc_auc.value, abs=2e-3)
    chance, line = figures.precision_recall(judged).data
    assert judged.pr_auc
    assert np.diff(line.x) @ np.array(line.y[1:]) == pytest.approx(judged.pr_auc.value, abs=2e-3)
    assert chance.y[0] == np.mean(judged.labels == 1)
    assert len(line.x) <= 250


@pytest.mark.parametrize("name", ["roc", "precision_recall"])
def test_the_mean_of_many_curves_has_the_mean_area(name: str) -> None:
    judged = evaluation(12, 600)
    _, mean, *worst = getattr(figures, name)(judged).data
    drawn = np.diff(mean.x) @ np.array(mean.y[1:]) if name != "roc" else np.trapezoid(mean.y, mean.x)
    area = judged.roc_auc if name == "roc" else judged.pr_auc
    assert area
    assert drawn == pytest.approx(area.value, abs=5e-3)
    assert len(worst) == 3


def test_with_images_of_a_single_class_curves_are_undefined() -> None:
    judged = judge(np.zeros(5, dtype=int), np.full((5, 3), 1 / 3), ("a", "b", "c"))
    assert "undefined" in figures.roc(judged).layout.annotations[0].text
    assert "undefined" in figures.precision_recall(judged).layout.annotations[0].text
    assert list(figures.per_class(judged).data[0].x) == [1.0]
    assert figures.confusion(judged).data[0].z[0][0] == 1


def test_reliability_has_a_point_for_each_bin_with_images() -> None:
    judged = evaluation(4)
    bins = [group for group in reliability_bins(judged.labels, judged.probs) if group.n]
    _, line = figures.reliability(judged).data
    assert list(line.x) == [group.confidence for group in bins]
    assert not line.showlegend
    both = figures.reliability({"before": judged, "after": replace(judged, probs=np.eye(4)[judged.labels])})
    assert [line.name for line in both.data[1:]] == ["before", "after"]
    assert (list(both.data[2].x), list(both.data[2].y)) == ([1.0], [1.0])
    assert f"Calibration error {judged.ece.value:.1%} → " in both.layout.title.text


def test_coverage_ends_at_the_accuracy_and_marks_a_threshold() -> None:
    judged = evaluation(4)
    line, point = figures.coverage(judged, threshold=0.6).data
    assert line.x[-1] == 1
    assert line.y[-1] == pytest.approx(judged.accuracy.value, abs=1e-5)
    answered = judged.probs.max(axis=1) >= 0.6
    assert point.x[0] == answered.mean()
    assert point.y[0] == np.mean(judged.probs.argmax(axis=1)[answered] == judged.labels[answered])
    all_declined = figures.coverage(judged, threshold=1.5)
    assert len(all_declined.data) == 1
    assert all_declined.layout.title.text == "No image is answered at this threshold"


def test_history_marks_the_best_epoch_and_leaves_out_values_that_are_not_finite() -> None:
    figure = figures.history(epochs(6))
    assert figure.layout.shapes[0].x0 == 3
    assert figure.layout.yaxis2.type is None
    assert figures.history(epochs(6), best=5).layout.title.text == "Best after epoch 5 of 6"
    broken = (*epochs(2), replace(epochs(3)[2], loss=float("nan"), val_loss=float("inf")))
    assert [line.y[2] for line in figures.history(broken).data[:4]] == [1 - 0.5 / 3, None, 0.9 - 0.4 / 3, None]
    assert figures.history(epochs(6, first_loss=500)).layout.yaxis2.type == "log"


def test_history_of_one_epoch_and_of_none_and_without_validation() -> None:
    assert figures.history(epochs(1)).data[0].marker.size > 4
    assert "no epoch" in figures.history(()).layout.annotations[0].text
    names = [line.name for line in figures.history(epochs(2, validated=False)).data]
    assert names == ["training", "training", "best epoch"]


def test_runs_without_validation_are_dotted() -> None:
    figure = figures.histories({"a": epochs(4), "b": epochs(3, validated=False), "none": ()})
    assert [(line.name, line.line.dash) for line in figure.data[:4:2]] == [("a", "solid"), ("b", "dot")]
    assert [line.name for line in figure.data[4:]] == ["solid: validation", "dotted: training"]
    assert "no epoch" in figures.histories({}).layout.annotations[0].text


def test_bars_and_dots_are_in_order() -> None:
    bars = figures.probabilities(prediction(("cat", "dog"))).data[0]
    assert list(bars.text) == ["50.0%", "25.0%"]
    compared = figures.comparison({"worse": wilson(50, 100), "better": wilson(90, 100)})
    assert list(compared.layout.yaxis.ticktext) == ["better", "worse"]
    assert list(compared.data[0].x) == [0.9, 0.5]
    assert "no model" in figures.comparison({}).layout.annotations[0].text


def test_the_lr_curve_marks_its_suggestions_on_a_logarithmic_axis() -> None:
    result = range_test()
    figure = figures.lr_curve(result)
    assert [line.name for line in figure.data] == [
        "each batch",
        "smoothed",
        "steepest: 1.8",
        "a tenth of the least: 0.18",
    ]
    assert figure.layout.xaxis.type == "log"
    assert [shape.x0 for shape in figure.layout.shapes] == [result.steepest, result.tenth]
    assert [shape.line.dash for shape in figure.layout.shapes] == [None, "dash"]
    assert figure.layout.yaxis.range[1] < 10  # the diverged losses are cut off
    flat = RateTest(result.rates, np.full(110, 2.3))
    assert not figures.lr_curve(flat).layout.shapes


def test_each_figure_has_a_caption_of_one_sentence() -> None:
    assert set(figures.CAPTIONS) == {name for name in figures.__all__ if name.islower()}
    for caption in figures.CAPTIONS.values():
        assert caption.endswith(".")
        assert ". " not in caption


def test_figures_are_strict_json_of_moderate_size() -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    for name, figure in gallery(tuple(f"class {i}" for i in range(100)), 3000).items():
        text = figure.to_json()
        json.loads(text, parse_constant=refuse)
        assert "bdata" not in text
        assert len(text) < 600_000, name


@pytest.mark.parametrize("width", [1280, 390])
def test_names_are_text_and_nothing_is_cut(width: int, browser: Browser, tmp_path: Path) -> None:
    page = opened(gallery(ODD), browser, width, tmp_path)
    page.on("dialog", lambda _: pytest.fail("a class name was run"))
    texts = page.locator("svg text").all_text_contents()
    for name in ("<b>bold</b>", "a &amp; b", "%{x} $y$ 100%", "a line", "turned", "</script><sc…ript>", "10"):
        assert name in texts, name
    assert page.locator("svg a, svg tspan[style*=bold], body b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = page.evaluate(
        """() => [...document.querySelectorAll('svg text')].filter(text => {
            const box = text.getBoundingClientRect();
            const frame = text.closest('.js-plotly-plot').getBoundingClientRect();
            return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1
                || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
        }).map(text => text.textContent)"""
    )
    assert cut == []
    page.close()


def test_a_click_on_a_cell_gives_its_classes(browser: Browser, tmp_path: Path) -> None:
    page = opened({"confusion": figures.confusion(evaluation(("<i>cat</i>", "dog")))}, browser, 800, tmp_path)
    page.evaluate(
        "document.querySelector('.js-plotly-plot').on('plotly_click', e => { window.cell = e.points[0].customdata })"
    )
    box = page.locator(".heatmaplayer image").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    hover = page.locator(".hoverlayer").text_content()
    assert hover is not None
    assert "<i>cat</i>predicted as dog" in hover
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("window.cell !== undefined")
    assert page.evaluate("window.cell") == [0, 1]
    page.close()


def test_plotly_is_imported_only_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "{'plotly', 'keras', 'tensorflow', 'sklearn'}"
    code = f"import sys, tellapart.reports.figures; print(sorted({names} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(MissingPackageError, match=r"tellapart\[train\]"):
        figures.history(epochs(2))


def test_of_many_classes_the_matrix_has_those_with_most_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmap, "MAX_CLASSES", 4)
    labels = np.arange(9)
    predicted = np.array([0, 1, 3, 3, 4, 5, 6, 8, 8])
    probs = np.full((9, 9), 0.1 / 8)
    probs[labels, predicted] = 0.9
    figure = figures.confusion(judge(labels, probs, tuple(f"class {i}" for i in range(9))))
    (cells,) = figure.data
    pairs = [pair for row in cells.customdata for pair in row if pair is not None]
    assert pairs == [[2, 3], [3, 3], [7, 8], [8, 8]]
    assert list(figure.layout.yaxis.labelalias.values()) == ["class 2", "class 3", "class 7", "class 8"]
    assert figure.layout.title.text == "7 of 9 images correct; the 4 of 9 classes with most mistakes"
