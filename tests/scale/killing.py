"""Work that kills its worker, once."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def killing(begin: Callable[[], Callable[[In], Out]], once: Path, *, job: int) -> Callable[[], Callable[[In], Out]]:
    """The same work, but the first worker that has done so many jobs is killed before it gives the last one's result.

    The file `once` says that it has happened.
    """

    def begun() -> Callable[[In], Out]:
        work, count = begin(), 0

        def killed(item: In) -> Out:
            nonlocal count
            count += 1
            result = work(item)
            if count == job and not once.exists():
                once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return killed

    return begun
