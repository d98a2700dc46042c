# SPDX-License-Identifier: Apache-2.0
"""``--html FILE``: the page about an image becomes a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelship.history.model import PastBuild
    from wheelship.inspect.model import Inspection

__all__ = ["write_page"]


def write_page(path: Path, inspection: Inspection, history: Sequence[PastBuild] = ()) -> None:
    """Write the page about ``inspection`` to ``path``; directories above it are made.

    Raises:
        DiskFull, NotWritable: the disk refuses.
    """
    from wheelship.files.write import write_file
    from wheelship.report.page.make import inspection_page
    from wheelship.store.errors import disk_errors

    with disk_errors(path.parent, "--html FILE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        page = inspection_page(inspection, history=history)
        write_file(path, page.encode("utf-8", "backslashreplace"))
