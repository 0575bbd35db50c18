"""Export to LiteRT in float32, with weights in float16, or with weights and activations in int8."""

import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tellapart.bundles.bundle import Bundle
from tellapart.errors import BundleError, first_line, require
from tellapart.exporting.keras_formats import write_saved_model
from tellapart.exporting.parity import Images
from tellapart.exporting.pixel_recipe import embedded_metadata

FLOAT_OPERATIONS = ("SOFTMAX", "LOG", "MAXIMUM", "DIV")
"""Operations from logits to probabilities, which stay in float32: the lowest of 256 steps is 0, which has no log."""
Converter = Any
"""TensorFlow's converter, which is untyped."""


def write_litert(bundle: Bundle, path: Path, *, any_size: bool = False) -> None:
    """Write a .tflite file in float32."""
    _write(bundle, path, any_size=any_size)


def write_float16(bundle: Bundle, path: Path) -> None:
    """Write a .tflite file with weights in float16, of half the size; it computes in float32 or float16."""
    _write(bundle, path, float16=True)


def write_int8(bundle: Bundle, path: Path, images: Images) -> None:
    """Write a .tflite file in int8, calibrated on images uint8 (n, height, width, channels). Raises BundleError."""
    _write(bundle, path, calibration=images)


def _write(
    bundle: Bundle, path: Path, *, any_size: bool = False, float16: bool = False, calibration: Images | None = None
) -> None:
    tf = require("tensorflow", extra="train")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        saved = Path(folder, "saved")
        write_saved_model(bundle, saved, any_size=any_size, precise=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
        if float16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        content = converter.convert() if calibration is None else _quantized(bundle, converter, calibration)
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:  # files behind the model, as LiteRT's own metadata has them
        archive.writestr("labels.txt", "".join(f"{name}\n" for name in bundle.classes))
        archive.writestr("metadata.json", json.dumps(embedded_metadata(bundle), ensure_ascii=False))


def _quantized(bundle: Bundle, converter: Converter, images: Images) -> bytes:
    tf = require("tensorflow", extra="train")

    def calibrate() -> Iterator[dict[str, Images]]:
        return ({"pictures": images[i : i + 1]} for i in range(len(images)))

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibrate
    try:
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(FLOAT_OPERATIONS))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated")  # which the debugger uses
            debugger = tf.lite.experimental.QuantizationDebugger(
                converter=converter, debug_dataset=calibrate, debug_options=options
            )
            content: bytes = debugger.get_nondebug_quantized_model()
    except Exception as error:  # of the converter
        raise BundleError(f"LiteRT cannot quantize {bundle.folder} ({first_line(error)}): remove --int8") from error
    return content
