"""A load generator: images over HTTP at a fixed rate, or as fast as so many callers at once get answers.

    python benchmarks/load.py ADDRESS PHOTOS --rate 100 --seconds 10
    python benchmarks/load.py ADDRESS PHOTOS --callers 16 --seconds 10

prints one line of JSON. At a fixed rate a request's time counts from when it was due, so that a slow service cannot
hide by slowing the generator down. `cpu` is what the generator itself used of one core.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 30.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass
class Tally:
    """What came back: seconds of each answer by status, and what went wrong."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    without_retry: int = 0

    def told(self, wall: float) -> dict[str, Any]:
        """The figures."""
        good, busy = self.seconds.get(200, []), self.seconds.get(503, []) + self.seconds.get(429, [])
        return {
            "good_per_s": len(good) / wall,
            "good_p50_ms": 1e3 * percentile(good, 0.5),
            "good_p99_ms": 1e3 * percentile(good, 0.99),
            "busy_per_s": len(busy) / wall,
            "busy_p99_ms": 1e3 * percentile(busy, 0.99),
            "busy_without_retry_after": self.without_retry,
            "other_statuses": {status: len(some) for status, some in self.seconds.items() if status not in (200, 503)},
            "errors": dict(self.errors),
            "cpu": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) / wall,
        }


class Caller:
    """Connections to a service, used again where it lets them live. For one event loop."""

    def __init__(self, address: str, path: str, photos: Sequence[bytes]) -> None:
        split = urlsplit(address)
        self._host, self._port = split.hostname, split.port
        head = f"POST {path} HTTP/1.1\r\nHost: {split.netloc}\r\nContent-Type: image/jpeg\r\nContent-Length: "
        self._requests = [f"{head}{len(photo)}\r\n\r\n".encode() + photo for photo in photos]
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self.tally = Tally()

    async def ask(self, number: int, due: float) -> None:
        """Send the photo of that number, and note what became of it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                status = await self._asked(self._requests[number % len(self._requests)])
            self.tally.seconds.setdefault(status, []).append(time.perf_counter() - due)
        except (OSError, EOFError, TimeoutError) as error:
            self.tally.errors[type(error).__name__] += 1

    async def _asked(self, request: bytes) -> int:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        except BaseException:
            writer.transport.abort()
            raise
        status = int(head[9:12])
        self.tally.without_retry += status in (429, 503) and b"\r\nretry-after: " not in head
        if b"\r\nconnection: close" in head:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return status

    def close(self) -> None:
        """Close what is open."""
        for _, writer in self._idle:
            writer.close()


async def at_rate(caller: Caller, rate: float, seconds: float) -> float:
    """Send `rate` requests a second whatever comes back; give the seconds until the last was due."""
    asked: set[asyncio.Task[None]] = set()
    begun = time.perf_counter()
    for number in range(round(rate * seconds)):
        due = begun + number / rate
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        task = asyncio.ensure_future(caller.ask(number, due))
        asked.add(task)
        task.add_done_callback(asked.discard)
    sending = time.perf_counter() - begun
    await asyncio.gather(*asked)
    return max(sending, seconds)


async def at_once(caller: Caller, callers: int, seconds: float) -> float:
    """Let so many callers ask, each again as soon as it has its answer; give the seconds it took."""
    begun = time.perf_counter()

    async def ask_on(number: int) -> None:
        while (now := time.perf_counter()) < begun + seconds:
            await caller.ask(number, now)
            number += callers

    await asyncio.gather(*(ask_on(number) for number in range(callers)))
    return time.perf_counter() - begun


async def loaded(address: str, path: str, photos: Sequence[bytes], work: Callable[[Caller], Any]) -> dict[str, Any]:
    """Do the work with a caller and give the figures."""
    caller = Caller(address, path, photos)
    wall = await work(caller)
    caller.close()
    return caller.tally.told(wall)


def photos_of(folder: Path, count: int) -> list[bytes]:
    """The bytes of the first JPEG files below a folder."""
    found = sorted(folder.rglob("*.jpg"))[:count]
    return [file.read_bytes() for file in found] or sys.exit(f"there is no .jpg file below {folder}")


def main() -> None:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--path", default="/v1/predict")
    parser.add_argument("--count", type=int, default=200, help="distinct photos")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--callers", type=int, default=16)
    options = parser.parse_args()

    async def work(caller: Caller) -> float:
        if options.rate:
            return await at_rate(caller, options.rate, options.seconds)
        return await at_once(caller, options.callers, options.seconds)

    photos = photos_of(options.photos, options.count)
    print(json.dumps(asyncio.run(loaded(options.address, options.path, photos, work))))


if __name__ == "__main__":
    main()
