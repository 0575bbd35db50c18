"""Why an image is taken for a label, drawn over it for the page."""

import asyncio
import base64
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tellapart.bundles.bundle import Bundle
from tellapart.data.image import ImageArray
from tellapart.data.preprocessing import to_image
from tellapart.explaining.explanation import Explainer, default_explainer
from tellapart.explaining.overlay import overlay_on_photo

QUICK = 1  # PNG's own scale of effort: an overlay is looked at once


class Overlays:
    """Draws explanations, one at a time, apart from predictions. Lives as long as the service.

    The explainer is made for the first that asks: it holds engines of its own.
    """

    def __init__(self, make: Callable[[], Explainer]) -> None:
        self._make = make
        self._explainer: Explainer | None = None
        self._thread = ThreadPoolExecutor(1, "explaining")

    async def __call__(self, fitted: ImageArray, photo: ImageArray, label: str) -> dict[str, str]:
        """Give `{"overlay", "method"}`: a PNG as a data: address, and by which method it was made.

        `fitted` is the image as the classifier takes it, `photo` the whole of it.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._drawn, fitted, photo, label)

    def close(self) -> None:
        """End the thread when it has done what it is at."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _drawn(self, fitted: ImageArray, photo: ImageArray, label: str) -> dict[str, str]:
        if self._explainer is None:
            self._explainer = self._make()
        found = self._explainer.explain(fitted, label=label, check=False)
        drawn = overlay_on_photo(photo, found.heat, self._explainer.bundle.preprocessing)
        return {"overlay": _address(drawn), "method": found.method}


def overlays_of(bundle: object) -> Overlays | None:
    """What draws explanations for a bundle; None for a classifier that is none."""
    return Overlays(lambda: default_explainer(bundle)) if isinstance(bundle, Bundle) else None


def _address(image: ImageArray) -> str:
    stream = io.BytesIO()
    to_image(image).save(stream, "PNG", compress_level=QUICK)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
