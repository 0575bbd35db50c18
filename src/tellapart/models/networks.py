"""Keras models: backbones, small networks, heads of logits, and complete classifiers that end in probabilities.

All take uint8 images: the first layer scales them as the network requires, so it cannot be forgotten.
"""

import warnings
from typing import Any

import keras
import numpy as np

from tellapart.backend import downloads_on_stderr
from tellapart.data.image_size import Size, sides_of
from tellapart.errors import RecipeError
from tellapart.models.catalogue import DEVIATION, MEAN, MEAN_BGR, Scaling, lookup
from tellapart.models.freezing import leaf_layers, truncate_at
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.models.weights import locate_weights, weights_error

Tensor = Any
"""A symbolic Keras tensor; Keras has no types."""
FLOAT32_LAYERS = ("logits", "scaling", "to_float")
"""Layers that always compute in float32: the loss needs exact logits, and 255 grey levels need more than 8 bits."""


def set_mixed_precision(network: keras.Model, *, mixed: bool) -> None:
    """Set the layers of a network to compute in bfloat16, or back to float32. Weights are not changed.

    Source: Micikevicius et al. 2018; bfloat16 has float32's range, so no loss is scaled.
    """
    for layer in leaf_layers(network):
        if layer.name not in FLOAT32_LAYERS:
            layer.dtype_policy = "mixed_bfloat16" if mixed else "float32"


def backbone_network(name: str, size: Size, weights: str, cut: str | None = None) -> keras.Model:
    """Build a network without its top: uint8 (n, height, width, 3) to average-pooled features (n, width).

    `weights` is imagenet, none or a file. Batch normalisation uses its stored statistics. Raises WeightsError.
    """
    return frozen_network(truncate_at(load_backbone(name, size, weights), cut), name, pooled=True)


def frozen_network(network: keras.Model, name: str, *, pooled: bool) -> keras.Model:
    """Add input scaling to a network or its first part: uint8 images to feature maps, or their means (n, width)."""
    images = keras.Input(network.input_shape[1:], dtype="uint8", name="pictures")
    maps = network(scale_images(images, lookup(name).scaling), training=False)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D(name="features")(maps) if pooled else maps)


def load_backbone(name: str, size: Size, weights: str) -> keras.Model:
    """Load a network of keras.applications without its top: scaled float32 images to feature maps."""
    source = locate_weights(name, weights)
    build = getattr(keras.applications, str(lookup(name).keras_class))
    try:
        with downloads_on_stderr(), warnings.catch_warnings():
            # Keras warns that weights trained at 224 pixels are loaded for another size, which is fine.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined", category=UserWarning)
            # It keeps its own name, which V2 needs.
            network = build(weights=source, include_top=False, input_shape=(*sides_of(size), 3))
    except Exception as error:
        if source is None:
            raise
        raise weights_error(name, source, error) from error
    if source not in (None, "imagenet") and name.startswith("efficientnet-b"):
        scale_as_for_imagenet(network)
    return network


def scale_as_for_imagenet(network: keras.Model) -> None:
    """Divide by the deviation's root once more, which Keras's EfficientNet does only for weights it finds itself.

    Source: keras/src/applications/efficientnet.py, `if weights == "imagenet"`.
    """
    normalization = next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance, count = normalization.get_weights()
    normalization.set_weights([mean, variance * np.array(DEVIATION, np.float32), count])
    normalization.finalize_state()


def scratch_network(recipe: NetworkRecipe, channels: int, classes: int) -> keras.Model:
    """Build a network that is trained from scratch: uint8 (n, height, width, channels) to logits."""
    model = recipe.entry
    images = keras.Input((*sides_of(recipe.size), channels), dtype="uint8", name="pictures")
    numbers = scale_images(images, model.scaling)
    if model.pretrained:
        maps = load_backbone(recipe.model, recipe.size, "none")(numbers)
        features = keras.layers.GlobalAveragePooling2D(name="features")(maps)
    else:
        features = BODIES[recipe.model](numbers, recipe.units)
    return keras.Model(images, add_head(features, recipe, classes))


def head_network(width: int, recipe: NetworkRecipe, classes: int) -> keras.Model:
    """Build the head on a frozen backbone: features float32 (n, width) to logits."""
    features = keras.Input((width,), name="features")
    return keras.Model(features, add_head(features, recipe, classes), name="head")


