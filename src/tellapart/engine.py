"""A graph at work: OpenVINO on this machine's CPU, batches of pictures in, vectors out, in order.

The precision is stated, never left to the plugin: bfloat16 where the CPU multiplies it in hardware, else
float32 (docs/decisions/0004). A batch is always full, so a picture's result does not depend on its neighbours.
"""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# OpenVINO looks up a network host when it finds this package, and falls back to a stub when it does not.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

Precision = Literal["auto", "float32", "bfloat16"]
HINTS = {"float32": "f32", "bfloat16": "bf16"}
Graph = Any
"""An openvino.Model: the package has no types, so neither have these three."""
Request = Any
Runtime = Any
Batch = NDArray[Any]
Vectors = NDArray[np.float32]


class Engine:
    """A compiled graph. Lives as long as its memory is needed; one thread at a time may run it."""

    def __init__(self, graph: Graph, *, batch: int, precision: Precision = "auto", streams: bool = True) -> None:
        """Compile for batches of `batch` pictures; `streams` favours throughput over a lone caller's wait."""
        self.batch = batch
        self.precision = chosen_precision(precision)
        graph = graph.clone()
        self._shape = (batch, *(side.get_length() for side in list(graph.input(0).partial_shape)[1:]))
        graph.reshape(list(self._shape))
        hints = {
            "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            "PERFORMANCE_HINT": "THROUGHPUT" if streams else "LATENCY",
        }
        compiled = core().compile_model(graph, "CPU", hints)
        wanted = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._requests = [compiled.create_infer_request() for _ in range(wanted)]

    def run(self, batches: Iterable[Batch]) -> Iterator[Vectors]:
        """For each batch of up to `batch` pictures yield float32 (len(batch), width), in order.

        As many batches as the CPU likes are under way at once; no more are taken from `batches`.
        """
        idle = deque(self._requests)
        waiting: deque[tuple[Request, int]] = deque()
        for batch in batches:
            if not idle:
                request, count = waiting.popleft()
                yield _finished(request, count)
                idle.append(request)
            request = idle.popleft()
            request.start_async({0: self._filled(batch)})
            waiting.append((request, len(batch)))
        for request, count in waiting:
            yield _finished(request, count)

    def rate(self, batches: int = 12) -> float:
        """Pictures a second on this machine just now, measured on noise; the first batches warm it up."""
        noise = np.random.default_rng(0).integers(0, 256, self._shape, dtype=np.uint8)
        _exhaust(self.run([noise] * len(self._requests)))
        started = time.perf_counter()
        _exhaust(self.run([noise] * batches))
        return batches * self.batch / (time.perf_counter() - started)

    def _filled(self, batch: Batch) -> Batch:
        if len(batch) == self.batch:
            return np.ascontiguousarray(batch)
        full = np.zeros((self.batch, *batch.shape[1:]), dtype=batch.dtype)
        full[: len(batch)] = batch
        return full


def _finished(request: Request, count: int) -> Vectors:
    request.wait()
    result: Vectors = request.get_output_tensor(0).data[:count].astype(np.float32)  # a copy: the buffer is reused
    return result


def _exhaust(results: Iterator[Vectors]) -> None:
    deque(results, maxlen=0)


@cache
def core() -> Runtime:
    """The OpenVINO runtime, loaded once per process."""
    import openvino

    return openvino.Core()


def chosen_precision(precision: Precision) -> Literal["float32", "bfloat16"]:
    """Settle `auto`: what the CPU multiplies fastest, as OpenVINO's own default for it says."""
    if precision == "auto":
        native = core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        return "bfloat16" if native == "bf16" else "float32"
    return precision


def read_graph(path: Path) -> Graph:
    """Read `model.xml`, with the weights in the `.bin` beside it."""
    return core().read_model(path)


def write_graph(graph: Graph, path: Path) -> None:
    """Write `model.xml` and `model.bin`, weights as they are (float32)."""
    import openvino

    openvino.save_model(graph, path, compress_to_fp16=False)
