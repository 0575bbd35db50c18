"""What was exported, opened in the runtime that it is meant for and asked about images."""

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
class Opened:
    """A runtime's name, and a function from up to BATCH images, uint8 (n, h, w, c), to float32 (n, classes)."""

    runtime: str
    ask: Callable[[Images], Probabilities]


def openvino(path: Path) -> Opened:
    """Run an OpenVINO graph, in float32. OpenVINO reads ONNX too."""
    engine = Engine(read_graph(path), batch=BATCH, precision="float32")
    return Opened("openvino", lambda images: next(engine.run([images])))


def onnx(path: Path) -> Opened:
    """Run an ONNX model in onnxruntime, or where that is not installed in OpenVINO."""
    if importlib.util.find_spec("onnxruntime") is None:
        return openvino(path)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is imported
    runtime = require("onnxruntime", extra="onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return Opened("onnxruntime", lambda images: session.run(["probabilities"], {"pictures": images})[0])


def litert(path: Path) -> Opened:
    """Run a LiteRT model by its only signature, which takes any number of images."""
    interpreter = require("ai_edge_litert.interpreter", extra="litert").Interpreter(model_path=str(path))
    run = interpreter.get_signature_runner()
    return Opened("litert", lambda images: run(images=images)["probabilities"])


def saved_model(path: Path) -> Opened:
    """Run a SavedModel by the signature that TensorFlow Serving calls."""
    load_keras()
    tf = require("tensorflow", extra="train")
    loaded = tf.saved_model.load(str(path))

    def ask(images: Images) -> Probabilities:
        signature = loaded.signatures["serving_default"]  # `loaded` must live: its variables are the signature's
        answers: Probabilities = signature(images=tf.constant(images))["probabilities"].numpy()
        return answers

    return Opened("tensorflow", ask)


def keras(path: Path) -> Opened:
    """Run a .keras or .h5 file in Keras, which needs no code of tellapart's to load it."""
    load_keras()
    network = require("keras", extra="train").saving.load_model(path, compile=False, safe_mode=True)
    return Opened("keras", lambda images: np.asarray(network.predict_on_batch(images)))
