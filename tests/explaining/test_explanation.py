"""From a bundle and an image to an explanation."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.predictor import Predictor
from tellapart.errors import BundleError, DatasetError, ImageError
from tellapart.explaining.explanation import Explanation, default_explainer
from tellapart.explaining.methods import METHODS, Method, explain, explainer
from tellapart.training.run import Run

from .conftest import HEIGHT, WIDTH, Squares


def as_file(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_marks_the_square_and_beats_random_maps(method: Method, bundle: Bundle, shown: Squares) -> None:
    ready = explainer(bundle, method)
    explanations = [ready.explain(image) for image in shown.images[:6]]
    assert [explanation.label for explanation in explanations] == [bundle.classes[label] for label in shown.labels[:6]]
    first = Squares(shown.images[:6], shown.labels[:6], shown.centres[:6])
    assert first.hit_rate([explanation.heat for explanation in explanations]) >= 0.8
    scores = [explanation.faithfulness for explanation in explanations if explanation.faithfulness]
    assert np.mean([score.beaten for score in scores]) >= 7
    assert np.mean([score.deletion - score.random_deletion for score in scores]) < 0


def test_the_label_is_the_predictors_and_the_heat_has_the_images_size(bundle: Bundle, shown: Squares) -> None:
    content = as_file(shown.images[0])
    explanation = explain(bundle.folder, content, check=False)
    predicted = Predictor(bundle).predict_one(content, path="it")
    assert (explanation.label, explanation.probability) == (predicted.label, predicted.probability)
    assert (explanation.method, explanation.faithfulness) == ("cam", None)
    assert explanation.heat.shape == (HEIGHT, WIDTH)
    assert explanation.heat.dtype == np.float32
    assert (explanation.heat.min(), explanation.heat.max()) == (0, 1)
    np.testing.assert_array_equal(explanation.image, shown.images[0])


def test_another_label_can_be_explained(bundle: Bundle, shown: Squares) -> None:
    ready = default_explainer(bundle)
    predicted = ready.explain(shown.images[0], check=False)
    other = next(name for name in bundle.classes if name != predicted.label)
    explanation = ready.explain(shown.images[0], label=other, check=False)
    assert explanation.label == other
    assert explanation.probability < predicted.probability
    assert np.abs(explanation.heat - predicted.heat).max() > 0.1
    with pytest.raises(DatasetError, match="did you mean blue"):
        ready.explain(shown.images[0], label="bleu")


def test_a_bundle_without_feature_map_is_explained_by_occlusion(trained: Run, tiny: Path) -> None:
    image = next(tiny.rglob("*.png")).read_bytes()
    explanation = explain(trained.bundle, image)
    assert explanation.method == "occlusion"
    assert explanation.heat.max() <= 1
    with pytest.raises(BundleError, match="has no class activation map"):
        explainer(trained.bundle, "cam")


def test_an_invalid_image_or_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not an image"):
        explain(bundle, b"text")
    with pytest.raises(BundleError, match="is not a bundle"):
        explainer(tmp_path)


def test_threads_give_the_explanations_of_one_thread(bundle: Bundle, shown: Squares) -> None:
    ready = default_explainer(bundle)
    expected = [ready.explain(image) for image in shown.images[:8]]
    explanations: dict[int, Explanation] = {}

    def work(start: int) -> None:
        for index in range(start, 8, 4):
            explanations[index] = ready.explain(shown.images[index])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, explanation in enumerate(expected):
        np.testing.assert_allclose(explanations[index].heat, explanation.heat, atol=1e-5)
        scores, others = explanations[index].faithfulness, explanation.faithfulness
        assert scores
        assert others
        assert scores.deletion == pytest.approx(others.deletion, abs=1e-5)


def test_an_image_may_be_a_path_or_a_pillow_image(bundle: Bundle, shown: Squares, tmp_path: Path) -> None:
    file = tmp_path / "square.png"
    file.write_bytes(as_file(shown.images[0]))
    expected = explain(bundle, shown.images[0], check=False)
    for image in (str(file), file, Image.open(file)):
        found = explain(str(bundle.folder), image, check=False)
        assert (found.label, found.probability) == (expected.label, expected.probability)
        assert np.array_equal(found.heat, expected.heat)
