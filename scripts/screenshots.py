# SPDX-License-Identifier: Apache-2.0
"""Photographs a page of ``inspect --html``: overview, zoomed, waste, tables, narrow, dark, wide."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A photograph: of which view, at which width, after doing what."""

    name: str
    place: str = ""
    width: int = 1280
    height: int = 960
    dark: bool = False
    whole: bool = False
    scale: float = 1
    prepare: Callable[[Page], object] = Page.title  # nothing that can be seen


def _show_second_finding(page: Page) -> None:
    findings = page.locator(".finding .show")
    if findings.count():
        findings.nth(min(1, findings.count() - 1)).click()
    page.locator(".explore").scroll_into_view_if_needed()


def _zoom(page: Page) -> None:
    """Look into the largest package."""
    page.locator('[data-table="package"] tbody button').first.click()
    page.evaluate("scrollTo(0, 0)")


SHOTS = (
    Shot(name="overview"),
    Shot(name="overview-dark", place="#by=package&size=transfer", dark=True),
    Shot(name="zoomed", prepare=_zoom),
    Shot(name="waste", prepare=_show_second_finding),
    Shot(name="kinds", place="#paint=kind&by=path", dark=True),
    Shot(name="tables", place="#table=file", whole=True),
    Shot(name="narrow", width=400, height=860, scale=1.5),
    Shot(name="narrow-whole", width=400, height=860, whole=True),
    Shot(name="narrow-dark", width=320, height=700, dark=True, scale=1.5),
    Shot(name="wide", width=3840, height=2160),
)


def main() -> int:
    """Write the photographs; tell what each weighs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, metavar="PAGE.html")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if chromium is None:
        print("needs chromium: apt-get install chromium", file=sys.stderr)
        return 5
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in SHOTS:
            path = options.directory / f"{shot.name}.png"
            take(browser, options.page.resolve(), shot, path)
            print(f"{path}: {path.stat().st_size:,} bytes")
        browser.close()
    return 0


def take(browser: Browser, page: Path, shot: Shot, path: Path) -> None:
    """Write ``shot`` of ``page`` to ``path``, with fewer colours where ``pngquant`` is there."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
        device_scale_factor=shot.scale,
        reduced_motion="reduce",
    )
    tab = context.new_page()
    tab.goto(page.as_uri() + shot.place)
    tab.wait_for_selector("html[data-ready]", state="attached")
    shot.prepare(tab)
    tab.screenshot(path=path, full_page=shot.whole)
    context.close()
    quantize = shutil.which("pngquant")
    if quantize is not None:
        command = [quantize, "--force", "--skip-if-larger", "--output", path, "128", path]
        subprocess.run(command, check=False)


if __name__ == "__main__":
    sys.exit(main())
