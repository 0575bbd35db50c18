"""Figures as PNG files, drawn by an installed Chromium or Chrome without network access."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tellapart.errors import MissingPackageError, TellapartError, require
from tellapart.files import atomic_write, storage_errors
from tellapart.judging.evaluation import Evaluation
from tellapart.reports import figures
from tellapart.reports.figures.theme import HEIGHT, Figure

VARIABLE = "TELLAPART_CHROMIUM"
BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)  # fmt: skip
WIDTH, PIXEL_RATIO = 900, 2  # pixels on a page, and pixels of a file for each of them
START_SECONDS, FIGURE_SECONDS = 60, 10
FLAGS = (
    "--headless", "--dump-dom", "--disable-gpu", "--mute-audio", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=60000",
)  # fmt: skip
PAGE = """<!doctype html><meta charset="utf-8"><script>{plotly}</script><body><script>
const jobs = {jobs};
const show = result => {{ document.documentElement.textContent = result; }};
(async () => {{
  const urls = [];
  for (const {{figure, size}} of jobs) urls.push(await Plotly.toImage(figure, {{format: "png", ...size}}));
  return "drawn:" + urls.join(" ");
}})().then(show, show);
</script></body>"""
DOCUMENT_TEXT = re.compile(r"<html[^>]*>([^<]*)")


def write_png(figure: Figure, path: Path, *, width: int = WIDTH, height: int | None = None, scale: float = 1) -> Path:
    """Draw a figure of `width` by `height` pixels, or its own height, times `scale`. Returns the path.

    Raises MissingPackageError without a Chromium, and StorageError where the file cannot be written.
    """
    (content,) = _draw_pngs([figure], width=width, height=height, scale=scale)
    atomic_write(path, content)
    return path


def write_figures(
    evaluation: Evaluation, folder: Path, *, split: str = "", threshold: float | None = None
) -> list[Path]:
    """Draw all figures of an evaluation into a folder, 1,800 pixels wide. Returns their paths.

    `split` is a prefix of each file's name and title, so that figures of two splits cannot be mixed up; `threshold` is
    the confidence below which the bundle declines, if it does. Raises as `write_png`.
    """
    drawings = _figures(evaluation, threshold)
    if split:
        for figure in drawings.values():
            figure.layout.title.text = f"{split.capitalize()}: {figure.layout.title.text}"
    contents = _draw_pngs(list(drawings.values()), width=WIDTH, height=None, scale=PIXEL_RATIO)
    paths = [folder / f"{split}{'-' if split else ''}{name}.png" for name in drawings]
    for path, content in zip(paths, contents, strict=True):
        atomic_write(path, content)
    return paths


def _figures(evaluation: Evaluation, threshold: float | None) -> Mapping[str, Figure]:
    """Make the figures that are defined: with images of a single class there are no ROC and no PR curves."""
    always = {
        "confusion": figures.confusion(evaluation),
        "confusion-percent": figures.confusion(evaluation, normalised=True),
        "per-class": figures.per_class(evaluation),
        "reliability": figures.reliability(evaluation),
        "coverage": figures.coverage(evaluation, threshold=threshold),
    }
    if (evaluation.labels == evaluation.labels[0]).all():
        return always
    return always | {
        "roc": figures.roc(evaluation),
        "precision-recall": figures.precision_recall(evaluation),
    }


def _draw_pngs(drawings: Sequence[Figure], *, width: int, height: int | None, scale: float) -> list[bytes]:
    """Draw each figure as a PNG file."""
    chromium = _find_chromium()
    jobs = [
        _job(figure, {"width": width, "height": height or figure.layout.height or HEIGHT, "scale": scale})
        for figure in drawings
    ]
    with tempfile.TemporaryDirectory(prefix="tellapart-", ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "figures.html"
        with storage_errors(page):
            page.write_text(_page(jobs), encoding="utf-8")
        urls = _run_browser(chromium, page, seconds=START_SECONDS + FIGURE_SECONDS * len(drawings))
    return [base64.b64decode(url.partition(",")[2]) for url in urls.split()]


def _job(figure: Figure, size: Mapping[str, float]) -> str:
    return f'{{"figure": {figure.to_json()}, "size": {json.dumps(size)}}}'.replace("<", "\\u003c")


def _page(jobs: Sequence[str]) -> str:
    plotly = require("plotly.offline", extra="train").get_plotlyjs()
    return PAGE.format(plotly=plotly, jobs=f"[{', '.join(jobs)}]")


def _run_browser(chromium: str, page: Path, *, seconds: float) -> str:
    """Open the page in the browser; returns the data URIs that it drew. Raises TellapartError."""
    # Chromium refuses to start as root unless its sandbox is switched off.
    root_flags = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [chromium, *FLAGS, *root_flags, f"--user-data-dir={page.parent / 'profile'}", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TellapartError(_failure(chromium, str(error))) from error
    document = DOCUMENT_TEXT.search(done.stdout.decode(errors="replace"))
    output = document[1] if document else done.stderr.decode(errors="replace").strip()
    if not output.startswith("drawn:"):
        raise TellapartError(_failure(chromium, output[-300:] or f"exit status {done.returncode}"))
    return output.removeprefix("drawn:")


def _failure(chromium: str, reason: str) -> str:
    return (
        f"{chromium} did not draw the figure ({reason}): check that it starts, or set {VARIABLE} to the "
        "path of another Chromium or Chrome"
    )


def require_chromium() -> None:
    """Raise MissingPackageError unless there is a browser to draw with."""
    _find_chromium()


def _find_chromium() -> str:
    """Find a browser that can draw figures. Raises MissingPackageError."""
    configured = os.environ.get(VARIABLE)
    browser = next(filter(None, map(shutil.which, [configured] if configured else BROWSERS)), None)
    if browser is None:
        reason = f"{VARIABLE} is {configured}, which is not a program" if configured else "none is installed"
        raise MissingPackageError(
            f"PNG files of figures need Chromium or Chrome, but {reason}: install one, on Debian or Ubuntu with "
            f"apt install chromium, or set {VARIABLE} to its path"
        )
    return browser
