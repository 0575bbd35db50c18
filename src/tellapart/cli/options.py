"""Options that several commands share, and the groups in which `--help` lists options."""

from typing import Annotated

from cyclopts import Group, Parameter

from tellapart.data.dataset import ReadOptions

COMMON = Group("Common options", sort_key=1)
OPTIONS = Group("Options", sort_key=2)
"""Those of a command without other groups."""
DATA = Group("Data", sort_key=3)
MODEL = Group("Model", sort_key=4)
TRAINING = Group("Training", sort_key=5)
FINE_TUNING = Group("Fine-tuning", sort_key=6)
BUDGET = Group("Budget", sort_key=7)
CLUSTER = Group("Cluster", sort_key=8)
OUTPUT = Group("Output", sort_key=9)

ReadAs = Annotated[ReadOptions, Parameter(name="*", group=DATA)]
READ_DEFAULTS = ReadOptions()
On = Annotated[
    str | None,
    Parameter(
        group=CLUSTER,
        help="Run on a Ray cluster: ray starts or joins one, ray://HOST:PORT names one. The result is the same.",
    ),
]
Workers = Annotated[
    int | None, Parameter(group=CLUSTER, help="With --on: how many of the cluster's cores to use; all by default.")
]
Json = Annotated[
    bool,
    Parameter(
        name="--json",
        group=OUTPUT,
        help="Print one JSON object instead of text; docs/json.md lists its fields.",
    ),
]
