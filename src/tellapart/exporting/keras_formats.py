"""Export through Keras and TensorFlow: the bundle's Keras network with its temperature."""

import json
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.keras_network import load_network
from tellapart.errors import BundleError, require
from tellapart.exporting.pixel_recipe import embedded_metadata
from tellapart.models.graphs.surgery import MIN_PROB

if TYPE_CHECKING:
    import keras

ONNX_OPSET = 18
Tensor = Any
"""A TensorFlow tensor, which is untyped, like the specification below."""
TensorSpec = Any


def temperature_of(bundle: Bundle) -> float:
    """Return the temperature that is in the bundle's graph but not in its `model.keras`; 1 if there is none."""
    return float(bundle.manifest.calibration["temperature"]) if bundle.manifest.calibration else 1.0


def write_keras(bundle: Bundle, path: Path) -> None:
    """Write a .keras file of Keras's own layers. Raises BundleError if the temperature cannot be added as layers."""
    _with_temperature(bundle).save(path)


def write_h5(bundle: Bundle, path: Path) -> None:
    """Write an .h5 file. Raises BundleError, also if the network has operations outside layers."""
    network = _with_temperature(bundle)
    from tellapart.exporting.keras_temperature import non_layer_operations

    if operations := non_layer_operations(network):
        raise BundleError(
            f"{bundle.folder} cannot be an .h5 file, which stores layers only: Keras could not load {operations[0]} "
            f"from it. Export it to keras"
        )
    network.save(path)


def write_saved_model(bundle: Bundle, path: Path) -> None:
    """Write a TensorFlow SavedModel with one signature, from images to probabilities."""
    network = load_network(bundle)
    import keras

    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "serve", _serving_function(network, temperature_of(bundle)), input_signature=[_input_spec(bundle)]
    )
    archive.write_out(str(path), verbose=False)


def write_litert(bundle: Bundle, path: Path) -> None:
    """Write a .tflite file in float32, through a SavedModel."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        write_saved_model(bundle, Path(folder, "saved"))
        tf = require("tensorflow", extra="train")
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(Path(folder, "saved"))).convert())
    with zipfile.ZipFile(path, "a") as archive:  # files behind the model, as LiteRT's own metadata has them
        archive.writestr("labels.txt", "".join(f"{name}\n" for name in bundle.classes))
        archive.writestr("metadata.json", json.dumps(embedded_metadata(bundle), ensure_ascii=False))


def keras_versions(format_name: str) -> dict[str, str]:
    """Return, for a file of Keras, which Keras wrote it and which reads it."""
    if format_name not in ("keras", "h5"):
        return {}
    return {
        "keras": f"written by Keras {version('keras')}; Keras 3 of this version or later reads it. Keras 2 "
        f"(TensorFlow up to 2.15) does not"
    }


def write_onnx(bundle: Bundle, path: Path) -> None:
    """Write an ONNX model in float32."""
    network, spec = load_network(bundle), _input_spec(bundle)
    tf, convert = (require(name, extra="onnx") for name in ("tensorflow", "tf2onnx.convert"))
    function = tf.function(_serving_function(network, temperature_of(bundle)), input_signature=[spec])
    model, _ = convert.from_function(function, input_signature=[spec], opset=ONNX_OPSET)
    path.write_bytes(model.SerializeToString())


def _with_temperature(bundle: Bundle) -> "keras.Model":
    network = load_network(bundle)
    from tellapart.exporting.keras_temperature import add_temperature

    return add_temperature(network, temperature_of(bundle))


def _serving_function(network: "keras.Model", temperature: float) -> Callable[[Tensor], dict[str, Tensor]]:
    """Return the function to export; it applies the temperature like `models.graphs.graph_heads`."""
    from keras import ops

    def predict(images: Tensor) -> dict[str, Tensor]:
        probabilities = ops.cast(network(images, training=False), "float32")
        if temperature != 1:
            probabilities = ops.softmax(ops.log(ops.maximum(probabilities, MIN_PROB)) / temperature)
        return {"probabilities": probabilities}

    return predict


def _input_spec(bundle: Bundle) -> TensorSpec:
    tf, shape = require("tensorflow", extra="train"), bundle.preprocessing
    return tf.TensorSpec((None, shape.height, shape.width, shape.channels), tf.uint8, name="pictures")
