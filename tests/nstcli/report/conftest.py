"""A browser, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start Chromium: the system's, or one that `playwright install chromium` brought."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = [path for name in _NAMES if (path := shutil.which(name))]
        found += [own] if Path(own).exists() else []
        if not found:
            pytest.skip(f"no browser: none of {', '.join(_NAMES)} is installed")
        # Chromium's sandbox refuses to start for root, which containers often are.
        flags = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        browser = playwright.chromium.launch(executable_path=found[0], args=flags)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Open a file offline; at the end, nothing was complained of and no request had left."""
    contexts, problems, requests = [], [], []

    def open_page(path: Path, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
        page.on("request", lambda request: requests.append((path.parent, request.url)))
        page.goto(path.resolve().as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
    for folder, url in requests:
        inside = url.startswith((folder.resolve().as_uri() + "/", "data:"))
        assert inside, f"a request left the folder: {url}"
