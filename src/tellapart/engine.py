"""A graph at work: OpenVINO on this machine's CPU, batches of images in, vectors out, in order.

The precision is stated, never left to the plugin: bfloat16 where the CPU multiplies it in hardware, else
float32 (docs/decisions/0004). A batch is always full, so an image's result does not depend on its neighbours.
"""

import errno
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.jobs import assigned_cores

# OpenVINO looks up a network host when it finds this package, and falls back to a stub when it does not.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

Precision = Literal["auto", "float32", "bfloat16"]
MAX_XML_BYTES = 10_000_000  # bytes: generous for the text of a graph
HINTS = {"float32": "f32", "bfloat16": "bf16"}
Graph = Any
"""An openvino.Model: the package has no types, so neither have these three."""
Request = Any
Runtime = Any
Batch = NDArray[Any]
Vectors = NDArray[np.float32]


class Engine:
    """A compiled graph. Lives as long as its memory is needed; several threads may run it at once.

    Each run borrows requests of its own: OpenVINO's are not safe to share.
    """

    def __init__(self, graph: Graph, *, batch: int, precision: Precision = "auto", streams: bool = True) -> None:
        """Compile for batches of `batch` images; `streams` favours throughput over a lone caller's wait."""
        self.batch = batch
        self.precision = resolve_precision(precision)
        graph = graph.clone()
        self._shape = (batch, *(side.get_length() for side in list(graph.input(0).partial_shape)[1:]))
        graph.reshape(list(self._shape))
        hints = {
            "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            "PERFORMANCE_HINT": "THROUGHPUT" if streams else "LATENCY",
        }
        self._compiled = core().compile_model(graph, "CPU", hints | _share())
        self._at_once = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._outputs = len(self._compiled.outputs)
        self._idle: deque[Request] = deque()

    def run(self, batches: Iterable[Batch]) -> Iterator[Vectors]:
        """For each batch of up to `batch` images yield float32 (len(batch), width), in order.

        Where the graph has several outputs, theirs stand side by side. As many batches as the CPU likes are under way
        at once; no more are taken from `batches`.
        """
        waiting: deque[tuple[Request, int]] = deque()
        try:
            for batch in batches:
                if len(waiting) == self._at_once:
                    yield self._finished(*waiting.popleft())
                request = self._borrowed()
                request.start_async({0: self._filled(batch)})
                waiting.append((request, len(batch)))
            while waiting:
                yield self._finished(*waiting.popleft())
        finally:  # a caller who stops early leaves no request at work for the next
            for request, _ in waiting:
                request.wait()
                self._idle.append(request)

    def _borrowed(self) -> Request:
        try:
            return self._idle.popleft()  # atomic, unlike a look and then a pop
        except IndexError:
            return self._compiled.create_infer_request()

    def _finished(self, request: Request, count: int) -> Vectors:
        request.wait()
        outputs = [request.get_output_tensor(place).data[:count] for place in range(self._outputs)]
        result: Vectors = np.concatenate(outputs, axis=1, dtype=np.float32)  # a copy: the buffers are reused
        self._idle.append(request)
        return result

    def rate(self, batches: int = 4) -> float:
        """Images a second on this machine just now, measured on noise; the first batches warm it up."""
        noise = np.random.default_rng(0).integers(0, 256, self._shape, dtype=np.uint8)
        _exhaust(self.run([noise] * self._at_once))
        started = time.perf_counter()
        _exhaust(self.run([noise] * batches))
        return batches * self.batch / (time.perf_counter() - started)

    def _filled(self, batch: Batch) -> Batch:
        if len(batch) == self.batch:
            return np.ascontiguousarray(batch)
        full = np.zeros(self._shape, dtype=batch.dtype)
        if len(batch):
            full[: len(batch)] = batch
        return full


def _share() -> dict[str, Any]:
    """What keeps a worker to the cores it was given: so many of any, where the plugin would take the machine's first.

    Bound to those, the workers of a machine would all compute on one core and leave the others idle.
    """
    threads = assigned_cores()
    return {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False} if threads else {}


def _exhaust(results: Iterator[Vectors]) -> None:
    deque(results, maxlen=0)


@cache
def core() -> Runtime:
    """The OpenVINO runtime, loaded once per process."""
    import openvino

    return openvino.Core()


def resolve_precision(precision: Precision) -> Literal["float32", "bfloat16"]:
    """Settle `auto`: what the CPU multiplies fastest, as OpenVINO's own default for it says."""
    if precision == "auto":
        native = core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        return "bfloat16" if native == "bf16" else "float32"
    return precision


def read_graph(path: Path) -> Graph:
    """Read `model.xml`, with the weights in the `.bin` beside it. Raises RuntimeError."""
    try:
        return core().read_model(path)
    except UnicodeDecodeError as error:  # OpenVINO quotes what it cannot read, and that is no text
        raise RuntimeError(f"its text is not UTF-8 ({error.reason})") from error


def has_nan(graph: Graph) -> bool:
    """Whether a weight is not a number: damaged, and all that it touches with it."""
    floats = [op for op in graph.get_ops() if op.get_type_name() == "Constant" and op.get_element_type().is_real()]
    return any(np.isnan(op.data).any() for op in floats)


def last_line(error: RuntimeError) -> str:
    """What OpenVINO says of a graph at the end, after lines that name its own source files."""
    return ([line for line in str(error).splitlines() if line.strip()] or ["no reason is given"])[-1][:200].rstrip(".:")


def write_graph(graph: Graph, path: Path) -> None:
    """Write `model.xml` and `model.bin`, weights as they are (float32). Raises OSError when the disk is full."""
    import openvino

    try:
        openvino.save_model(graph, path, compress_to_fp16=False)
    except RuntimeError as error:  # it says "iostream error" of a full disk, and may have removed what filled it
        weights = sum(node.get_byte_size() for node in graph.get_ops() if node.get_type_name() == "Constant")
        if shutil.disk_usage(path.parent).free < weights + MAX_XML_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
