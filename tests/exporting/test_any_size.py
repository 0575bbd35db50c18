"""Exports that take images of any size resize them as the bundle does."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import Bundle, Dataset
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import RecipeError
from tellapart.exporting.export import METADATA, export
from tellapart.exporting.formats import FORMATS
from tellapart.exporting.odd_sizes import OwnSize, vary_sizes
from tellapart.exporting.parity import bundle_probabilities, draw_sample

ABLE = [name for name, target in FORMATS.items() if target.write_any_size]
SIZES = ((41, 67), (20, 20), (9, 5), (130, 33))


@pytest.mark.parametrize(("to", "kind"), [*((to, "network") for to in ABLE), ("onnx", "knn"), ("openvino", "logistic")])
def test_images_of_any_size_get_the_answers_of_the_bundle(
    to: str, kind: str, kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path
) -> None:
    bundle = kinds[kind]
    result = export(bundle, unseen_images, to=to, out=tmp_path / "out", any_size=True)
    assert (result.parity.images, result.parity.unseen, result.parity.same) == (120, True, 120)
    assert (result.parity.sizes or 0) > 20
    assert result.parity.largest_difference < 0.02
    runtime = FORMATS[to].open(tmp_path / "out" / FORMATS[to].file)
    for height, width in SIZES:
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = bundle_probabilities(bundle, bundle.preprocessing(image)[np.newaxis])
        np.testing.assert_allclose(runtime.predict(image[np.newaxis]), expected, atol=0.02)


def test_the_metadata_says_what_is_in_the_graph_and_what_differs(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path
) -> None:
    export(kinds["logistic"], unseen_images, to="openvino", out=tmp_path / "out", any_size=True)
    metadata = json.loads((tmp_path / "out" / METADATA).read_text())
    assert metadata["input"]["shape"] == [None, None, None, 3]
    assert set(metadata["resizing"]["in the graph"]) | set(metadata["resizing"]["before the graph"]) == set(
        metadata["pixels"]
    )
    assert "differ, by 1 of 255" in metadata["resizing"]["differs"]
    assert metadata["agreement"]["sizes"] > 20


@pytest.mark.parametrize("to", sorted(set(FORMATS) - set(ABLE)))
def test_a_format_that_cannot_is_refused_with_those_that_can(
    to: str, kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=f"^{to} files.*use --to openvino, onnx, litert or savedmodel, or leave out"):
        export(kinds["network"], unseen_images, to=to, out=tmp_path / "out", any_size=True)
    assert list(tmp_path.iterdir()) == []


def test_the_sample_has_images_in_many_sizes(kinds: dict[str, Bundle], unseen_images: Dataset) -> None:
    sample = draw_sample(kinds["network"], unseen_images, any_size=True)
    assert sample.originals is not None
    for image, original in zip(sample.images, sample.originals, strict=True):
        np.testing.assert_array_equal(image, kinds["network"].preprocessing(original))


def test_large_images_are_reduced_and_channels_converted() -> None:
    image = np.asarray(Image.linear_gradient("L").resize((1001, 1501)).convert("RGB"))
    grey = OwnSize.of(Preprocessing(20, 20, 1))(image)
    assert grey.shape == (751, 501, 1)
    assert [item.shape for item in vary_sizes([grey, grey, grey])] == [(751, 501, 1), (750, 500, 1), (61, 97, 1)]
