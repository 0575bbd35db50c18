"""`tellapart serve`."""

from pathlib import Path

from tellapart.bundles.predictor import Predictor
from tellapart.serving.server import serve as serve_predictor


def serve(bundle: Path, /, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Answer over HTTP: POST /predict, GET /health, and a page at /.

    Parameters
    ----------
    bundle
        The bundle's folder.
    host
        The address to listen on. Anything but 127.0.0.1 lets others in.
    port
        The port to listen on.
    """
    serve_predictor(Predictor(bundle), host=host, port=port)
