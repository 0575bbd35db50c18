"""The recipe of the pixels: the reference, which knows nothing of this library, makes the bundle's pixels."""

import ast
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import Bundle, Dataset
from tellapart.data.preprocessing import Fit, Preprocessing, Resize
from tellapart.exporting import reference
from tellapart.exporting.export import METADATA, export
from tellapart.exporting.parity import openvino
from tellapart.exporting.pixel_recipe import REFERENCE, TEST_IMAGE, describe_pixels, make_test_image


def test_the_reference_is_short_and_needs_pillow_and_numpy_alone() -> None:
    source = Path(reference.__file__).read_text()
    tree = ast.parse(source)
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"pathlib", "typing", "numpy", "PIL"}
    (pixels,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "pixels")
    assert (pixels.end_lineno or 0) - pixels.lineno < 40


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("resize", ["pillow-bicubic", "keras-bilinear", "keras-nearest"])
def test_the_reference_makes_the_pixels_of_the_bundle(fit: Fit, resize: Resize, tmp_path: Path) -> None:
    turned, exif = Image.fromarray(np.asarray(make_test_image())[:, :, :3]), Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    make_test_image().save(tmp_path / "clear.png")
    Image.fromarray(np.arange(60 * 47, dtype=np.uint16).reshape(60, 47)).save(tmp_path / "wide.png")
    for settings in (
        Preprocessing(50, 50, 3, fit, resize),
        Preprocessing(40, 61, 1, fit, resize, (0, 4095), "checker"),
        Preprocessing(130, 90, 3, fit, resize, None, "mean"),
    ):
        for name in ("turned.png", "clear.png", "wide.png"):
            expected = settings.of_bytes((tmp_path / name).read_bytes())
            found = reference.pixels(tmp_path / name, settings.as_json())[0]
            np.testing.assert_array_equal(found, expected, err_msg=f"{name} {settings}")


def test_an_export_has_an_image_with_its_probabilities(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path
) -> None:
    """A port follows export.json and compares what it gets."""
    export(kinds["network"], unseen_images, to="openvino", out=tmp_path / "out")
    fields = json.loads((tmp_path / "out" / METADATA).read_text())
    assert (tmp_path / "out" / REFERENCE).read_text() == Path(reference.__file__).read_text()
    pixels = reference.pixels(tmp_path / "out" / TEST_IMAGE, fields["preprocessing"])
    found = openvino(tmp_path / "out" / fields["file"]).predict(pixels)[0]
    np.testing.assert_allclose(found, fields["test_image"]["probabilities"], atol=1e-4)
    assert fields["pixels"]["filter"] == "Pillow's bicubic (a = -0.5)"
    assert fields["pixels"]["antialiasing"] is True


def test_every_step_is_named() -> None:
    steps = describe_pixels(Preprocessing(9, 9, 1, "stretch", "keras-bilinear", (0, 4095), "black"))
    assert list(steps) == [
        "orientation", "jpeg", "16 bits", "alpha", "channels", "box", "filter", "antialiasing", "rounding", "scaling",
        "unchanged",
    ]  # fmt: skip
    assert steps["16 bits"].startswith("0 becomes 0 and 4095 255")
    assert steps["jpeg"] == "fast integer DCT, fancy upsampling"
    assert steps["alpha"] == "laid on black"
    assert steps["antialiasing"] is False


def test_the_test_image_is_always_the_same() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    make_test_image().save(first, "PNG")
    make_test_image().save(second, "PNG")
    assert first.getvalue() == second.getvalue()
