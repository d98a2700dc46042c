# SPDX-License-Identifier: Apache-2.0
"""Writes the page about an image, for each command that has ``--html FILE``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelship.history.model import PastBuild
    from wheelship.inspect.model import Inspection

__all__ = ["write_page"]


def write_page(path: Path, inspection: Inspection, history: Sequence[PastBuild] = ()) -> None:
    """Write the page about ``inspection`` to ``path``, with the course of builds in ``history``.

    Raises:
        NotWritable, DiskFull: it cannot be written there.
    """
    from wheelship.files.write import write_file
    from wheelship.report.page.make import inspection_page
    from wheelship.store.errors import disk_errors

    page = inspection_page(inspection, history=history).encode("utf-8", "backslashreplace")
    directory = path.resolve().parent
    with disk_errors(directory, "--html FILE"):
        directory.mkdir(parents=True, exist_ok=True)
        write_file(path, page)
