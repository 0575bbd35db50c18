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
    found = [ready.explain(one) for one in shown.images[:6]]
    assert [one.label for one in found] == [bundle.classes[label] for label in shown.labels[:6]]
    some = Squares(shown.images[:6], shown.labels[:6], shown.centres[:6])
    assert some.found([one.heat for one in found]) >= 0.8
    scores = [one.faithfulness for one in found if one.faithfulness]
    assert np.mean([score.beaten for score in scores]) >= 7
    assert np.mean([score.deletion - score.random_deletion for score in scores]) < 0


def test_the_answer_is_the_predictors_and_the_heat_is_at_the_images_size(bundle: Bundle, shown: Squares) -> None:
    content = as_file(shown.images[0])
    found = explain(bundle.folder, content, check=False)
    predicted = Predictor(bundle).predict_one(content, path="it")
    assert (found.label, found.probability) == (predicted.label, predicted.probability)
    assert (found.method, found.faithfulness) == ("cam", None)
    assert found.heat.shape == (HEIGHT, WIDTH)
    assert found.heat.dtype == np.float32
    assert (found.heat.min(), found.heat.max()) == (0, 1)
    np.testing.assert_array_equal(found.image, shown.images[0])


def test_another_label_is_explained_when_asked_for(bundle: Bundle, shown: Squares) -> None:
    ready = default_explainer(bundle)
    own = ready.explain(shown.images[0], check=False)
    other = next(name for name in bundle.classes if name != own.label)
    found = ready.explain(shown.images[0], label=other, check=False)
    assert found.label == other
    assert found.probability < own.probability
    assert np.abs(found.heat - own.heat).max() > 0.1
    with pytest.raises(DatasetError, match="did you mean blue"):
        ready.explain(shown.images[0], label="bleu")


def test_a_bundle_without_feature_map_is_explained_by_occlusion(trained: Run, tiny: Path) -> None:
    image = next(tiny.rglob("*.png")).read_bytes()
    found = explain(trained.bundle, image)
    assert found.method == "occlusion"
    assert found.heat.max() <= 1
    with pytest.raises(BundleError, match="has no class activation map"):
        explainer(trained.bundle, "cam")


def test_what_is_no_image_or_no_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not an image"):
        explain(bundle, b"text")
    with pytest.raises(BundleError, match="is not a bundle"):
        explainer(tmp_path)


def test_several_threads_get_the_answers_of_one(bundle: Bundle, shown: Squares) -> None:
    ready = default_explainer(bundle)
    expected = [ready.explain(one) for one in shown.images[:8]]
    found: dict[int, Explanation] = {}

    def work(start: int) -> None:
        for place in range(start, 8, 4):
            found[place] = ready.explain(shown.images[place])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, one in enumerate(expected):
        np.testing.assert_allclose(found[place].heat, one.heat, atol=1e-5)
        scores, others = found[place].faithfulness, one.faithfulness
        assert scores
        assert others
        assert scores.deletion == pytest.approx(others.deletion, abs=1e-5)
