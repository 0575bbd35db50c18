"""Ways in which programs spread work over processes: `python forking.py WAY BUNDLE IMAGE` prints what each answers."""

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable

from tellapart import Predictor
from tellapart.errors import TellapartError

MANY = 40  # images: also an engine for batches runs, with threads of its own


def label(predictor: Predictor, image: str) -> str:
    """Predict one image and many; returns the class."""
    labels = {answer.as_json()["label"] for answer in predictor.predict([image] * MANY)}
    labels |= {answer.as_json()["label"] for answer in predictor.predict(image)}
    return ", ".join(sorted(labels))


def pool(method: str, predictor: Predictor, image: str) -> str:
    """Predict in a pool, whose tasks have the predictor as an argument."""
    with multiprocessing.get_context(method).Pool(2) as processes:
        return ", ".join({*processes.starmap(label, [(predictor, image)] * 4)})


def child(work: Callable[[], str]) -> str:
    """Work in a forked process that exits as Python does; returns what it returns, and its exit status."""
    reading, writing = os.pipe()
    if not (process := os.fork()):
        os.write(writing, work().encode())
        sys.exit(7)
    os.close(writing)
    with os.fdopen(reading) as result:
        return f"{result.read()} {os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}"


def preload(predictor: Predictor, image: str) -> str:
    """Fork servers that answer in threads, as gunicorn --preload does, one from another, after engines were freed."""
    another = Predictor(predictor.bundle)
    label(another, image)
    del another
    gc.collect()

    def serve() -> str:
        labels: list[str] = []
        threads = [threading.Thread(target=lambda: labels.append(label(predictor, image))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return ", ".join({*labels})

    return child(lambda: serve() + " " + child(serve)) + " " + label(predictor, image)


def busy(predictor: Predictor, image: str) -> str:
    """Fork while other threads predict."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            label(predictor, image)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    results = {child(lambda: label(predictor, image)) for _ in range(3)}
    ended.set()
    for thread in threads:
        thread.join()
    return ", ".join(results)


def midway(predictor: Predictor, image: str) -> str:
    """Fork in the middle of a prediction, which the child cannot continue."""
    answers = predictor.predict([image] * 100)
    next(answers)

    def go_on() -> str:
        try:
            return f"{len(list(answers))} answers"
        except TellapartError as error:
            return "refused" if "forked" in str(error) else str(error)

    return f"{child(go_on)} {len(list(answers))}"


if __name__ == "__main__":
    way, bundle, image = sys.argv[1:]
    predictor = Predictor(bundle)
    label(predictor, image)
    ways = {"preload": preload, "busy": busy, "midway": midway}
    sys.stdout.write(ways[way](predictor, image) if way in ways else pool(way, predictor, image))
