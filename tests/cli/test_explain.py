"""`tellapart explain`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Said

FORBIDDEN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "sklearn", "h5py"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from tellapart.cli import main
main()
"""


def test_a_image_is_explained_with_its_scores_and_saved_beside_its_map(
    said: Said, bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "overlay.png"
    answer = said("explain", bundle, images[0], "--save", file)
    assert (answer.status, answer.err) == (0, "")
    first, deletion, insertion, meaning, saved = answer.out.splitlines()
    assert first.startswith(f"{images[0]}: blue ")
    assert first.endswith("% by occlusion") or first.endswith("explained by occlusion")
    assert "less is better" in deletion
    assert "more is better" in insertion
    assert "map" in meaning
    assert saved == f"saved: {file}"
    with Image.open(file) as image:
        assert image.size == (40, 20)
        left = np.asarray(image)[:, :20]
    with Image.open(images[0]) as photo:
        np.testing.assert_array_equal(left, np.asarray(photo))


def test_several_images_are_below_each_other_and_unreadable_ones_are_said(
    said: Said, bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "overlay.png"
    answer = said("explain", bundle, images[0], "absent.png", images[20], "--save", file)
    assert answer.status == 1
    assert "absent.png: error: " in answer.out
    with Image.open(file) as image:
        assert image.size == (640, 640)
    assert said("explain", bundle, "absent.png").status == 1


def test_another_label_can_be_asked_about(said: Said, bundle: Path, images: list[Path], tmp_path: Path) -> None:
    words = ["explain", bundle, images[0], "--save", tmp_path / "overlay.png", "--label"]
    assert f"{images[0]}: red " in said(*words, "red").out
    assert "has no class 'rod': did you mean red?" in said(*words, "rod").error


def test_filters_need_no_image_and_layers_need_one(
    said: Said, bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "filters.png"
    answer = said("explain", bundle, "--method", "filters", "--save", file)
    assert answer.status == 0
    assert answer.out.splitlines()[0].endswith("filters of 20 x 20 x 3 weights; grey is 0")
    assert file.exists()
    assert "leave them out" in said("explain", bundle, images[0], "--method", "filters").error
    assert "no image was named" in said("explain", bundle, "--method", "layers").error
    assert "name one" in said("explain", bundle, *images[:2], "--method", "layers").error
    assert "no feature maps to show" in said("explain", bundle, images[0], "--method", "layers").error


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--method", "cam"], "has no class activation map"),
        (["--method", "gradcam"], "has no feature map for Grad-CAM"),
    ],
)
def test_methods_that_do_not_suit_say_which_does(
    words: list[str], phrase: str, said: Said, bundle: Path, images: list[Path]
) -> None:
    error = said("explain", bundle, images[0], *words).error
    assert phrase in error
    assert "occlusion" in error


def test_no_image_and_no_bundle_are_refused(said: Said, bundle: Path, images: list[Path]) -> None:
    assert "no image was named" in said("explain", bundle).error
    assert "is an image, not a bundle: name the bundle first" in said("explain", images[0], bundle).error


def test_without_keras_only_gradcam_asks_for_it_by_name(bundle: Path, images: list[Path], tmp_path: Path) -> None:
    words = [sys.executable, "-c", FORBIDDEN, "explain", str(bundle), str(images[0])]
    done = subprocess.run([*words, "--save", str(tmp_path / "x.png")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([*words, "--method", "gradcam"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "tellapart[train]" in done.stderr
