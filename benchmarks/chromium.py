"""Headless Chromium on the page: how it is started, and how a condition is waited for.

The page's tests use it too.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FAKE_CAMERA = "--use-fake-device-for-media-stream"
ALLOW_CAMERA = "--use-fake-ui-for-media-stream"

KEEP_CONNECTIONS = """
const Original = window.RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Original {
  constructor(...options) { super(...options); window.connections.push(this); }
};
"""
"""Runs before the page's own script, so that the connection can be asked for its statistics."""


def missing() -> str | None:
    """Why no page can be opened here; None when one can."""
    if executable() is None:
        return "Chromium is not installed (Debian: apt-get install chromium)"
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed (pip install playwright)"
    return None


def executable() -> str | None:
    """Path of the Chromium that is used."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def open_page(
    profile: Path,
    *flags: str,
    width: int = 1280,
    height: int = 800,
    dark: bool = False,
    complaints: list[str] | None = None,
) -> Iterator[Page]:
    """An empty page of a fresh browser whose profile lies in the folder `profile`.

    Args:
        complaints: gets the page's script errors and refusals by its content security policy.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=executable(),
            headless=True,
            args=[*FLAGS, *flags],
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        try:
            page = context.pages[0]
            page.add_init_script(KEEP_CONNECTIONS)
            if complaints is not None:
                page.on("pageerror", lambda error: complaints.append(str(error)))
                page.on(
                    "console",
                    lambda message: (
                        complaints.append(message.text)
                        if "Content Security Policy" in message.text
                        else None
                    ),
                )
            yield page
        finally:
            context.close()


def until(page: Page, expression: str, timeout_s: float) -> Any:
    """The first truthy value of a JavaScript expression; AssertionError with it after `timeout_s`.

    Playwright's own wait_for_function needs eval, which the page's security policy forbids.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := page.evaluate(expression)):
        state = page.evaluate("JSON.stringify(document.body.dataset)")
        assert time.monotonic() < deadline, (
            f"not within {timeout_s:g} s: {expression}; page {state}"
        )
        page.wait_for_timeout(100)
    return value
