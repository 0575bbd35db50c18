"""The process that runs a bundle for the first time on a machine.

    python -P -m tellapart.bundles.sandbox_worker SETUP

SETUP is JSON: folder, memory_bytes, cpu_s. The bundle is read only after a byte on standard input. The answer on
standard output is JSON: null for a sound bundle, else the kind of error and its message.
"""

import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.engine import core, last_line
from tellapart.errors import BundleError, TellapartError, first_line
from tellapart.worker_process import limit_resources

IMAGES = 2  # one alone would not show an answer that ignores the batch
TOLERANCE = 0.04  # of probabilities and their sum: bfloat16 rounds each of them to 3 digits
ADVICE = "get the bundle again from its maker"


def main() -> None:
    """Check the bundle that the command line names, and write the answer."""
    setup = json.loads(sys.argv[1])
    core()  # while the other process still hashes files
    limit_resources(setup["memory_bytes"], setup["cpu_s"])
    os.read(0, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = json.dumps(problem(Path(setup["folder"])))
    os.write(1, answer.encode())
    os._exit(0)  # a graph may leave threads that never end


def problem(folder: Path) -> dict[str, str] | None:
    """Run a bundle once on noise; return what is wrong with it, None if nothing is."""
    try:
        run_once(Bundle.open(folder))
    except TellapartError as error:
        return {"kind": type(error).__name__, "message": str(error)}
    except MemoryError:
        return _refused(folder, "takes too much memory")
    except Exception as error:  # OpenVINO and NumPy raise whatever a graph provokes
        reason = last_line(error) if isinstance(error, RuntimeError) else first_line(error)
        if "alloc" in reason:  # std::bad_alloc, Failed to allocate
            return _refused(folder, "takes too much memory")
        return _refused(folder, f"cannot be run ({reason})")
    return None


def run_once(bundle: Bundle) -> None:
    """Run a bundle on two images of noise. Raises BundleError unless its answers are probabilities."""
    bundle.require_matching_graph()
    geometry = bundle.preprocessing
    has_score = bundle.reject is not None and bundle.reject.strangeness is not None
    runner = compile_bundle(bundle, batch=IMAGES, ood_score=has_score)
    shape = (IMAGES, geometry.height, geometry.width, geometry.channels)
    (rows,) = runner.run([np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)])
    require_probabilities(rows, bundle, columns=len(bundle.classes) + has_score)


def require_probabilities(rows: NDArray[np.float32], bundle: Bundle, *, columns: int) -> None:
    """Check what a bundle answered: a row for each image, its probabilities and then its OOD score, if it has one."""
    if rows.shape != (IMAGES, columns):
        raise BundleError(
            f"the graph of {bundle.folder} answers {IMAGES} images with numbers of shape {rows.shape}, expected "
            f"({IMAGES}, {columns}): {ADVICE}"
        )
    probs = rows[:, : len(bundle.classes)]
    low, high, total = float(probs.min()), float(probs.max()), float(probs[0].sum())
    inside = -TOLERANCE <= low <= high <= 1 + TOLERANCE  # false for NaN
    if not (np.isfinite(rows).all() and inside and (np.abs(probs.sum(axis=1) - 1) <= TOLERANCE).all()):
        raise BundleError(
            f"the graph of {bundle.folder} answers noise with numbers from {low:.3g} to {high:.3g} that add up to "
            f"{total:.3g}; expected probabilities, which add up to 1: {ADVICE}"
        )


def _refused(folder: Path, reason: str) -> dict[str, str]:
    message = f"{folder} is not used, since its graph {reason}: {ADVICE}"
    return {"kind": BundleError.__name__, "message": message}


def _end_with_parent() -> None:
    os.read(0, 1)  # returns when the other end is closed
    os._exit(1)


if __name__ == "__main__":
    main()
