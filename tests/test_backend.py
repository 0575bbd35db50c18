"""Loading Keras freezes its modules, so that no later garbage collection scans them."""

import subprocess
import sys

CODE = """
import gc
from tellapart.backend import load_keras
load_keras()
print(gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_garbage_collection_does_not_scan_keras_again() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120)
    enabled, frozen, tracked = done.stdout.split()
    assert enabled == "True"
    assert int(frozen) > 100_000 > 10 * int(tracked)
