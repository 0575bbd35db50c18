"""Small networks trained from scratch: from images in [0, 1] to a vector per image."""

from typing import Any

import keras

Tensor = Any
"""A symbolic Keras tensor; Keras has no types."""


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
