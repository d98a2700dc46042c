# SPDX-License-Identifier: Apache-2.0
"""Where results are shown: how wide stdout is, which characters it takes, whether in colour."""

from __future__ import annotations

import codecs
import os
import sys
from typing import TYPE_CHECKING

from wheelship.cli.settings import Settings

if TYPE_CHECKING:
    from wheelship.report.canvas import Canvas

__all__ = ["encodable", "harmless", "stdout_canvas"]

_WIDTH = 100  # of what is no terminal: a file, a pipe, a log
_LEAST = 60  # below, the numbers alone do not fit


def stdout_canvas(settings: Settings) -> Canvas:
    """Return what stdout can show; ``COLUMNS`` wins over the terminal's own width."""
    from wheelship.report.canvas import Canvas

    return Canvas(
        width=max(_LEAST, _width(settings)),
        unicode=_takes_unicode(sys.stdout.encoding),
        colored=settings.colors(sys.stdout),
    )


def encodable(text: str, encoding: str | None) -> str:
    """Return ``text`` with escapes for what ``encoding`` does not have."""
    named = encoding or "ascii"
    return text.encode(named, "backslashreplace").decode(named)


def harmless(text: str) -> str:
    """Return ``text``, lines and tabs kept, without anything that steers a terminal.

    Messages quote names and words of files that others made; whoever writes a message need not
    think of that.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    from wheelship.report.printable import printable

    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def _width(settings: Settings) -> int:
    named = settings.environ.get("COLUMNS", "")
    if named.isascii() and named.isdigit() and int(named) > 0:
        return int(named)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH


def _takes_unicode(encoding: str | None) -> bool:
    try:
        return codecs.lookup(encoding or "ascii").name.startswith("utf")
    except LookupError:
        return False
