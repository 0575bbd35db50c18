"""`tellapart imagenet`: which images, in which form, with which status."""

import json
from pathlib import Path

import numpy as np
import pytest

from tellapart.cli import imagenet as command
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import core
from tellapart.models.imagenet import ImageNet, ImageNetClass

from .conftest import Said


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of three classes that names the colour an image has most of."""
    core()
    import openvino
    from openvino import opset13 as steps

    images = steps.parameter([-1, 4, 4, 3], np.uint8)
    means = steps.reduce_mean(steps.convert(images, "f32"), np.array([1, 2]), keep_dims=False)
    graph = openvino.Model([steps.softmax(means, 1)], [images])
    classes = (ImageNetClass("n1", "red_thing"), ImageNetClass("n2", "green_thing"), ImageNetClass("n3", "blue_thing"))
    monkeypatch.setattr(command, "open_imagenet", lambda *_: ImageNet(graph, Preprocessing(4, 4, 3), classes))


@pytest.mark.usefixtures("network")
def test_a_line_for_each_image_in_order(said: Said, tiny: Path) -> None:
    answer = said("imagenet", tiny / "green" / "00.png", tiny / "blue" / "00.png", "--top", "1")
    assert (answer.status, answer.err) == (0, "")
    first, second = answer.out.splitlines()
    assert first.startswith(f"{tiny / 'green' / '00.png'}: green_thing ")
    assert "blue_thing" in second
    assert answer.out.count("%") == 2


@pytest.mark.usefixtures("network")
def test_json_has_the_number_in_wordnet_and_the_unreadable_in_their_place(said: Said, tiny: Path) -> None:
    answer = said("imagenet", "gone.png", tiny / "red" / "00.png", "--json", "--top", "9")
    assert answer.status == 1
    unread, read = map(json.loads, answer.out.splitlines())
    assert (unread["path"], list(unread)) == ("gone.png", ["path", "error"])
    assert (read["label"], read["top"][0]["wordnet"], len(read["top"])) == ("red_thing", "n1", 3)
    assert sum(one["probability"] for one in read["top"]) == pytest.approx(1, abs=1e-3)


@pytest.mark.usefixtures("network")
def test_an_unreadable_image_is_said_in_text_too(said: Said) -> None:
    answer = said("imagenet", "gone.png")
    assert (answer.status, answer.out) == (1, "gone.png: error: cannot be read: No such file or directory\n")


def test_bad_luck_is_one_sentence(said: Said) -> None:
    assert "no image was named" in said("imagenet").error
    assert "did you mean xception" in said("imagenet", "x.png", "--model", "xceptoin").error
    assert "never trained on ImageNet" in said("imagenet", "x.png", "--model", "lenet5").error
    assert "there is no weights file gone.h5" in said("imagenet", "x.png", "--weights", "gone.h5").error
