"""User actions on the page."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect

File = dict[str, Any]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
BUSY_MS = 30_000  # a busy machine is no failure


@contextmanager
def open_page(browser: Browser, address: str, *, phone: bool = False, guarded: bool = False) -> Iterator[Page]:
    """Open the page, and check at the end that its scripts raised no errors."""
    errors: list[str] = []
    page = browser.new_page(**PHONE if phone else {})
    page.set_default_timeout(BUSY_MS)
    expect.set_options(timeout=BUSY_MS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
    page.goto(address)
    expect(page.get_by_text("This service requires a token" if guarded else "About this classifier")).to_be_visible()
    yield page
    page.close()
    assert not errors


def file(content: bytes, name: str = "photo.png") -> File:
    return {"name": name, "mimeType": "image/png", "buffer": content}


def choose(page: Page, *files: File) -> None:
    page.get_by_label("Choose images").set_input_files(list(files))


def grey(size: tuple[int, int] = (320, 240)) -> bytes:
    """Make an image that has no likely class."""
    stream = io.BytesIO()
    Image.new("L", size, 120).save(stream, "PNG")
    return stream.getvalue()


def transfer(page: Page, event: str, content: bytes | None, carrier: str, to: str = "body") -> None:
    """Dispatch a drop or paste event that carries a file."""
    page.evaluate(
        """([event, bytes, carrier, to]) => {
            const data = new DataTransfer();
            const file = (parts) => new File(parts, "transferred.png", { type: "image/png" });
            if (bytes) data.items.add(file([new Uint8Array(bytes)]));
            const kind = carrier === "clipboardData" ? ClipboardEvent : DragEvent;
            document.querySelector(to).dispatchEvent(
                new kind(event, { [carrier]: data, bubbles: true, cancelable: true }));
        }""",
        [event, None if content is None else list(content), carrier, to],
    )
