"""Export through Keras and TensorFlow: the bundle's Keras network with its temperature."""

from collections.abc import Callable
from importlib.metadata import version
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
"""A TensorFlow tensor, which is untyped, like the specification below."""
TensorSpec = Any
Function = Any


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


def write_saved_model(bundle: Bundle, path: Path, *, any_size: bool = False, precise: bool = True) -> None:
    """Write a TensorFlow SavedModel with one signature, from images to probabilities.

    With `any_size` it resizes images itself; unless `precise`, in float32 throughout.
    """
    network = load_network(bundle)
    import keras

    archive = keras.export.ExportArchive()
    predict = serving_function(bundle, network, any_size=any_size, precise=precise)
    archive.add_endpoint("serve", predict, input_signature=[input_spec(bundle, any_size=any_size)])
    archive.write_out(str(path), verbose=False)


def keras_versions(format_name: str) -> dict[str, str]:
    """Return, for a file of Keras, which Keras wrote it and which reads it."""
    if format_name not in ("keras", "h5"):
        return {}
    return {
        "keras": f"written by Keras {version('keras')}; Keras 3 of this version or later reads it. Keras 2 "
        f"(TensorFlow up to 2.15) does not"
    }


def write_onnx(bundle: Bundle, path: Path, *, any_size: bool = False) -> None:
    """Write an ONNX model in float32."""
    network, spec = load_network(bundle), input_spec(bundle, any_size=any_size)
    tf = require("tensorflow", extra="onnx")
    predict = serving_function(bundle, network, any_size=any_size)
    write_onnx_function(tf.function(predict, input_signature=[spec]), spec, path)


def write_onnx_function(function: Function, spec: TensorSpec, path: Path) -> None:
    """Convert a function of TensorFlow to ONNX."""
    model, _ = require("tf2onnx.convert", extra="onnx").from_function(
        function, input_signature=[spec], opset=ONNX_OPSET
    )
    path.write_bytes(model.SerializeToString())


def _with_temperature(bundle: Bundle) -> "keras.Model":
    network = load_network(bundle)
    from tellapart.exporting.keras_temperature import add_temperature

    return add_temperature(network, temperature_of(bundle))


def serving_function(
    bundle: Bundle, network: "keras.Model", *, any_size: bool = False, precise: bool = True
) -> Callable[[Tensor], dict[str, Tensor]]:
    """Return the function to export; it applies the temperature like `models.graphs.graph_heads`."""
    from keras import ops

    temperature = temperature_of(bundle)
    resize = resizing(bundle, precise=precise) if any_size else None

    def predict(images: Tensor) -> dict[str, Tensor]:
        images = images if resize is None else resize(images)
        probabilities = ops.cast(network(images, training=False), "float32")
        if temperature != 1:
            probabilities = ops.softmax(ops.log(ops.maximum(probabilities, MIN_PROB)) / temperature)
        return {"probabilities": probabilities}

    return predict


def resizing(bundle: Bundle, *, precise: bool = True) -> Function:
    """Return the function that resizes images of any size in the graph."""
    require("tensorflow", extra="train")
    from tellapart.exporting.resize_graph import resize_function

    return resize_function(bundle.preprocessing, precise=precise)


def input_spec(bundle: Bundle, *, any_size: bool = False) -> TensorSpec:
    """Return the type and shape of the input: any number of images of the classifier's size, or of any size."""
    tf, shape = require("tensorflow", extra="train"), bundle.preprocessing
    sides = (None, None) if any_size else (shape.height, shape.width)
    return tf.TensorSpec((None, *sides, shape.channels), tf.uint8, name="pictures")
