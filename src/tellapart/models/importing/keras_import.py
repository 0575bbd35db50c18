"""Import of a Keras model from elsewhere as a classifier: uint8 images in, probabilities out."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras

from tellapart.data.image_size import Size
from tellapart.errors import RecipeError, WeightsError, first_line
from tellapart.models.catalogue import Scaling
from tellapart.models.importing.archive import ARRAYS, is_translated, written_by
from tellapart.models.importing.image_input import image_shape, require_classifier
from tellapart.models.importing.keras_scaling import find_own_scaling
from tellapart.models.importing.own_scaling import require_scaled_once
from tellapart.models.importing.weight_check import require_same_weights
from tellapart.models.networks import Tensor, scale_images

SHAPES_ONLY = ("Dropout", "Flatten", "GlobalAveragePooling2D", "Identity", "Reshape", "Squeeze")
"""Layers that change the shape only, not whether values are probabilities or logits."""


@dataclass(frozen=True)
class ImportedModel:
    """The classifier, and a sentence about the output of its last layer."""

    network: keras.Model
    ending: str


def load_model(copy: Path) -> keras.Model:
    """Load a copy made by `inspect_archive`. Raises WeightsError when Keras cannot."""
    try:
        with _quiet():
            with keras.StatelessScope(initialize_variables=False):  # a dry run without memory for weights, which
                keras.saving.load_model(copy, compile=False, safe_mode=True)  # compares stored and described shapes
            model = keras.saving.load_model(copy, compile=False, safe_mode=True)
    except Exception as error:  # Keras may raise anything for a file from elsewhere
        raise WeightsError(
            f"this Keras ({keras.__version__}) cannot rebuild the model: {first_line(error)}. Open it with the Keras "
            f"that wrote it{written_by(copy)} and save it again as .h5, or as .keras with a recent Keras"
        ) from error
    if not model.built or not getattr(model, "outputs", None):
        raise WeightsError("the model has no input shape: call it once on an image, then save it again")
    if is_translated(copy):
        require_same_weights(model, copy if copy.is_file() else copy / ARRAYS)
    return model


def input_shape(model: keras.Model, size: Size | None) -> tuple[int, int, int]:
    """Return height, width and channels of a model's images, see `image_shape`. Raises RecipeError, WeightsError."""
    if len(model.inputs) != 1 or len(model.inputs[0].shape) not in (2, 3, 4):
        shapes = ", ".join(str(tensor.shape) for tensor in model.inputs)
        raise WeightsError(f"the model takes {shapes}; expected one image: (None, height, width, 1 or 3)")
    return image_shape(model.inputs[0].shape[1:], size)


def build_classifier(model: keras.Model, shape: tuple[int, int, int], scaling: Scaling, classes: int) -> ImportedModel:
    """Join scaling, model and the conversion of its output to probabilities (n, classes).

    Raises RecipeError when the scaling does not suit its input, WeightsError when its output is not a classifier's.
    """
    _require_scaling(model, shape[-1], scaling)
    activation = _last_activation(model.outputs[0])
    width = _output_width(model, activation, classes)
    images = keras.Input(shape, dtype="uint8", name="pictures")
    numbers = images if model.inputs[0].dtype == "uint8" else scale_images(images, scaling)
    try:
        with _quiet():
            output = model(_rearranged(numbers, shape, model.inputs[0].shape), training=False)
    except ValueError as error:
        raise RecipeError(
            f"the model cannot take images of {shape[0]} x {shape[1]}: {first_line(error)}. Try another --size"
        ) from error
    probabilities, ending = _probabilities(output, activation, width)
    return ImportedModel(keras.Model(images, probabilities, name="classifier"), ending)


def _rearranged(numbers: Tensor, shape: tuple[int, int, int], expected: tuple[int | None, ...]) -> Tensor:
    """Rearrange (n, height, width, channels) to the axes that the model expects, as `input_shape` reads them."""
    if len(expected) == 2:
        return keras.layers.Flatten(name="in_a_row", data_format="channels_last")(numbers)
    if len(expected) == 3:
        return keras.layers.Reshape(shape[:2], name="without_channels")(numbers)
    if expected[3] not in (1, 3):
        return keras.layers.Permute((3, 1, 2), name="channels_first")(numbers)
    return numbers


def once_scaled(
    model: keras.Model, scaling: Scaling, *, named: bool = False, twice: bool = False
) -> tuple[Scaling, str | None]:
    """Return the scaling that a model needs beside its own, and a sentence about its own; see `require_scaled_once`."""
    if model.inputs[0].dtype == "uint8":
        return scaling, None
    return require_scaled_once(find_own_scaling(model), scaling, named=named, twice=twice)


def _require_scaling(model: keras.Model, channels: int, scaling: Scaling) -> None:
    if scaling in ("torch", "caffe") and channels == 1:
        raise RecipeError(f"preprocess {scaling} is for colour, but the model takes grey images: use unit or tf")
    if model.inputs[0].dtype == "uint8" and scaling != "inside":
        raise RecipeError("the model takes integers from 0 to 255, so it scales them itself: --preprocess none")


def _output_width(model: keras.Model, activation: str, classes: int) -> int:
    shape = model.outputs[0].shape
    if len(model.outputs) != 1 or len(shape) != 2 or shape[1] is None:
        raise WeightsError(f"the model gives {len(model.outputs)} outputs, the first {shape}; expected (None, classes)")
    width = int(shape[1])
    require_classifier(activation, width, classes)
    return width


def _probabilities(output: Tensor, activation: str, width: int) -> tuple[Tensor, str]:
    if activation == "softmax":
        return output, "its last layer is softmax: probabilities, used as they are"
    if activation == "sigmoid":
        both = keras.layers.Concatenate(name="probabilities")([1 - output, output])
        return both, "its last layer is one sigmoid: the probability of the second class"
    ending = "its last layer gives logits: softmax is added"
    if width == 1:  # softmax over (0, z) is (1 - sigmoid(z), sigmoid(z))
        output = keras.layers.Concatenate(name="both_logits")([keras.ops.zeros_like(output), output])
        ending = "its last layer gives one logit: sigmoid is added, for the probability of the second class"
    return keras.layers.Softmax(name="probabilities", dtype="float32")(output), ending


def _last_activation(tensor: Tensor) -> str:
    """The activation of a tensor: softmax, sigmoid or linear. Raises WeightsError for another."""
    history = tensor._keras_history
    layer, kind = history.operation, type(history.operation).__name__
    if isinstance(layer, keras.Model):
        return _last_activation(layer.outputs[0])
    function = getattr(layer, "activation", None)
    name = type(function).__name__ if isinstance(function, keras.Layer) else getattr(function, "__name__", kind)
    if kind in SHAPES_ONLY or (kind == "Activation" and name == "linear"):
        return _last_activation(layer._inbound_nodes[history.node_index].input_tensors[0])
    if name.lower() not in ("softmax", "sigmoid", "linear"):
        raise WeightsError(
            f"the model ends in layer {layer.name} with {name}; expected softmax, one sigmoid, or logits without "
            f"activation: save it with the classifier's last layer and without anything after it"
        )
    return name.lower()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Keras's warnings about how a model was saved and called, which its user cannot change."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        yield
