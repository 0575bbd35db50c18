"""Send an image to a running service, with nothing but Python's standard library.

    tellapart serve runs/digits/bundle        # in another terminal; it prints its address
    python examples/service_client.py http://127.0.0.1:8000 photo.png

Prints the predicted class and its probability.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path


def main(address: str, image: Path) -> None:
    """POST the bytes of an image to /v1/predict, and print the predicted class."""
    headers = {"Content-Type": "application/octet-stream"}
    if token := os.environ.get("TELLAPART_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{address}/v1/predict", data=image.read_bytes(), headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  the address is given by the user
        (answer,) = json.load(response)["answers"]
    print(f"{image}: {answer['label']} {answer['probability']:.1%}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
