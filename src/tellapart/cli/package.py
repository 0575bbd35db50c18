"""`tellapart package`."""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.bundle import Bundle
from tellapart.exporting.packaging import Kind
from tellapart.exporting.packaging import package as package_bundle


def package(
    bundle: Path,
    /,
    *,
    kind: Annotated[Kind, Parameter(name="--as")],
    out: Path | None = None,
    token: bool = True,
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = (),
) -> None:
    """Make a folder that serves a bundle: ready to be built as a container, or to be pushed as a Hugging Face Space.

    Parameters
    ----------
    bundle
        The bundle's folder.
    kind
        container: for docker build. space: with what a Hugging Face Space of the kind Docker needs besides.
    out
        The folder to write; <name>-container or <name>-space when left out.
    token
        Ask callers for the token in TELLAPART_TOKEN. --no-token lets everyone in, as a public Space does.
    allow_host
        A name by which the service may be called, besides localhost and addresses. Once for each.
    """
    opened = Bundle.open(bundle)
    folder = out or Path(f"{re.sub(r'[^A-Za-z0-9]+', '-', opened.name).strip('-') or 'classifier'}-{kind}")
    package_bundle(opened, kind, folder, token=token, hosts=allow_host)
    print(f"{folder}: its README.md says how it is {'pushed' if kind == 'space' else 'built and run'}")
