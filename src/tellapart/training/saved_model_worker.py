"""The process that reads a SavedModel folder for an import.

    python -P -m tellapart.training.saved_model_worker SETUP

SETUP is JSON: folder, into, memory_bytes, and `asked`, the arguments of `build_graph_classifier`. The graph is written
into the folder `into`; the answer on standard output is JSON, the fields of `ReadModel` or {"error", "message"}.
Little is imported before the network is left, since threads could not leave it.
"""

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

MAX_CPU_S = 600
CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000  # of Linux, sched.h


def main() -> None:
    """Read the folder that the command line names, and write the answer."""
    setup = json.loads(sys.argv[1])
    leave_network()
    answers = os.dup(1)
    os.dup2(2, 1)  # output that a library prints must not get into the answer
    os.write(answers, json.dumps(answer(setup)).encode())
    os._exit(0)  # a graph may leave threads that never end


def leave_network() -> None:
    """Go where there is no network, if the system allows it, and refuse sockets to Python everywhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET)  # where it is forbidden, the hook remains
    sys.addaudithook(refuse_sockets)


def refuse_sockets(event: str, _: tuple[object, ...]) -> None:
    """Refuse what Python audits as use of the network."""
    if event.startswith("socket."):
        raise PermissionError("a model that is imported has no network")


def answer(setup: dict[str, Any]) -> dict[str, Any]:
    """Read, try and write the graph; return the fields of `ReadModel`, or the error."""
    from tellapart.errors import TellapartError, first_line
    from tellapart.worker_process import limit_resources

    limit_resources(setup["memory_bytes"], MAX_CPU_S)
    try:
        return _read(Path(setup["folder"]), Path(setup["into"]), setup["asked"])
    except TellapartError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except Exception as error:  # OpenVINO and NumPy raise whatever a graph provokes
        reason = first_line(error)
        return {"error": "WeightsError", "message": f"OpenVINO cannot take over the SavedModel: {reason}"}


def _read(folder: Path, into: Path, asked: dict[str, Any]) -> dict[str, Any]:
    from tellapart.bundles.manifest import GRAPH
    from tellapart.data.preprocessing import Preprocessing
    from tellapart.engine import write_graph
    from tellapart.models.importing.saved_model import build_graph_classifier
    from tellapart.training.import_model import precision_of_graph

    read = build_graph_classifier(folder, **asked)
    precision = precision_of_graph(read.graph, Preprocessing(*read.shape))
    write_graph(read.graph, into / GRAPH)
    return {
        "shape": read.shape,
        "scaling": read.scaling,
        "precision": precision,
        "ending": read.ending,
        "scaled": read.scaled,
    }


if __name__ == "__main__":
    main()
