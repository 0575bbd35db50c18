"""`tellapart package`."""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tellapart.bundles.bundle import Bundle
from tellapart.exporting.packaging import BASE_IMAGE, Kind
from tellapart.exporting.packaging import package as package_bundle


def package(
    bundle: Path,
    /,
    *,
    kind: Annotated[Kind, Parameter(name="--as")],
    out: Path | None = None,
    token: bool = True,
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    base_image: str = BASE_IMAGE,
) -> None:
    """Make a folder that serves a bundle: to build a container from, or to push as a Hugging Face Space.

        tellapart package runs/photos/bundle --as container

    Parameters
    ----------
    bundle
        Folder of the bundle.
    kind
        container: for docker build. space: the same, with what a Hugging Face Space of the kind Docker needs.
    out
        The folder to write. Default: <name>-container or <name>-space.
    token
        Require callers to send the token in TELLAPART_TOKEN. --no-token admits everyone, as a public Space does.
    allow_host
        A host name of the service, besides localhost and IP addresses. Once for each.
    base_image
        The image to build on, pinned by its digest, such as python:3.12-slim@sha256:... or a copy of it elsewhere. The
        default is named by its tag, which changes.
    """
    opened = Bundle.open(bundle)
    folder = out or Path(f"{re.sub(r'[^A-Za-z0-9]+', '-', opened.name).strip('-') or 'classifier'}-{kind}")
    package_bundle(opened, kind, folder, token=token, hosts=allow_host, base_image=base_image)
    print(f"{folder}: its README.md says how to {'push it' if kind == 'space' else 'build and run it'}")
