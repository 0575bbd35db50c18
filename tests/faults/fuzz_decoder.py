"""The decoder under atheris, which follows where in our Python and Pillow's each file led. By hand: it knows no end.

pip install atheris
python -m tests.faults.fuzz_decoder CORPUS -max_total_time=600 -timeout=5 -rss_limit_mb=1000
"""

import importlib
import sys
from pathlib import Path

LARGEST = 20_000  # bytes of a file to begin with

if __name__ == "__main__":
    atheris = importlib.import_module("atheris")  # it has no types
    with atheris.instrument_imports(include=["PIL", "tellapart.data"]):
        for plugin in ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Avif", "Tiff", "Mpo", "Jpeg2K", "Ppm"):
            importlib.import_module(f"PIL.{plugin}ImagePlugin")
        from tellapart.data.decoding.decode import decode
        from tellapart.data.decoding.decode_limits import Limits
    from tellapart.errors import ImageError

    from .hostile import REFUSED, TAKEN

    def one(content: bytes) -> None:
        """Decode, or refuse; whatever else happens is a finding."""
        try:
            decode(content, limits=Limits(pixels=4_000_000))
        except ImageError:
            return

    corpus = Path(sys.argv[1])
    corpus.mkdir(exist_ok=True)
    for number, (make, _) in enumerate({**REFUSED, **TAKEN}.values()):
        if len(content := make()) < LARGEST:
            (corpus / f"seed-{number}").write_bytes(content)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
