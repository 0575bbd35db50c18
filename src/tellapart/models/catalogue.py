"""Catalogue of all models. Reading it loads neither Keras nor TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tellapart.errors import RecipeError, did_you_mean
from tellapart.recipe import AUTO, Optimizer, Schedule

# Mean and deviation of ImageNet's images, in [0, 1], RGB; and the mean in 0..255, BGR.
# Source: keras.applications.imagenet_utils.preprocess_input, modes "torch" and "caffe".
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MEAN_BGR = (103.939, 116.779, 123.68)
Scaling = Literal["unit", "tf", "torch", "caffe", "inside"]
"""Scaling of a network's input: [0, 1]; [-1, 1]; ImageNet mean and deviation; BGR minus mean; inside the network."""


@dataclass(frozen=True)
class Model:
    """An entry of the catalogue, with the defaults of its recipe."""

    keras_class: str | None
    """The class in keras.applications; None for the small networks of `scratch.py` and for estimators."""
    size: int
    smallest: int
    scaling: Scaling
    licence: str | None = None
    """Of the pre-trained weights."""
    dropout: float = 0.0
    optimizer: Optimizer = "adam"
    schedule: Schedule = "constant"
    batch_size: int = 32
    epochs: int = 30
    min_steps: int = 0
    """Steps that a training makes where no epochs are given: on few images that takes more epochs."""
    inner: int = 0
    estimator: bool = False
    """True for models that are fitted on a frozen backbone's features or on pixels."""

    @property
    def pretrained(self) -> bool:
        """True if weights trained on ImageNet exist."""
        return self.keras_class is not None


# Source of the licences: the "License" sections of the Keras Applications pages.
APACHE = "Apache-2.0"
BSD = "BSD-3-Clause"
CC_BY = "CC-BY-4.0"
MIT = "MIT"


def _pretrained(keras_class: str, size: int, smallest: int, scaling: Scaling, licence: str = APACHE) -> Model:
    return Model(keras_class, size, smallest, scaling, licence)


MODELS: Mapping[str, Model] = {
    "mlp": Model(None, 28, 4, "unit", dropout=0.2, batch_size=256, epochs=40, min_steps=1_000),
    "cnn": Model(None, 64, 8, "unit", dropout=0.4, schedule="cosine", batch_size=64, epochs=15, min_steps=1_000),
    "lenet5": Model(None, 28, 16, "unit", schedule="cosine", batch_size=32, epochs=15, min_steps=1_000),
    "knn": Model(None, 32, 4, "unit", estimator=True),
    "forest": Model(None, 32, 4, "unit", estimator=True),
    "logistic": Model(None, 32, 4, "unit", estimator=True),
    "xception": _pretrained("Xception", 299, 71, "tf", MIT),
    "vgg16": _pretrained("VGG16", 224, 32, "caffe", CC_BY),
    "vgg19": _pretrained("VGG19", 224, 32, "caffe", CC_BY),
    "mobilenet": _pretrained("MobileNet", 224, 32, "tf"),
    "mobilenet-v2": _pretrained("MobileNetV2", 224, 32, "tf"),
    "mobilenet-v3-small": _pretrained("MobileNetV3Small", 224, 32, "inside"),
    "mobilenet-v3-large": _pretrained("MobileNetV3Large", 224, 32, "inside"),
    "resnet50": _pretrained("ResNet50", 224, 32, "caffe", MIT),
    "resnet101": _pretrained("ResNet101", 224, 32, "caffe", MIT),
    "resnet152": _pretrained("ResNet152", 224, 32, "caffe", MIT),
    "resnet50-v2": _pretrained("ResNet50V2", 224, 32, "tf"),
    "resnet101-v2": _pretrained("ResNet101V2", 224, 32, "tf"),
    "resnet152-v2": _pretrained("ResNet152V2", 224, 32, "tf"),
    "inception-v3": _pretrained("InceptionV3", 299, 75, "tf"),
    "inception-resnet-v2": _pretrained("InceptionResNetV2", 299, 75, "tf"),
    "densenet121": _pretrained("DenseNet121", 224, 32, "torch", BSD),
    "densenet169": _pretrained("DenseNet169", 224, 32, "torch", BSD),
    "densenet201": _pretrained("DenseNet201", 224, 32, "torch", BSD),
    "nasnet-mobile": _pretrained("NASNetMobile", 224, 32, "tf"),
    "nasnet-large": _pretrained("NASNetLarge", 331, 32, "tf"),
    "efficientnet-b0": _pretrained("EfficientNetB0", 224, 32, "inside"),
    "efficientnet-b1": _pretrained("EfficientNetB1", 240, 32, "inside"),
    "efficientnet-b2": _pretrained("EfficientNetB2", 260, 32, "inside"),
    "efficientnet-b3": _pretrained("EfficientNetB3", 300, 32, "inside"),
    "efficientnet-b4": _pretrained("EfficientNetB4", 380, 32, "inside"),
    "efficientnet-b5": _pretrained("EfficientNetB5", 456, 32, "inside"),
    "efficientnet-b6": _pretrained("EfficientNetB6", 528, 32, "inside"),
    "efficientnet-b7": _pretrained("EfficientNetB7", 600, 32, "inside"),
    "efficientnet-v2-b0": _pretrained("EfficientNetV2B0", 224, 32, "inside"),
    "efficientnet-v2-b1": _pretrained("EfficientNetV2B1", 240, 32, "inside"),
    "efficientnet-v2-b2": _pretrained("EfficientNetV2B2", 260, 32, "inside"),
    "efficientnet-v2-b3": _pretrained("EfficientNetV2B3", 300, 32, "inside"),
    "efficientnet-v2-s": _pretrained("EfficientNetV2S", 384, 32, "inside"),
    "efficientnet-v2-m": _pretrained("EfficientNetV2M", 480, 32, "inside"),
    "efficientnet-v2-l": _pretrained("EfficientNetV2L", 480, 32, "inside"),
    "convnext-tiny": _pretrained("ConvNeXtTiny", 224, 32, "inside", MIT),
    "convnext-small": _pretrained("ConvNeXtSmall", 224, 32, "inside", MIT),
    "convnext-base": _pretrained("ConvNeXtBase", 224, 32, "inside", MIT),
    "convnext-large": _pretrained("ConvNeXtLarge", 224, 32, "inside", MIT),
    "convnext-xlarge": _pretrained("ConvNeXtXLarge", 224, 32, "inside", MIT),
}


FOR_PHOTOS, FOR_SMALL_IMAGES = "xception", "cnn"
"""What `auto` stands for."""
SMALL_PIXELS = 64  # of the shorter side: smaller images, enlarged for a pre-trained network, cost hours and gain little


def lookup(name: str) -> Model:
    """Look up a model by name; `auto` as the one for photos. Raises RecipeError that suggests the nearest names."""
    name = FOR_PHOTOS if name == AUTO else name
    if name not in MODELS:
        raise RecipeError(f"there is no model {name!r}: {did_you_mean(name, MODELS)}")
    return MODELS[name]
