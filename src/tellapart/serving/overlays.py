"""Rendering of explanations for the page: a saliency map over the photo, as a data: URL."""

import asyncio
import base64
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tellapart.bundles.bundle import Bundle
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import to_image
from tellapart.explaining.explanation import Explainer, default_explainer
from tellapart.explaining.overlay import overlay_on_photo

PNG_COMPRESSION = 1  # fast: an overlay is sent and viewed once


class OverlayRenderer:
    """Renderer of explanations, one at a time, apart from predictions. Lives as long as the service.

    The explainer, which has engines of its own, is created for the first request.
    """

    def __init__(self, make: Callable[[], Explainer]) -> None:
        self._make = make
        self._explainer: Explainer | None = None
        self._thread = ThreadPoolExecutor(1, "explaining")

    async def __call__(self, image: ImageArray, photo: ImageArray, label: str) -> dict[str, str]:
        """Explain a label. Returns `{"overlay", "method"}`: a PNG as a data: URL, and the explanation method.

        `image` is the preprocessed image, `photo` the whole one.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._render, image, photo, label)

    def close(self) -> None:
        """Wait for the running explanation and stop the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _render(self, image: ImageArray, photo: ImageArray, label: str) -> dict[str, str]:
        if self._explainer is None:
            self._explainer = self._make()
        explanation = self._explainer.explain(image, label=label, check=False)
        overlay = overlay_on_photo(photo, explanation.heat, self._explainer.bundle.preprocessing)
        return {"overlay": _data_url(overlay), "method": explanation.method}


def overlay_renderer(bundle: object) -> OverlayRenderer | None:
    """Return the renderer of a bundle; None for a classifier that is not a bundle."""
    return OverlayRenderer(lambda: default_explainer(bundle)) if isinstance(bundle, Bundle) else None


def _data_url(image: ImageArray) -> str:
    stream = io.BytesIO()
    to_image(image).save(stream, "PNG", compress_level=PNG_COMPRESSION)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
