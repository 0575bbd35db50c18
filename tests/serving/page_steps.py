"""What a person does with the page, for the tests of it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect

File = dict[str, Any]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
BUSY_MS = 30_000  # a machine that is busy with other work is no failure


@contextmanager
def opened(browser: Browser, address: str, *, phone: bool = False, guarded: bool = False) -> Iterator[Page]:
    """Open the page; at the end, nothing may have gone wrong in its own code."""
    mistakes: list[str] = []
    page = browser.new_page(**PHONE if phone else {})
    page.set_default_timeout(BUSY_MS)
    expect.set_options(timeout=BUSY_MS)
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda line: mistakes.append(line.text) if "Content Security" in line.text else None)
    page.goto(address)
    expect(page.get_by_text("This service is for" if guarded else "About this classifier")).to_be_visible()
    yield page
    page.close()
    assert not mistakes


def file(content: bytes, name: str = "photo.png") -> File:
    return {"name": name, "mimeType": "image/png", "buffer": content}


def choose(page: Page, *files: File) -> None:
    page.get_by_label("Choose images").set_input_files(list(files))


def grey(size: tuple[int, int] = (320, 240)) -> bytes:
    """Make an image of which no category is likely."""
    stream = io.BytesIO()
    Image.new("L", size, 120).save(stream, "PNG")
    return stream.getvalue()


def bring(page: Page, event: str, content: bytes | None, carrier: str, to: str = "body") -> None:
    """Let a file arrive by an event of the browser: dropped, or pasted."""
    page.evaluate(
        """([event, bytes, carrier, to]) => {
            const data = new DataTransfer();
            const file = (parts) => new File(parts, "brought.png", { type: "image/png" });
            if (bytes) data.items.add(file([new Uint8Array(bytes)]));
            const kind = carrier === "clipboardData" ? ClipboardEvent : DragEvent;
            document.querySelector(to).dispatchEvent(
                new kind(event, { [carrier]: data, bubbles: true, cancelable: true }));
        }""",
        [event, None if content is None else list(content), carrier, to],
    )
