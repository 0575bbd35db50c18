"""Runtimes of the export formats, which load an export and predict images."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backend import load_keras
from tellapart.data.pipeline import BATCH
from tellapart.engine import Engine, read_graph
from tellapart.errors import require

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Runtime:
    """A runtime's name, and a function from up to BATCH images, uint8 (n, h, w, c), to float32 (n, classes)."""

    name: str
    predict: Callable[[Images], Probabilities]


def openvino(path: Path) -> Runtime:
    """Load an OpenVINO graph in float32. OpenVINO reads ONNX too."""
    engine = Engine(read_graph(path), batch=BATCH, precision="float32")
    return Runtime("openvino", lambda images: next(engine.run([images])))


def onnx(path: Path) -> Runtime:
    """Load an ONNX model in onnxruntime, or in OpenVINO if that is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return openvino(path)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read at import
    runtime = require("onnxruntime", extra="onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return Runtime("onnxruntime", lambda images: session.run(["probabilities"], {"pictures": images})[0])


def litert(path: Path) -> Runtime:
    """Load a LiteRT model; its only signature takes any number of images."""
    interpreter = require("ai_edge_litert.interpreter", extra="litert").Interpreter(model_path=str(path))
    run = interpreter.get_signature_runner()
    return Runtime("litert", lambda images: run(pictures=images)["probabilities"])


def saved_model(path: Path) -> Runtime:
    """Load a SavedModel; the signature is the one that TensorFlow Serving calls."""
    load_keras()
    tf = require("tensorflow", extra="train")
    loaded = tf.saved_model.load(str(path))

    def predict(images: Images) -> Probabilities:
        signature = loaded.signatures["serving_default"]  # keeps `loaded` alive, which owns the signature's variables
        probs: Probabilities = signature(pictures=tf.constant(images))["probabilities"].numpy()
        return probs

    return Runtime("tensorflow", predict)


def keras(path: Path) -> Runtime:
    """Load a .keras or .h5 file in plain Keras, without any of tellapart's code."""
    load_keras()
    network = require("keras", extra="train").saving.load_model(path, compile=False, safe_mode=True)
    return Runtime("keras", lambda images: np.asarray(network.predict_on_batch(images)))