def unfrozen_network(trained: keras.Model, recipe: NetworkRecipe, classes: int, *, from_images: bool) -> keras.Model:
    """Build the trained part of a fine-tuned backbone: a copy of its last layers, pooling and a head, to logits.

    It takes the feature maps below them, float32, or, if nothing is frozen, uint8 images.
    """
    part = keras.models.clone_model(trained)
    part.set_weights(trained.get_weights())
    inputs = keras.Input(part.input_shape[1:], dtype="uint8" if from_images else "float32", name="inputs")
    maps = part(scale_images(inputs, recipe.entry.scaling) if from_images else inputs)
    features = keras.layers.GlobalAveragePooling2D(name="features")(maps)
    return keras.Model(inputs, add_head(features, recipe, classes))


def add_head(features: Tensor, recipe: NetworkRecipe, classes: int) -> Tensor:
    """Add an optional inner layer, dropout, and logits: one for each class, or a single one for a binary loss."""
    x = features
    if recipe.inner:
        x = keras.layers.Dense(recipe.inner, activation="relu", name="inner")(x)
    if recipe.dropout:
        x = keras.layers.Dropout(recipe.dropout, name="dropout")(x)
    return keras.layers.Dense(logit_count(recipe, classes), name="logits")(x)


def logit_count(recipe: NetworkRecipe, classes: int) -> int:
    """Return the number of logits of a head. Raises RecipeError for a binary loss unless there are two classes."""
    if recipe.loss == "categorical":
        return classes
    if classes != 2:
        raise RecipeError(f"loss is binary, but there are {classes} classes: it needs exactly 2; use categorical")
    return 1


def join_classifier(backbone: keras.Model | None, trained: keras.Model, *, mirror: bool = False) -> keras.Model:
    """Join the final classifier: uint8 images to probabilities float32 (n, classes); `mirror` as in the recipe."""
    images = backbone.input if backbone is not None else trained.input
    logits = trained(backbone.output, training=False) if backbone is not None else trained.output
    if logits.shape[-1] == 1:  # softmax over (0, z) is (1 - sigmoid(z), sigmoid(z))
        logits = keras.layers.Concatenate(name="both_logits")([keras.ops.zeros_like(logits), logits])
    classifier = keras.Model(images, keras.layers.Softmax(name="probabilities")(logits), name="classifier")
    return mirror_network(classifier) if mirror else classifier


def mirror_network(classifier: keras.Model) -> keras.Model:
    """Average a classifier's probabilities over an image and its mirror image."""
    images = keras.Input(classifier.input_shape[1:], dtype="uint8", name="pictures")
    both = [classifier(images), classifier(keras.ops.flip(images, axis=2))]
    return keras.Model(images, keras.layers.Average(name="probabilities")(both), name="mirrored")


def scale_images(images: Tensor, scaling: Scaling) -> Tensor:
    """Scale uint8 images as a network requires: float32 of the same shape."""
    if scaling == "unit":
        return keras.layers.Rescaling(1 / 255, name="scaling")(images)
    if scaling == "tf":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(images)
    if scaling == "torch":
        slopes = [1 / (255 * deviation) for deviation in DEVIATION]
        offsets = [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)]
        return keras.layers.Rescaling(slopes, offset=offsets, name="scaling")(images)
    if scaling == "caffe":
        bgr = keras.ops.take(keras.layers.Rescaling(1.0, name="to_float")(images), [2, 1, 0], axis=-1)
        return keras.layers.Rescaling(1.0, offset=[-mean for mean in MEAN_BGR], name="scaling")(bgr)
    return keras.layers.Rescaling(1.0, name="to_float")(images)


def mlp(images: Tensor, units: int) -> Tensor:
    """Build one hidden layer over all pixels. With 28 x 28 x 1 images, 10 classes, 128 units: 101,770 parameters."""
    flat = keras.layers.Flatten(name="flatten")(images)
    return keras.layers.Dense(units, activation="relu", name="hidden")(flat)


def cnn(images: Tensor, _: int) -> Tensor:
    """Build three 3 x 3 convolutions, each followed by pooling to half the size, then a hidden layer."""
    x = images
    for number, filters in enumerate((32, 64, 128), start=1):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = keras.layers.MaxPooling2D(name=f"pool{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.layers.Dense(128, activation="relu", name="hidden")(x)


def lenet5(images: Tensor, _: int) -> Tensor:
    """Build LeNet-5 with ReLU and max-pooling. Source: LeCun et al., Gradient-based learning (1998), section II.B."""
    x = keras.layers.Conv2D(6, 5, padding="same", activation="relu", name="conv1")(images)
    x = keras.layers.MaxPooling2D(name="pool1")(x)
    x = keras.layers.Conv2D(16, 5, activation="relu", name="conv2")(x)
    x = keras.layers.MaxPooling2D(name="pool2")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(120, activation="relu", name="dense1")(x)
    return keras.layers.Dense(84, activation="relu", name="dense2")(x)


BODIES = {"mlp": mlp, "cnn": cnn, "lenet5": lenet5}
