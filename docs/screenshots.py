"""Take the two screenshots of the README from a run: its report and the page of its service.

    python docs/screenshots.py runs/clothes photo.jpg

Needs Chromium or Chrome.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1280, "height": 800}


def main(run: Path, photo: Path) -> None:
    """Write docs/images/report.png and docs/images/service.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"))
        page = browser.new_page(viewport=SIZE, device_scale_factor=1)
        page.goto((run / "report.html").resolve().as_uri() + "#test")  # metrics with intervals, confusion matrix
        page.wait_for_timeout(1000)  # figures are drawn by a script
        page.screenshot(path=IMAGES / "report.png")
        _service(run / "bundle", photo, page)
        browser.close()


def _service(bundle: Path, photo: Path, page: Page) -> None:
    command = [sys.executable, "-m", "tellapart", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as service:
        lines = iter(service.stdout or ())
        address = next(match.group() for line in lines if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
        page.goto(address)
        page.set_input_files("input[type=file]", photo)
        page.wait_for_timeout(3000)  # decoding, prediction, explanation
        page.screenshot(path=IMAGES / "service.png")
        service.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
