"""Inference with OpenVINO on the CPU: batches of images in, vectors out, in order.

The precision is set explicitly: bfloat16 if the CPU multiplies it in hardware, else float32 (docs/decisions/0004).
Batches are padded to full size, so that an image's result does not depend on the others.
"""

import ctypes
import errno
import os
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import TellapartError
from tellapart.jobs import assigned_cores

# With this package OpenVINO contacts a network host; without it, it falls back to a stub.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

Precision = Literal["auto", "float32", "bfloat16"]
MAX_XML_BYTES = 10_000_000  # generous for the text of a graph
HINTS = {"float32": "f32", "bfloat16": "bf16"}
Graph = Any
"""An openvino.Model; the package has no type annotations."""
Request = Any
Runtime = Any
Batch = NDArray[Any]
Vectors = NDArray[np.float32]


class Engine:
    """A compiled graph, which several threads may run concurrently, in the process that compiled it.

    Each run borrows its own inference requests, since OpenVINO's are not thread-safe.
    """

    def __init__(self, graph: Graph, *, batch: int, precision: Precision = "auto", streams: bool = True) -> None:
        """Compile for batches of `batch` images; `streams` favours throughput over latency."""
        self.batch = batch
        self.precision = resolve_precision(precision)
        graph = graph.clone()
        self._shape = (batch, *(side.get_length() for side in list(graph.input(0).partial_shape)[1:]))
        graph.reshape(list(self._shape))
        hints = {
            "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            "PERFORMANCE_HINT": "THROUGHPUT" if streams else "LATENCY",
        }
        with _COMPILING:
            self._compiled = core().compile_model(graph, "CPU", hints | _cpu_limits())
            _ENGINES.add(self)
        self._process = os.getpid()
        self._concurrency = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._outputs = len(self._compiled.outputs)
        self._idle: deque[Request] = deque()

    def run(self, batches: Iterable[Batch]) -> Iterator[Vectors]:
        """Yield float32 (len(batch), width) for each batch of up to `batch` images, in order.

        Several outputs of the graph are concatenated. As many batches run concurrently as suits the CPU; no more are
        taken from `batches`. Raises TellapartError in a process that was forked after compiling.
        """
        pending: deque[tuple[Request, int]] = deque()
        try:
            for batch in batches:
                if len(pending) == self._concurrency:
                    yield self._finish(*pending.popleft())
                request = self._borrow_request()
                request.start_async({0: self._pad(batch)})
                pending.append((request, len(batch)))
            while pending:
                yield self._finish(*pending.popleft())
        finally:  # if the caller stops early, no request is left running
            for request, _ in pending:
                if os.getpid() == self._process:
                    request.wait()
                self._idle.append(request)

    def _borrow_request(self) -> Request:
        self._require_own_process()
        try:
            return self._idle.popleft()  # atomic, unlike a check and then a pop
        except IndexError:
            return self._compiled.create_infer_request()

    def _require_own_process(self) -> None:
        if os.getpid() != self._process:  # its threads are in the other process: waiting for them would never end
            raise TellapartError(
                f"the classifier was compiled in process {self._process}, and this is process {os.getpid()}, forked "
                f"from it: start the prediction here"
            )

    def _finish(self, request: Request, count: int) -> Vectors:
        self._require_own_process()
        request.wait()
        outputs = [request.get_output_tensor(index).data[:count] for index in range(self._outputs)]
        result: Vectors = np.concatenate(outputs, axis=1, dtype=np.float32)  # a copy: the buffers are reused
        self._idle.append(request)
        return result

    def rate(self, batches: int = 4) -> float:
        """Measure images per second on noise, after a warm-up."""
        noise = np.random.default_rng(0).integers(0, 256, self._shape, dtype=np.uint8)
        _consume(self.run([noise] * self._concurrency))
        started = time.perf_counter()
        _consume(self.run([noise] * batches))
        return batches * self.batch / (time.perf_counter() - started)

    def _pad(self, batch: Batch) -> Batch:
        if len(batch) == self.batch:
            return np.ascontiguousarray(batch)
        full = np.zeros(self._shape, dtype=batch.dtype)
        if len(batch):
            full[: len(batch)] = batch
        return full


def _cpu_limits() -> dict[str, Any]:
    """Limit a worker to the number of cores assigned to it, unpinned.

    With pinning, all workers of a machine would share its first cores and leave the others idle.
    """
    threads = assigned_cores()
    return {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False} if threads else {}


def _consume(results: Iterator[Vectors]) -> None:
    deque(results, maxlen=0)


@cache
def core() -> Runtime:
    """Return the OpenVINO runtime, loaded once per process."""
    import openvino

    return openvino.Core()


_ENGINES: WeakSet[Engine] = WeakSet()
_COMPILING = threading.Lock()  # held while a thread compiles, and while a process forks: never both at once


def _before_fork() -> None:
    """End OpenVINO's idle threads, which are kept for later engines: a child would take them for alive, and wait."""
    _COMPILING.acquire()
    if core.cache_info().currsize:
        import openvino

        openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")  # a runtime that loads its plugin, and ends it


def _abandon_engines() -> None:
    """Leave the parent's runtime and engines in a child as they are: freeing them would wait for the parent's threads.

    The child loads a runtime of its own when it needs one.
    """
    if core.cache_info().currsize:
        for abandoned in (core(), *_ENGINES):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(abandoned))
        core.cache_clear()
        _exit_without_destructors()
    _COMPILING.release()


def _exit_without_destructors() -> None:
    """Let this process end after Python's own cleaning up, before OpenVINO's, which would wait for threads too."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # glibc; it is called with the exit status
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)


if sys.platform != "win32":
    os.register_at_fork(before=_before_fork, after_in_parent=_COMPILING.release, after_in_child=_abandon_engines)


def resolve_precision(precision: Precision) -> Literal["float32", "bfloat16"]:
    """Resolve `auto` to the precision that the CPU multiplies fastest, which is OpenVINO's default."""
    if precision == "auto":
        native = core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        return "bfloat16" if native == "bf16" else "float32"
    return precision


def read_graph(path: Path) -> Graph:
    """Read `model.xml`, with the weights in the `.bin` beside it. Raises RuntimeError."""
    try:
        return core().read_model(path)
    except UnicodeDecodeError as error:  # OpenVINO quotes undecodable bytes of the file
        raise RuntimeError(f"its text is not UTF-8 ({error.reason})") from error


def has_nan(graph: Graph) -> bool:
    """Return True if a weight is NaN: the graph is damaged."""
    floats = [op for op in graph.get_ops() if op.get_type_name() == "Constant" and op.get_element_type().is_real()]
    return any(np.isnan(op.data).any() for op in floats)


def last_line(error: RuntimeError) -> str:
    """Return the last line of an OpenVINO error; those before it name its own source files."""
    return ([line for line in str(error).splitlines() if line.strip()] or ["no reason is given"])[-1][:200].rstrip(".:")


def write_graph(graph: Graph, path: Path) -> None:
    """Write `model.xml` and `model.bin`, weights as they are (float32). Raises OSError when the disk is full."""
    import openvino

    try:
        openvino.save_model(graph, path, compress_to_fp16=False)
    except RuntimeError as error:  # on a full disk: "iostream error", and it may have removed the partial file
        weights = sum(node.get_byte_size() for node in graph.get_ops() if node.get_type_name() == "Constant")
        if shutil.disk_usage(path.parent).free < weights + MAX_XML_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
