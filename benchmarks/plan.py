"""A year of very many images a day: cores, memory, storage and cost, with the arithmetic of each line.

    python benchmarks/plan.py --rate 50 --worker-mb 466 --driver-mb 196 --image-kb 90 --row-bytes 40

Those five are measured: `cluster.py` prints them all. The others are choices and have a default; the prices are
examples and no offer. GB are 10^9 bytes, a month is a twelfth of a year.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

DAYS, DAY_S, HOUR_S = 365, 86_400, 3_600


@dataclass(frozen=True)
class Given:
    """What is measured, and what is chosen."""

    rate: float
    """Images a second of one core, measured."""
    worker_mb: float
    """Peak memory of a worker, measured."""
    driver_mb: float
    """Peak memory of the process that hands the work out, measured."""
    image_kb: float
    """Mean size of an image's file, measured."""
    row_bytes: float
    """A row of the .parquet file, measured."""
    per_day: int = 1_000_000
    peak: float = 4.0
    """The busiest hour, as a multiple of the mean one."""
    busy: float = 0.7
    """How much of a core is planned for: queues grow without end as this comes near 1."""
    cores: int = 4
    """Of one machine."""
    spare: int = 1
    """Machines that may be down in the busiest hour."""
    ray_mb: float = 700.0
    """What Ray's own processes hold on a machine."""
    copies: int = 2
    """Of each image and answer that is kept."""
    kept_days: int = DAYS
    """How long an image is kept. Answers are kept for the whole year."""
    outage_hours: float = 24.0
    """How long everything may be down."""
    core_hour: float = 0.04
    """Price of a core for an hour: an example."""
    gb_month: float = 0.02
    """Price of a GB for a month: an example."""


Line = tuple[str, str, str]
"""What it is, how it is computed, and what comes out."""


def main() -> None:
    """Print the plan."""
    given = _given()
    plan = {part.__name__: list(part(given)) for part in (work, memory, storage, cost, trouble)}
    first, second = (max(len(line[i]) for lines in plan.values() for line in lines) for i in (0, 1))
    for name, lines in plan.items():
        print(name)
        for what, how, result in lines:
            print(f"  {what:<{first}}  {how:<{second}}  = {result}")


def work(given: Given) -> Iterator[Line]:
    """From images a day to machines."""
    mean = given.per_day / DAY_S
    yield "mean", f"{given.per_day:,} a day / {DAY_S:,} s", f"{mean:.1f} a second"
    yield "busiest hour", f"{mean:.1f} x {given.peak:g}", f"{mean * given.peak:.1f} a second"
    yield "a core", f"{given.rate:g} a second x {given.busy:g}", f"{given.rate * given.busy:.1f} a second"
    needed = cores_needed(given)
    how = f"{mean * given.peak:.1f} / {given.rate * given.busy:.1f}, rounded up"
    yield "cores", how, f"{needed}"
    how = f"{needed} / {given.cores}, rounded up, and {given.spare} to spare"
    yield "machines", how, f"{machines(given)} of {given.cores} cores"


def memory(given: Given) -> Iterator[Line]:
    """Of a machine whose cores are all workers, and that hands the work out besides."""
    yield "workers", f"{given.cores} x {given.worker_mb:g} MB", f"{given.cores * given.worker_mb:,.0f} MB"
    total = given.cores * given.worker_mb + given.driver_mb + given.ray_mb
    how = f"workers + {given.driver_mb:g} MB + {given.ray_mb:g} MB of Ray's own"
    yield "a machine", how, f"{total / 1e3:.1f} GB"


def storage(given: Given) -> Iterator[Line]:
    """At the end of the year."""
    kept = given.per_day * given.kept_days
    how = f"{given.per_day:,} x {given.kept_days} days x {given.image_kb:g} kB x {given.copies} copies"
    yield "images", how, f"{images_gb(given):,.0f} GB, {kept / 1e6:,.0f} million files"
    how = f"{given.per_day:,} x {DAYS} days x {given.row_bytes:g} bytes x {given.copies} copies"
    yield "answers", how, f"{answers_gb(given):,.1f} GB"
    yield "one day's answers", f"{given.per_day:,} x {given.row_bytes:g} bytes", f"{_day_mb(given):,.0f} MB"


def cost(given: Given) -> Iterator[Line]:
    """In the unit of the two prices."""
    hours = machines(given) * given.cores * DAYS * 24
    computing = hours * given.core_hour
    how = f"{machines(given) * given.cores} cores x {DAYS * 24:,} h x {given.core_hour:g}"
    yield "computing, always on", how, f"{computing:,.0f}"
    used = given.per_day * DAYS / given.rate / HOUR_S
    how = f"{given.per_day * DAYS:,} / {given.rate:g} / {HOUR_S:,} s x {given.core_hour:g}"
    yield "computing, while at work", how, f"{used * given.core_hour:,.0f} for {used:,.0f} core-hours"
    # It grows evenly until the first image is old enough to go; the mean over the year is what is paid for.
    share = 1 - given.kept_days / DAYS / 2
    held = images_gb(given) * share + answers_gb(given) / 2
    how = f"({images_gb(given):,.0f} x {share:g} + {answers_gb(given):,.1f} / 2) GB x 12 months x {given.gb_month:g}"
    yield "storage", how, f"{held * 12 * given.gb_month:,.0f}"
    how = f"{computing:,.0f} + {held * 12 * given.gb_month:,.0f}"
    yield "in all, always on", how, f"{computing + held * 12 * given.gb_month:,.0f}"


def trouble(given: Given) -> Iterator[Line]:
    """What has to be made up for, with every machine at work."""
    capacity, mean = machines(given) * given.cores * given.rate * given.busy, given.per_day / DAY_S
    lost = given.per_day * given.outage_hours / 24
    back = lost / (capacity - mean) / HOUR_S
    how = f"{machines(given) * given.cores} cores x {given.rate:g} x {given.busy:g}"
    yield "all machines", how, f"{capacity:.0f} a second"
    how = f"{capacity:.0f} x {given.image_kb:g} kB"
    yield "read from storage then", how, f"{capacity * given.image_kb / 1e3:.0f} MB a second"
    how = f"{lost:,.0f} / ({capacity:.0f} - {mean:.1f}) a second"
    yield f"after {given.outage_hours:g} hours down", how, f"{back:.1f} hours until all is answered"
    days = given.per_day * DAYS / capacity / DAY_S
    yield "a new bundle for the year", f"{given.per_day * DAYS:,} / {capacity:.0f} a second", f"{days:.1f} days"


def cores_needed(given: Given) -> int:
    """Cores for the busiest hour."""
    return math.ceil(given.per_day / DAY_S * given.peak / (given.rate * given.busy))


def machines(given: Given) -> int:
    """Machines with those cores, and the spare ones."""
    return math.ceil(cores_needed(given) / given.cores) + given.spare


def images_gb(given: Given) -> float:
    """All images that are kept at the end of the year."""
    return given.per_day * given.kept_days * given.image_kb * 1e3 * given.copies / 1e9


def answers_gb(given: Given) -> float:
    """All answers at the end of the year."""
    return given.per_day * DAYS * given.row_bytes * given.copies / 1e9


def _day_mb(given: Given) -> float:
    return given.per_day * given.row_bytes / 1e6


def _given() -> Given:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Given):
        name, chosen = f"--{field.name.replace('_', '-')}", isinstance(field.default, int | float)
        kind = type(field.default) if chosen else float
        parser.add_argument(name, type=kind, required=not chosen, default=field.default if chosen else None)
    return Given(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
