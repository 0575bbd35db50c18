"""Images with soft shapes, each unlike all others, as files."""

import io

import numpy as np
from PIL import Image


def scene(seed: int, width: int = 200, height: int = 160) -> Image.Image:
    """Draw soft blobs of random colours."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Write an image to bytes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
