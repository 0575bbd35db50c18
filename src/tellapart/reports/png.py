"""Figures as PNG files, drawn by a Chromium or Chrome of this machine that may not reach any network."""

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
from tellapart.judging.judge import Evaluation
from tellapart.reports import figures
from tellapart.reports.figures.theme import HEIGHT, Figure

VARIABLE = "TELLAPART_CHROMIUM"
NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)  # fmt: skip
WIDTH, SHARP = 900, 2  # pixels on a page, and how many of a file stand for each
START_SECONDS, FIGURE_SECONDS = 60, 10
FLAGS = (
    "--headless", "--dump-dom", "--disable-gpu", "--mute-audio", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=60000",
)  # fmt: skip
PAGE = """<!doctype html><meta charset="utf-8"><script>{plotly}</script><body><script>
const jobs = {jobs};
const show = answer => {{ document.documentElement.textContent = answer; }};
(async () => {{
  const urls = [];
  for (const {{figure, size}} of jobs) urls.push(await Plotly.toImage(figure, {{format: "png", ...size}}));
  return "drawn:" + urls.join(" ");
}})().then(show, show);
</script></body>"""
ANSWER = re.compile(r"<html[^>]*>([^<]*)")


def write_png(figure: Figure, path: Path, *, width: int = WIDTH, height: int | None = None, scale: float = 1) -> Path:
    """Draw a figure of `width` by `height` pixels, or its own height, times `scale`. Returns the path.

    Raises MissingPackageError without a Chromium, StorageError when the disk refuses.
    """
    (content,) = _drawn([figure], width=width, height=height, scale=scale)
    atomic_write(path, content)
    return path


def write_figures(
    evaluation: Evaluation, folder: Path, *, split: str = "", threshold: float | None = None
) -> list[Path]:
    """Draw all figures of an evaluation into a folder, 1,800 pixels wide. Returns their paths.

    `split` stands before each file's name and title, so that figures of two splits are never taken for each other;
    `threshold` is where the bundle ceases to answer, if it does.
    Raises as `write_png`.
    """
    made = _figures(evaluation, threshold)
    if split:
        for one in made.values():
            one.layout.title.text = f"{split.capitalize()}: {one.layout.title.text}"
    contents = _drawn(list(made.values()), width=WIDTH, height=None, scale=SHARP)
    paths = [folder / f"{split}{'-' if split else ''}{name}.png" for name in made]
    for path, content in zip(paths, contents, strict=True):
        atomic_write(path, content)
    return paths


def _figures(evaluation: Evaluation, threshold: float | None) -> Mapping[str, Figure]:
    """Those that apply: with images of one class only there is no other to tell it from."""
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


def _drawn(made: Sequence[Figure], *, width: int, height: int | None, scale: float) -> list[bytes]:
    """The PNG of each figure."""
    chromium = _chromium()
    jobs = [
        _job(one, {"width": width, "height": height or one.layout.height or HEIGHT, "scale": scale}) for one in made
    ]
    with tempfile.TemporaryDirectory(prefix="tellapart-", ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "figures.html"
        with storage_errors(page):
            page.write_text(_page(jobs), encoding="utf-8")
        answer = _answer(chromium, page, seconds=START_SECONDS + FIGURE_SECONDS * len(made))
    return [base64.b64decode(url.partition(",")[2]) for url in answer.split()]


def _job(figure: Figure, size: Mapping[str, float]) -> str:
    return f'{{"figure": {figure.to_json()}, "size": {json.dumps(size)}}}'.replace("<", "\\u003c")


def _page(jobs: Sequence[str]) -> str:
    plotly = require("plotly.offline", extra="train").get_plotlyjs()
    return PAGE.format(plotly=plotly, jobs=f"[{', '.join(jobs)}]")


def _answer(chromium: str, page: Path, *, seconds: float) -> str:
    """What the page made of itself. Raises TellapartError when that is no image."""
    # A user's browser has its sandbox; root has none, and Chromium refuses to start without being told so.
    free = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [chromium, *FLAGS, *free, f"--user-data-dir={page.parent / 'profile'}", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TellapartError(_failure(chromium, str(error))) from error
    page_now = ANSWER.search(done.stdout.decode(errors="replace"))
    said = page_now[1] if page_now else done.stderr.decode(errors="replace").strip()
    if not said.startswith("drawn:"):
        raise TellapartError(_failure(chromium, said[-300:] or f"it ended with status {done.returncode}"))
    return said.removeprefix("drawn:")


def _failure(chromium: str, said: str) -> str:
    return (
        f"{chromium} drew no figure ({said}): check that it starts, or set {VARIABLE} to the path of another "
        "Chromium or Chrome"
    )


def require_chromium() -> None:
    """Raise MissingPackageError unless there is a browser to draw with."""
    _chromium()


def _chromium() -> str:
    """The browser to draw with. Raises MissingPackageError."""
    wanted = os.environ.get(VARIABLE)
    found = next(filter(None, map(shutil.which, [wanted] if wanted else NAMES)), None)
    if found is None:
        looked = f"{VARIABLE} is {wanted}, which is no program" if wanted else f"there is none, nor is {VARIABLE} set"
        raise MissingPackageError(
            f"figures become PNG files in Chromium or Chrome, but {looked}: install one, in Debian or Ubuntu "
            f"with apt install chromium, or set {VARIABLE} to its path"
        )
    return found
