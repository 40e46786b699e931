"""Where the browser of the system is: pages are looked at with the Chromium that is installed, none is fetched.

A machine may be without it. Then the tests that need it are skipped, with one reason that the session's summary counts aloud;
where FUNNELSTREAM_REQUIRE_CHROMIUM is set they fail instead.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM_ABSENT = "Chromium is not on the PATH (Debian has it in the package chromium)"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, headless. Skips the test where there is none, or fails it where one is required."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.environ.get("FUNNELSTREAM_REQUIRE_CHROMIUM"):
        pytest.fail(f"FUNNELSTREAM_REQUIRE_CHROMIUM is set, and {CHROMIUM_ABSENT}")
    if found is None:
        pytest.skip(CHROMIUM_ABSENT)
    as_root = ["--no-sandbox"] if os.name == "posix" and os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*as_root, "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()
