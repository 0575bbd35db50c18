"""What is brought in stays: no later garbage collection looks through it."""

import subprocess
import sys

WAY = """
import gc
from tellapart.backend import load_keras
load_keras()
print(gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_what_keras_brings_is_not_looked_through_for_garbage_again() -> None:
    done = subprocess.run([sys.executable, "-c", WAY], capture_output=True, text=True, check=True, timeout=120)
    enabled, frozen, left = done.stdout.split()
    assert enabled == "True"
    assert int(frozen) > 100_000 > 10 * int(left)
