"""Import of a SavedModel folder: read in a process of its own, without network, within limits."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.image_size import Size
from tellapart.engine import Precision
from tellapart.errors import BundleError, RecipeError, StorageError, WeightsError
from tellapart.models.catalogue import Scaling
from tellapart.worker_process import worker_command, worker_environment

MAX_WALL_S = 600
BASE_BYTES, BYTES_PER_FILE_BYTE = 3_000_000_000, 8
ERRORS = {kind.__name__: kind for kind in (BundleError, RecipeError, StorageError, WeightsError)}


@dataclass(frozen=True)
class ReadModel:
    """Findings of the process: the shape of the images, the scaling that is used, and sentences about both ends."""

    shape: tuple[int, int, int]
    scaling: Scaling
    precision: Precision
    ending: str
    scaled: str | None


def read_saved_model(
    folder: Path, into: Path, *, scaling: Scaling, classes: int, size: Size | None, named: bool, twice: bool
) -> ReadModel:
    """Let a process read a SavedModel folder, try it on synthetic images and write its graph into a folder.

    Raises what `build_graph_classifier` raises, and WeightsError when the process exceeds its limits.
    """
    memory = BASE_BYTES + BYTES_PER_FILE_BYTE * sum(path.stat().st_size for path in folder.rglob("*"))
    asked = {"scaling": scaling, "classes": classes, "size": size, "named": named, "twice": twice}
    setup = {"folder": str(folder.absolute()), "into": str(into.absolute()), "memory_bytes": memory, "asked": asked}
    try:
        done = subprocess.run(
            worker_command("tellapart.training.saved_model_worker", setup),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=worker_environment(),
            timeout=MAX_WALL_S,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"OpenVINO takes more than {MAX_WALL_S} s to read it") from error
    except ValueError as error:  # it was killed before it could answer
        raise WeightsError(
            f"reading it crashed OpenVINO, or took more than {memory / 1e9:.0f} GB of memory (status {done.returncode})"
        ) from error
    if "error" in answer:
        raise ERRORS.get(answer["error"], WeightsError)(answer["message"])
    return ReadModel(**{**answer, "shape": tuple(answer["shape"])})
