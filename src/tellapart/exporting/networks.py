"""A bundle's Keras network with its temperature at the end, written in the formats that TensorFlow and Keras make."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.keras_network import load_network
from tellapart.errors import BundleError, require
from tellapart.models.graphs.surgery import MIN_PROB

if TYPE_CHECKING:
    import keras

ONNX_OPSET = 18
Tensor = Any
"""A tensor of TensorFlow: it has no types, nor has what is below."""
Specification = Any


def temperature_of(bundle: Bundle) -> float:
    """What is in the bundle's graph and not in its `model.keras`; 1 where nothing is to be done."""
    return float(bundle.facts.calibration["temperature"]) if bundle.facts.calibration else 1.0


def write_keras(bundle: Bundle, path: Path) -> None:
    """Write a .keras file of Keras's own layers. Raises BundleError where the temperature cannot be put into layers."""
    _with_layers(bundle).save(path)


def write_h5(bundle: Bundle, path: Path) -> None:
    """Write an .h5 file. Raises BundleError also where the network does arithmetic outside layers."""
    network = _with_layers(bundle)
    from tellapart.exporting.keras_temperature import operations

    if found := operations(network):
        raise BundleError(
            f"{bundle.folder} cannot be an .h5 file: that holds layers only, and Keras could not load {found[0]} from "
            f"it. Export it to keras"
        )
    network.save(path)


def write_saved_model(bundle: Bundle, path: Path) -> None:
    """Write a folder of TensorFlow's, with one signature: images to probabilities."""
    network = load_network(bundle)
    import keras

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serve", _answering(network, temperature_of(bundle)), input_signature=[_images(bundle)])
    archive.write_out(str(path), verbose=False)


def write_litert(bundle: Bundle, path: Path) -> None:
    """Write a .tflite file in float32, by way of a SavedModel."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        write_saved_model(bundle, Path(folder, "saved"))
        tf = require("tensorflow", extra="train")
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(Path(folder, "saved"))).convert())


def write_onnx(bundle: Bundle, path: Path) -> None:
    """Write an ONNX model in float32."""
    network, images = load_network(bundle), _images(bundle)
    tf, convert = (require(name, extra="onnx") for name in ("tensorflow", "tf2onnx.convert"))
    function = tf.function(_answering(network, temperature_of(bundle)), input_signature=[images])
    model, _ = convert.from_function(function, input_signature=[images], opset=ONNX_OPSET)
    path.write_bytes(model.SerializeToString())


def _with_layers(bundle: Bundle) -> "keras.Model":
    network = load_network(bundle)
    from tellapart.exporting.keras_temperature import with_temperature

    return with_temperature(network, temperature_of(bundle))


def _answering(network: "keras.Model", temperature: float) -> Callable[[Tensor], dict[str, Tensor]]:
    """The function that is exported; the temperature as in `models.endings`."""
    from keras import ops

    def answer(images: Tensor) -> dict[str, Tensor]:
        probabilities = ops.cast(network(images, training=False), "float32")
        if temperature != 1:
            probabilities = ops.softmax(ops.log(ops.maximum(probabilities, MIN_PROB)) / temperature)
        return {"probabilities": probabilities}

    return answer


def _images(bundle: Bundle) -> Specification:
    tf, shape = require("tensorflow", extra="train"), bundle.preprocessing
    return tf.TensorSpec((None, shape.height, shape.width, shape.channels), tf.uint8, name="pictures")
